//! The cluster's own keys and certificates: made once, kept in a directory, checked at every start.
//!
//! File names are kubeadm's (`ca.crt`, `ca.key`, `front-proxy-ca.crt`, `sa.key`, …), so that a cluster set up by
//! kubeadm can be taken over with its files. Nothing that exists is ever overwritten except a leaf certificate that
//! is to be renewed: a damaged authority is reported, not replaced, because replacing it would cut every node off.

pub mod authority;
pub mod component;
pub mod directory;
pub mod serving;

use std::net::IpAddr;

use base::random::Random;
use base::time::Time;
use thiserror::Error;

use crate::certificate::{AlternativeName, Template};
use crate::key::{KeyError, PrivateKey};
use authority::{Authority, AuthorityError};
use component::Component;
use directory::{FileError, Files};
use serving::ServingNames;

/// Why the cluster's keys could not be used.
#[derive(Debug, Error)]
pub enum PkiError {
    /// A file could not be read or written.
    #[error("{file} could not be read or written")]
    File {
        /// Which.
        file: String,
        /// Why.
        #[source]
        source: FileError,
    },
    /// One half of a pair is there.
    #[error(
        "{present} exists but {missing} does not: restore {missing} from a backup, or remove {present} to have both made anew"
    )]
    HalfMissing {
        /// The file that is there.
        present: String,
        /// The file that is not.
        missing: String,
    },
    /// A file holds something else than it should.
    #[error("{file} is damaged: restore it from a backup")]
    Damaged {
        /// Which.
        file: String,
        /// What is wrong.
        #[source]
        source: AuthorityError,
    },
    /// A key file holds something else than a key.
    #[error("{file} holds no usable key: restore it from a backup")]
    Key {
        /// Which.
        file: String,
        /// What is wrong.
        #[source]
        source: KeyError,
    },
}

/// A certificate with its key, as a component uses it.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate, PEM.
    pub certificate: String,
    /// Its key, PEM.
    pub key: String,
}

/// The cluster's authorities and the key that signs service account tokens.
#[derive(Debug)]
pub struct Pki {
    /// Signs clients, nodes and the API server.
    pub cluster: Authority,
    /// Signs the proxies whose request headers name a user.
    pub front_proxy: Authority,
    /// Signs service account tokens.
    pub service_account: PrivateKey,
}

impl Pki {
    /// Reads the authorities from `files`, making those that were never made.
    ///
    /// # Errors
    /// When something that is there cannot be used, or the files cannot be read or written.
    pub fn open(files: &dyn Files, now: Time, random: &dyn Random) -> Result<Pki, PkiError> {
        Ok(Pki {
            cluster: open_authority(files, "ca", "kubernetes", now, random)?,
            front_proxy: open_authority(files, "front-proxy-ca", "front-proxy-ca", now, random)?,
            service_account: open_service_account(files)?,
        })
    }

    /// The API server's serving certificate (`apiserver.crt`), renewed when it nears its end, was signed by another
    /// authority, or `names` have changed.
    ///
    /// # Errors
    /// When the files cannot be read or written.
    pub fn serving(
        &self,
        files: &dyn Files,
        names: &ServingNames,
        now: Time,
        random: &dyn Random,
    ) -> Result<Identity, PkiError> {
        let subject = crate::certificate::name::Name::new("kube-apiserver", &[]);
        self.leaf(files, "apiserver", &self.cluster, now, random, &|key| {
            serving::template(subject.clone(), names, key.public().clone(), now)
        })
    }

    /// The serving certificate of the node of the API server's own process, renewed as [`Pki::serving`]'s is; other nodes
    /// ask for theirs.
    ///
    /// # Errors
    /// When the files cannot be read or written.
    pub fn node_serving(
        &self,
        files: &dyn Files,
        node: &str,
        addresses: &[IpAddr],
        now: Time,
        random: &dyn Random,
    ) -> Result<Identity, PkiError> {
        let subject = Component::Node(node.to_owned()).subject();
        let dns = std::iter::once(AlternativeName::Dns(node.to_owned()));
        let names: Vec<_> = dns.chain(addresses.iter().copied().map(AlternativeName::Ip)).collect();
        self.leaf(files, "node-serving", &self.cluster, now, random, &|key| {
            serving::template_of(subject.clone(), names.clone(), key.public().clone(), now)
        })
    }

