//! The node's two certificates: asked for by request, kept in files, renewed in time.

use std::time::Duration;

use anyhow::Context as _;
use api_types::certificates::v1::CertificateSigningRequest;
use base::error::Chain;
use base::random::SystemRandom;
use base::time::{Clock, Time};
use client::{Api as _, Body, Caller, Outcome, Request, Resource, Target, Verb};
use client_remote::Remote;
use server_authn::certificate::AlternativeName;
use server_authn::certificate::name::Name;
use server_authn::key::PrivateKey;
use server_authn::pki::authority::Claim;
use server_authn::pki::directory::{Directory, Files as _};
use server_authn::pki::{Identity, Pki};
use server_authn::request;

static REQUESTS: Resource = Resource::of("certificates.k8s.io", "v1", "certificatesigningrequests");

/// How often it is looked whether a request has been answered, first and at last.
const LOOK: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// When somebody should hear that a request waits for them, and when a node serves without waiting on.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait after a request that failed.
const AGAIN: Duration = Duration::from_secs(10);

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be the node towards the API.
    Client,
    /// To serve the node's own API.
    Serving,
}

impl Purpose {
    fn signer(self) -> &'static str {
        match self {
            Purpose::Client => "kubernetes.io/kube-apiserver-client-kubelet",
            Purpose::Serving => "kubernetes.io/kubelet-serving",
        }
    }

    fn usage(self) -> &'static str {
        match self {
            Purpose::Client => "client auth",
            Purpose::Serving => "server auth",
        }
    }

    fn stem(self) -> &'static str {
        match self {
            Purpose::Client => "node-client",
            Purpose::Serving => "node-serving",
        }
    }
}

/// A certificate with its key, or the wish for one.
pub struct Held {
    purpose: Purpose,
    subject: Name,
    names: Vec<AlternativeName>,
    /// The authority's certificate, DER.
    authority: Vec<u8>,
    certificate: String,
    key: String,
    /// When it is to be renewed; long ago for a wish.
    due: Time,
}

impl Held {
    /// What is kept in the files, if it is this node's and its cluster's.
    pub fn open(
        files: &Directory,
        purpose: Purpose,
        node: &str,
        names: &[AlternativeName],
        authority_der: &[u8],
    ) -> anyhow::Result<Held> {
        let subject = Name::new(&format!("system:node:{node}"), &["system:nodes"]);
        let mut held = Held {
            purpose,
            subject,
            names: names.to_vec(),
            authority: authority_der.to_vec(),
            certificate: String::new(),
            key: String::new(),
            due: Time::EPOCH,
        };
        let stem = purpose.stem();
        let read = |ending: &str| -> anyhow::Result<Option<String>> {
            let file = format!("{stem}.{ending}");
            let found = files.read(&file).with_context(|| format!("reading agent/tls/{file}"))?;
            found
                .map(|bytes| String::from_utf8(bytes).with_context(|| format!("agent/tls/{file} is no text")))
                .transpose()
        };
        if let (Some(certificate), Some(key)) = (read("crt")?, read("key")?) {
            let known = PrivateKey::from_pem(key.as_bytes()).ok();
            match known.and_then(|key| held.validity(&certificate, &key)) {
                Some(validity) => {
                    (held.certificate, held.key, held.due) = (certificate, key, due(validity));
                }
                None => tracing::info!(certificate = stem, "certificate.discarded"),
            }
        }
        Ok(held)
    }

    /// From when to when a certificate is what this one is to be.
    fn validity(&self, certificate: &str, key: &PrivateKey) -> Option<(Time, Time)> {
        let claim = Claim { subject: &self.subject, names: &self.names, public_key: key.public() };
        claim.validity(certificate.as_bytes(), &self.authority)
    }

    /// What to serve with now: what is held, or else a certificate that nobody has signed.
    pub fn or_stand_in(&self, clock: &dyn Clock) -> anyhow::Result<Identity> {
        if self.certificate.is_empty() {
            let identity = Pki::stand_in(self.subject.clone(), &self.names, clock.now(), &SystemRandom);
            return identity.context("making a certificate to begin with");
        }
        Ok(Identity { certificate: self.certificate.clone(), key: self.key.clone() })
    }

    /// The certificate, PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Its key, PEM.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether it is to be asked for.
    pub fn is_due(&self, now: Time) -> bool {
        now >= self.due
    }

    /// How long it need not be asked for.
    pub fn until_due(&self, now: Time) -> Duration {
        self.due.since(now)
    }

    /// Asks for a new one until it is there.
    pub async fn renew_until_done(&mut self, api: &Remote, files: &Directory, clock: &dyn Clock) {
        while let Err(error) = self.renew(api, files, clock).await {
            tracing::warn!(
                certificate = self.purpose.stem(),
                error = format!("{error:#}"),
                "certificate.renew"
            );
            clock.sleep(AGAIN).await;
        }
    }

    /// Asks for a new one, waits for it and keeps it.
    pub async fn renew(&mut self, api: &Remote, files: &Directory, clock: &dyn Clock) -> anyhow::Result<()> {
        let key = PrivateKey::generate()?;
        let name = self.ask(api, &key).await?;
        let certificate = self.wait(api, &name, clock).await?;
        let validity =
            self.validity(&certificate, &key).context("what was signed is not what was asked for")?;
        let stem = self.purpose.stem();
        // A crash between the two leaves a pair that does not match, which the next start asks for anew.
        files.replace(&format!("{stem}.key"), key.to_pem().as_bytes(), true)?;
        files.replace(&format!("{stem}.crt"), certificate.as_bytes(), false)?;
        (self.certificate, self.key, self.due) = (certificate, key.to_pem(), due(validity));
        tracing::info!(certificate = stem, request = name, "certificate.received");
        Ok(())
    }

