//! Certificates of this node's pods: keys are made here and never leave, requests are made and followed in the API.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use api_meta::fields;
use api_types::certificates::v1::PodCertificateRequest;
use api_types::core::v1::{Node, Pod, PodCertificateProjection, ServiceAccount};
use api_types::meta::v1::OwnerReference;
use base::time::timeout;
use client::{Resource, Scope, View};
use node_volume::certificate::{Bundle, Certificate};
use node_volume::payload::PayloadError;
use rcgen::{CertificateParams, DistinguishedName, KeyPair, SignatureAlgorithm};
use tokio::sync::{Mutex, OnceCell};

use crate::calls::{NODES, SERVICE_ACCOUNTS};
use crate::core::Core;
use crate::error::AgentError;
use crate::events::Kind;
use crate::limits;

const REQUESTS: Resource = Resource::of("certificates.k8s.io", "v1", "podcertificaterequests");

/// Of which pod, in which volume, and the how manieth of its sources.
type CertificateKey = (String, String, usize);

/// The certificates of this node's pods, and the requests for them.
#[derive(Default)]
pub(crate) struct Certificates {
    requests: OnceCell<View<PodCertificateRequest>>,
    held: StdMutex<BTreeMap<CertificateKey, Arc<Mutex<Certificate>>>>,
}

impl Certificates {
    fn of(&self, key: CertificateKey) -> Arc<Mutex<Certificate>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(held.entry(key).or_default())
    }

    /// Forgets a pod's.
    pub(crate) fn forget(&self, uid: &str) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).retain(|(pod, ..), _| pod != uid);
    }
}

/// How a key of a type is made.
fn algorithm(key_type: &str) -> Result<&'static SignatureAlgorithm, AgentError> {
    match key_type {
        "ECDSAP256" => Ok(&rcgen::PKCS_ECDSA_P256_SHA256),
        "ECDSAP384" => Ok(&rcgen::PKCS_ECDSA_P384_SHA384),
        "ED25519" => Ok(&rcgen::PKCS_ED25519),
        other => Err(AgentError::KeyType { name: other.to_owned() }),
    }
}

/// A new key as PEM, and a request in PKCS #10 that says nothing but that whoever makes it has the key.
fn key_and_proof(key_type: &str) -> Result<(String, Vec<u8>), AgentError> {
    let key = KeyPair::generate_for(algorithm(key_type)?)?;
    let mut nothing = CertificateParams::default();
    nothing.distinguished_name = DistinguishedName::new();
    let request = nothing.serialize_request(&key)?;
    Ok((key.serialize_pem(), request.der().to_vec()))
}

impl Core {
    /// What a source of a pod's volume shows: the key and the chain of the pod's certificate. One that has not been asked for is, and is
    /// waited for a moment.
    pub(super) async fn pod_certificate(
        &self,
        pod: &Pod,
        volume: &str,
        (index, wanted): (usize, &PodCertificateProjection),
    ) -> Result<Bundle, AgentError> {
        let view = self.certificate_requests().await?;
        let known = self.certificates.of((pod.metadata.uid.clone(), volume.to_owned(), index));
        let mut known = known.lock().await;
        self.observe_certificate(pod, view, &mut known);
        if known.is_due(self.clock.now()) {
            let (key, name) = self.ask_certificate(pod, wanted).await?;
            known.ask(key, name, self.clock.now(), self.spread());
        }
        let waits = |known: &Certificate| matches!(known.bundle(), Err(PayloadError::NotIssued));
        let issued = async {
            let mut changes = view.raw().changed();
            while waits(&known) && changes.changed().await.is_ok() {
                self.observe_certificate(pod, view, &mut known);
            }
        };
        // Whoever issues it may be about to; if not, the pod's event says what it waits for, and it is looked at again.
        let _ = timeout(self.clock.as_ref(), limits::CERTIFICATE_ISSUE, issued).await;
        Ok(known.bundle()?.clone())
    }

    async fn certificate_requests(&self) -> Result<&View<PodCertificateRequest>, AgentError> {
        let scope = Scope {
            fields: fields::Selector::equal("spec.nodeName", self.config.node_name.clone()),
            ..Scope::all(REQUESTS)
        };
        let open = async || Ok::<_, AgentError>(View::new(self.calls.view(scope).await?));
        self.certificates.requests.get_or_try_init(open).await
    }

    /// Up to five minutes, as kubelet has it: so that certificates which were made together are not renewed together.
    fn spread(&self) -> Duration {
        let mut drawn = [0; 4];
        self.random.fill(&mut drawn);
        limits::CERTIFICATE_SPREAD.mul_f64(f64::from(u32::from_ne_bytes(drawn)) / f64::from(u32::MAX))
    }

    fn observe_certificate(&self, pod: &Pod, view: &View<PodCertificateRequest>, known: &mut Certificate) {
        let snapshot = view.snapshot();
        let found = known.request().and_then(|name| snapshot.get(&pod.metadata.namespace, name));
        let request = found.and_then(|object| object.downcast_ref::<PodCertificateRequest>());
        for (reason, message) in known.observe(request, self.clock.now(), self.spread()) {
            self.events.pod(pod, Kind::Warning, reason, message);
        }
    }

    /// Makes a key and a request for it; answers the key and the request's name.
    async fn ask_certificate(
        &self,
        pod: &Pod,
        wanted: &PodCertificateProjection,
    ) -> Result<(String, String), AgentError> {
        let (meta, account) = (&pod.metadata, node_pod::container::account(pod));
        let account = self.calls.get::<ServiceAccount>(SERVICE_ACCOUNTS, &meta.namespace, account).await?;
        let node = self.calls.get::<Node>(NODES, "", &self.config.node_name).await?;
        let key_type = wanted.key_type.clone();
        let (key, proof) = crate::core::blocking(move || key_and_proof(&key_type)).await?;
        let mut request = PodCertificateRequest::default();
        request.metadata.namespace.clone_from(&meta.namespace);
        request.metadata.generate_name = "req-".to_owned();
        request.metadata.owner_references = vec![OwnerReference {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            name: meta.name.clone(),
            uid: meta.uid.clone(),
            ..OwnerReference::default()
        }];
        let spec = &mut request.spec;
        spec.signer_name.clone_from(&wanted.signer_name);
        spec.pod_name.clone_from(&meta.name);
        spec.pod_uid.clone_from(&meta.uid);
        spec.service_account_name = account.metadata.name;
        spec.service_account_uid = account.metadata.uid;
        spec.node_name.clone_from(&self.config.node_name);
        spec.node_uid = node.metadata.uid;
        spec.max_expiration_seconds = wanted.max_expiration_seconds;
        spec.stub_pkcs10_request = Some(proof.into());
        spec.unverified_user_annotations.clone_from(&wanted.user_annotations);
        let made = self.calls.create(REQUESTS, (&meta.namespace, "", ""), request).await?;
        Ok((key, made.metadata.name))
    }
}
