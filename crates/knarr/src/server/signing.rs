//! The cluster's signers of certificates and of the tokens in Secrets, for the controllers that decide what is signed.

use std::net::IpAddr;
use std::sync::Arc;

use api_types::certificates::v1::CertificateSigningRequestSpec;
use api_types::core::v1::ServiceAccount;
use base::error::Chain;
use base::random::Random;
use base::time::Time;
use control::cluster::{Approval, Serving, TokenSigner, Unsigned};
use server_authn::certificate::AlternativeName;
use server_authn::key::{KeyError, PrivateKey};
use server_authn::pki::Pki;
use server_authn::request::Request;
use server_authn::signer::{self, SignError, Signer};
use server_authn::token::claims::Ref;
use server_authn::token::legacy;
use server_authn::x509;

/// Signs with the cluster's authority.
pub struct Signing {
    pki: Arc<Pki>,
    random: Arc<dyn Random>,
}

impl Signing {
    /// Signs with the authority of `pki`.
    pub fn new(pki: Arc<Pki>, random: Arc<dyn Random>) -> Signing {
        Signing { pki, random }
    }
}

/// The signer of a request and the request itself, if the signer is one of ours and the request can be read.
fn read(request: &CertificateSigningRequestSpec) -> Option<(Signer, Request)> {
    let signer = Signer::from_name(&request.signer_name)?;
    let read = Request::from_pem(request.request.as_deref().unwrap_or_default()).ok()?;
    Some((signer, read))
}

impl control::cluster::Signer for Signing {
    fn approvals(&self, request: &CertificateSigningRequestSpec) -> Vec<Approval> {
        let Some((signer, read)) = read(request) else { return Vec::new() };
        let ways = signer::approvals(signer, &read, &request.usages, &request.username);
        ways.into_iter().map(|way| Approval { subresource: way.subresource, message: way.message }).collect()
    }

    fn serving(&self, request: &CertificateSigningRequestSpec) -> Option<Serving> {
        let (signer, read) = read(request).filter(|(signer, _)| *signer == Signer::KubeletServing)?;
        signer.check(&read, &request.usages).ok()?;
        let (mut hosts, mut addresses) = (Vec::<String>::new(), Vec::<IpAddr>::new());
        for name in read.alternative_names {
            match name {
                AlternativeName::Dns(host) => hosts.push(host),
                AlternativeName::Ip(address) => addresses.push(address),
                // The signer permits no others.
                AlternativeName::Email(_) | AlternativeName::Uri(_) => return None,
            }
        }
        Some(Serving { user: read.subject.common_name, hosts, addresses })
    }

    fn sign(&self, request: &CertificateSigningRequestSpec, now: Time) -> Option<Result<String, Unsigned>> {
        let signer = Signer::from_name(&request.signer_name)?;
        let read = match Request::from_pem(request.request.as_deref().unwrap_or_default()) {
            Ok(read) => read,
            Err(error) => return Some(Err(Unsigned::Failed(format!("unable to parse csr: {error}")))),
        };
        let (usages, seconds) = (&request.usages, request.expiration_seconds);
        let signed = signer::sign(signer, &read, usages, seconds, &self.pki.cluster, now, &*self.random);
        Some(signed.map_err(|error| match error {
            SignError::Refused(refusal) => Unsigned::Refused(refusal.to_string()),
            other => Unsigned::Failed(Chain(&other).to_string()),
        }))
    }

    fn end(&self, certificate: &[u8]) -> Option<Time> {
        x509::end(certificate)
    }
}

/// Signs the tokens that lie in Secrets with the key of service accounts.
pub struct AccountKey(PrivateKey);

impl AccountKey {
    /// With a private key in PEM.
    pub fn from_pem(pem: &[u8]) -> Result<AccountKey, KeyError> {
        PrivateKey::from_pem(pem).map(AccountKey)
    }
}

impl TokenSigner for AccountKey {
    fn sign(&self, account: &ServiceAccount, secret: &str) -> Result<String, String> {
        let meta = &account.metadata;
        let token = legacy::issue(&self.0, &meta.namespace, &Ref::new(&meta.name, &meta.uid), secret);
        token.map_err(|error| Chain(&error).to_string())
    }
}