    /// A node's serving certificate by an authority that nobody knows, for as long as nobody has signed one that counts: as
    /// kubelet's without `serverTLSBootstrap`. API servers that check whom they reach refuse it.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn stand_in(
        subject: crate::certificate::name::Name,
        names: &[AlternativeName],
        now: Time,
        random: &dyn Random,
    ) -> Result<Identity, KeyError> {
        let authority = Authority::create("stand-in", now, random)?;
        let key = PrivateKey::generate()?;
        let template = serving::template_of(subject, names.to_vec(), key.public().clone(), now);
        let der = template.sign(authority.issuer(), random)?;
        Ok(Identity { certificate: crate::key::encode_pem("CERTIFICATE", &der), key: key.to_pem() })
    }

    /// The client certificate of `component`, renewed as [`Pki::serving`]'s is.
    ///
    /// # Errors
    /// When the files cannot be read or written.
    pub fn component(
        &self,
        files: &dyn Files,
        component: &Component,
        now: Time,
        random: &dyn Random,
    ) -> Result<Identity, PkiError> {
        let authority = if component.is_front_proxy() { &self.front_proxy } else { &self.cluster };
        self.leaf(files, &component.file(), authority, now, random, &|key| {
            component.template(key.public().clone(), now)
        })
    }

    fn leaf(
        &self,
        files: &dyn Files,
        stem: &str,
        authority: &Authority,
        now: Time,
        random: &dyn Random,
        template: &dyn Fn(&PrivateKey) -> Template,
    ) -> Result<Identity, PkiError> {
        let (certificate_file, key_file) = (format!("{stem}.crt"), format!("{stem}.key"));
        if let (Some(certificate), Some(key_text)) =
            (read(files, &certificate_file)?, read(files, &key_file)?)
            && let Ok(key) = PrivateKey::from_pem(&key_text)
            && authority.issued(&certificate, &template(&key), now)
        {
            return Ok(Identity {
                certificate: String::from_utf8_lossy(&certificate).into_owned(),
                key: key.to_pem(),
            });
        }
        let wrong = |source| PkiError::Key { file: key_file.clone(), source };
        let key = PrivateKey::generate().map_err(wrong)?;
        let der = template(&key).sign(authority.issuer(), random).map_err(wrong)?;
        let identity =
            Identity { certificate: crate::key::encode_pem("CERTIFICATE", &der), key: key.to_pem() };
        // A crash between the two leaves a pair that does not match, which the next start replaces.
        write(files, &key_file, &identity.key, true)?;
        write(files, &certificate_file, &identity.certificate, false)?;
        Ok(identity)
    }
}

fn open_authority(
    files: &dyn Files,
    stem: &str,
    name: &str,
    now: Time,
    random: &dyn Random,
) -> Result<Authority, PkiError> {
    let (certificate_file, key_file) = (format!("{stem}.crt"), format!("{stem}.key"));
    match (read(files, &certificate_file)?, read(files, &key_file)?) {
        (Some(certificate), Some(key)) => {
            let key =
                PrivateKey::from_pem(&key).map_err(|source| PkiError::Key { file: key_file, source })?;
            Authority::load(&certificate, key, now)
                .map_err(|source| PkiError::Damaged { file: certificate_file, source })
        }
        (None, key) => {
            // The key is written first: a crash in between leaves a key of which nobody has yet seen a certificate.
            let key = match key {
                Some(text) => PrivateKey::from_pem(&text)
                    .map_err(|source| PkiError::Key { file: key_file.clone(), source })?,
                None => new_key(files, &key_file)?,
            };
            let authority = Authority::create_with(name, key, now, random)
                .map_err(|source| PkiError::Key { file: key_file, source })?;
            write(files, &certificate_file, authority.certificate_pem(), false)?;
            Ok(authority)
        }
        (Some(_), None) => Err(PkiError::HalfMissing { present: certificate_file, missing: key_file }),
    }
}

fn open_service_account(files: &dyn Files) -> Result<PrivateKey, PkiError> {
    let file = "sa.key";
    let key = match read(files, file)? {
        Some(text) => {
            PrivateKey::from_pem(&text).map_err(|source| PkiError::Key { file: file.to_owned(), source })?
        }
        None if read(files, "sa.pub")?.is_some() => {
            return Err(PkiError::HalfMissing { present: "sa.pub".to_owned(), missing: file.to_owned() });
        }
        None => new_key(files, file)?,
    };
    if read(files, "sa.pub")?.is_none() {
        write(files, "sa.pub", &key.public().to_pem(), false)?;
    }
    Ok(key)
}

fn new_key(files: &dyn Files, file: &str) -> Result<PrivateKey, PkiError> {
    let key = PrivateKey::generate().map_err(|source| PkiError::Key { file: file.to_owned(), source })?;
    write(files, file, &key.to_pem(), true)?;
    Ok(key)
}

fn read(files: &dyn Files, file: &str) -> Result<Option<Vec<u8>>, PkiError> {
    files.read(file).map_err(|source| PkiError::File { file: file.to_owned(), source })
}

fn write(files: &dyn Files, file: &str, text: &str, secret: bool) -> Result<(), PkiError> {
    files
        .replace(file, text.as_bytes(), secret)
        .map_err(|source| PkiError::File { file: file.to_owned(), source })
}

#[cfg(test)]
mod tests;