    async fn ask(&self, api: &Remote, key: &PrivateKey) -> anyhow::Result<String> {
        let mut wanted = CertificateSigningRequest::default();
        wanted.metadata.generate_name = "csr-".to_owned();
        wanted.spec.request = Some(request::create(key, &self.subject, &self.names)?.into_bytes().into());
        self.purpose.signer().clone_into(&mut wanted.spec.signer_name);
        wanted.spec.usages = vec!["digital signature".to_owned(), self.purpose.usage().to_owned()];
        let mut call = Request::new(Verb::Create, target(""));
        call.body = Body::Object(Box::new(wanted));
        Ok(answered(api, call).await.context("asking for a certificate")?.metadata.name)
    }

    async fn wait(&self, api: &Remote, name: &str, clock: &dyn Clock) -> anyhow::Result<String> {
        let begun = clock.now();
        let (mut wait, mut told) = (LOOK.0, false);
        loop {
            let found = answered(api, Request::new(Verb::Get, target(name))).await;
            match found {
                Ok(found) => {
                    if let Some(bytes) = found.status.certificate.filter(|bytes| !bytes.is_empty()) {
                        return String::from_utf8(bytes.to_vec()).context("the certificate is no text");
                    }
                    let bad =
                        |condition: &&api_types::certificates::v1::CertificateSigningRequestCondition| {
                            matches!(condition.type_.as_str(), "Denied" | "Failed")
                        };
                    if let Some(no) = found.status.conditions.iter().find(bad) {
                        anyhow::bail!(
                            "the request {name} was not granted ({}): {} {}",
                            no.type_,
                            no.reason,
                            no.message
                        );
                    }
                }
                Err(error) => tracing::debug!(error = format!("{error:#}"), "certificate.wait"),
            }
            if !told && clock.now().since(begun) > PATIENCE {
                told = true;
                tracing::warn!(
                    request = name,
                    "nobody has approved this node's request yet: kubectl certificate approve {name}"
                );
            }
            clock.sleep(wait).await;
            wait = (wait * 2).min(LOOK.1);
        }
    }
}

/// A certificate is renewed when a third of its life is left, as the cluster's own are.
fn due((begin, end): (Time, Time)) -> Time {
    end - end.since(begin) / server_authn::limits::RENEW_BELOW_SHARE
}

fn target(name: &str) -> Target {
    Target {
        resource: REQUESTS.clone(),
        namespace: String::new(),
        name: name.to_owned(),
        subresource: String::new(),
    }
}

async fn answered(api: &Remote, request: Request) -> anyhow::Result<CertificateSigningRequest> {
    let answer = api.call(&Caller::default(), request).await.map_err(|status| {
        let hint =
            if status.is_unauthorized() { ": the token is not, or no longer, the server's" } else { "" };
        anyhow::anyhow!("{}{hint}", Chain(&status))
    })?;
    let Outcome::Object(object) = answer.outcome else {
        anyhow::bail!("it was answered with something else")
    };
    object.downcast_ref::<CertificateSigningRequest>().cloned().context("it was answered with another kind")
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use base::random::SystemRandom;
    use server_authn::limits::CERTIFICATE_LIFETIME;
    use server_authn::pki::Pki;

    use super::*;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn names(host: &str) -> [AlternativeName; 2] {
        [AlternativeName::Dns(host.to_owned()), AlternativeName::Ip(ADDRESS)]
    }

    #[test]
    fn a_kept_certificate_counts_until_a_third_of_its_life_is_left() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (files, now) = (Directory::new(dir.path()), Time::from_unix_seconds(1_800_000_000));
        let pki = Pki::open(&files, now, &SystemRandom).expect("authorities");
        let authority = pki.cluster.certificate_der();
        let open = |node: &str, authority: &[u8]| {
            Held::open(&files, Purpose::Serving, node, &names(node), authority).expect("files can be read")
        };
        assert!(open("two", authority).is_due(now), "there is none yet");
        pki.node_serving(&files, "two", &[ADDRESS], now, &SystemRandom).expect("it is signed");
        let held = open("two", authority);
        assert!(!held.is_due(now) && held.certificate().contains("BEGIN CERTIFICATE"));
        assert!(!held.is_due(now + CERTIFICATE_LIFETIME / 2));
        assert!(held.is_due(now + CERTIFICATE_LIFETIME / 10 * 7));
        assert!(held.until_due(now) > CERTIFICATE_LIFETIME / 2);
        assert!(open("three", authority).is_due(now), "another node's");
        let elsewhere = tempfile::tempdir().expect("a temporary directory");
        let other = Pki::open(&Directory::new(elsewhere.path()), now, &SystemRandom).expect("authorities");
        assert!(open("two", other.cluster.certificate_der()).is_due(now), "another cluster's");
        std::fs::write(dir.path().join("node-serving.crt"), "damaged").expect("it can be written");
        assert!(open("two", authority).is_due(now), "none that can be read");
    }
}
