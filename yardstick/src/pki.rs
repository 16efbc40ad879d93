//! The authorities of a cluster, whoever made it, and kubeconfigs for its components.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};

use crate::machine::run;

/// An authority whose files lie in one directory.
pub struct Authority {
    directory: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    /// The one whose files `NAME.crt` and `NAME.key` are. It is made if they are not there.
    ///
    /// # Errors
    /// When they cannot be read or written.
    pub fn open(directory: &Path, name: &str) -> Result<Authority> {
        let file = |kind: &str| directory.join(format!("{name}.{kind}"));
        let Ok(pem) = std::fs::read_to_string(file("crt")) else { return Authority::create(directory, name) };
        // The library takes a key in this form alone.
        let mut convert = Command::new("openssl");
        convert.args(["pkcs8", "-topk8", "-nocrypt", "-in"]).arg(file("key"));
        let key = KeyPair::from_pem(&run(&mut convert)?)?;
        let issuer = Issuer::from_ca_cert_pem(&pem, key)?;
        Ok(Authority { directory: directory.to_owned(), issuer, pem })
    }

    fn create(directory: &Path, name: &str) -> Result<Authority> {
        std::fs::create_dir_all(directory)?;
        let key = KeyPair::generate()?;
        let mut params = params(name, &[], &[])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let pem = params.self_signed(&key)?.pem();
        std::fs::write(directory.join(format!("{name}.crt")), &pem)?;
        std::fs::write(directory.join(format!("{name}.key")), key.serialize_pem())?;
        Ok(Authority { directory: directory.to_owned(), issuer: Issuer::new(params, key), pem })
    }

    /// A file of its directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Its certificate, PEM.
    pub fn certificate(&self) -> &str {
        &self.pem
    }

    /// A certificate for a server at these names and a client of this name and groups, as `FILE.crt` and `FILE.key`.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn issue(&self, file: &str, user: &str, groups: &[&str], names: &[&str]) -> Result<(String, String)> {
        let key = KeyPair::generate()?;
        let mut params = params(user, groups, names)?;
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        std::fs::write(self.directory.join(format!("{file}.crt")), &certificate)?;
        std::fs::write(self.directory.join(format!("{file}.key")), key.serialize_pem())?;
        Ok((certificate, key.serialize_pem()))
    }

    /// A kubeconfig for a user of this name and groups, `NAME.kubeconfig`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn kubeconfig(&self, server: &str, file: &str, user: &str, groups: &[&str]) -> Result<PathBuf> {
        let (certificate, key) = self.issue(file, user, groups, &[])?;
        let path = self.directory.join(format!("{file}.kubeconfig"));
        let text = format!(
            "apiVersion: v1
kind: Config
clusters:
- name: default
  cluster:
    server: {server}
    certificate-authority-data: {}
users:
- name: default
  user:
    client-certificate-data: {}
    client-key-data: {}
contexts:
- name: default
  context: {{cluster: default, user: default}}
current-context: default
",
            STANDARD.encode(&self.pem),
            STANDARD.encode(certificate),
            STANDARD.encode(key),
        );
        std::fs::write(&path, text)?;
        Ok(path)
    }
}

fn params(user: &str, groups: &[&str], names: &[&str]) -> Result<CertificateParams> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, user);
    for group in groups {
        subject.push(DnType::OrganizationName, *group);
    }
    params.distinguished_name = subject;
    Ok(params)
}
