//! Volumes that show what signers give: trust bundles of the cluster, and certificates of the pod's own.

use std::time::Duration;

use api_record::scalar;
use api_types::certificates::v1::{ClusterTrustBundle, PodCertificateRequest};
use api_types::core::v1::{
    ClusterTrustBundleProjection, Container, Pod, PodCertificateProjection, ProjectedVolumeSource,
    ServiceAccount, VolumeProjection,
};
use api_types::meta::v1::{Condition, LabelSelector};
use base::time::{Clock, SystemClock};
use client::Resource;

use crate::lab::{Lab, container, pod};
use crate::shown::{follow, hear, mount, running, volume};

const BUNDLES: Resource = Resource::of("certificates.k8s.io", "v1", "clustertrustbundles");
const REQUESTS: Resource = Resource::of("certificates.k8s.io", "v1", "podcertificaterequests");
const ACCOUNTS: Resource = Resource::of("", "v1", "serviceaccounts");

/// Not certificates: what is in a bundle is the API's affair.
const ONE: &str = "-----BEGIN CERTIFICATE-----\nb25l\n-----END CERTIFICATE-----\n";
const TWO: &str = "-----BEGIN CERTIFICATE-----\ndHdv\n-----END CERTIFICATE-----\n";

fn bundle(name: &str, signer: &str, text: &str) -> ClusterTrustBundle {
    let mut bundle = ClusterTrustBundle::default();
    bundle.metadata.name = name.into();
    bundle.spec.signer_name = signer.into();
    bundle.spec.trust_bundle = text.into();
    bundle
}

fn trusted(projection: ClusterTrustBundleProjection) -> VolumeProjection {
    VolumeProjection { cluster_trust_bundle: Some(Box::new(projection)), ..VolumeProjection::default() }
}

/// A pod that says what the sources of its one volume show, whenever that is something else.
fn shows(script: &str, sources: Vec<VolumeProjection>) -> Pod {
    let script = format!(
        "while :; do v=\"$({script})\"; [ \"$v\" != \"$old\" ] && echo \"$v\" && old=$v; done 2>/dev/null"
    );
    let main = Container { volume_mounts: vec![mount("v")], ..container("main", &script) };
    let mut one = pod("p", "Never", vec![main]);
    one.spec.termination_grace_period_seconds = Some(1);
    one.spec.volumes = vec![volume("v", |source| {
        source.projected =
            Some(Box::new(ProjectedVolumeSource { sources: sources.into(), ..Default::default() }));
    })];
    one
}

async fn end(lab: &Lab) {
    lab.delete("p").await;
    lab.api.until("its deletion", |api| api.gone("p")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trust_bundles_are_shown_and_followed() {
    let lab = Lab::new();
    lab.api.put(&BUNDLES, bundle("one", "", ONE));
    lab.api.put(&BUNDLES, bundle("a.b:c:2", "a.b/c", TWO));
    let agent = lab.start().await;
    let named = ClusterTrustBundleProjection {
        name: Some("one".into()),
        path: "named".into(),
        ..ClusterTrustBundleProjection::default()
    };
    let signed = ClusterTrustBundleProjection {
        signer_name: Some("a.b/c".into()),
        label_selector: Some(Box::new(LabelSelector::default())),
        path: "signed".into(),
        ..ClusterTrustBundleProjection::default()
    };
    let none = ClusterTrustBundleProjection {
        name: Some("gone".into()),
        optional: Some(true),
        path: "none".into(),
        ..ClusterTrustBundleProjection::default()
    };
    let script = "for f in named signed none; do echo $f $(grep -v -e ---- /v/$f | sort); done | xargs";
    lab.run(shows(script, [named, signed, none].map(trusted).into()));
    lab.api.until("a running pod", running).await;
    let (mut log, mut heard) = (follow(&agent).await, String::new());
    hear(&mut log, &mut heard, "named b25l signed dHdv none").await;
    lab.api.put(&BUNDLES, bundle("one", "", &format!("{TWO}{ONE}{TWO}")));
    lab.api.put(&BUNDLES, bundle("a.b:c:2", "a.b/c", ONE));
    lab.clock.by(Duration::from_secs(60));
    hear(&mut log, &mut heard, "named b25l dHdv signed b25l none").await;
    end(&lab).await;
    agent.stop().await;
    lab.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_waits_for_a_bundle_that_is_not_optional() {
    let lab = Lab::new();
    let agent = lab.start().await;
    let missing = ClusterTrustBundleProjection {
        signer_name: Some("a.b/c".into()),
        label_selector: Some(Box::new(LabelSelector::default())),
        path: "signed".into(),
        ..ClusterTrustBundleProjection::default()
    };
    lab.run(shows("grep -v -e ---- /v/signed", vec![trusted(missing)]));
    let wanted = "Warning FailedMount MountVolume.SetUp failed for volume \"v\" : \
         combination of signerName and labelSelector matched zero ClusterTrustBundles";
    lab.api.until("the event", |api| api.events("p").iter().any(|event| event == wanted).then_some(())).await;
    lab.api.put(&BUNDLES, bundle("a.b:c:1", "a.b/c", ONE));
    lab.clock.by(Duration::from_secs(60));
    lab.api.until("a running pod", running).await;
    end(&lab).await;
    agent.stop().await;
    lab.assert_nothing_left();
}

/// Decides a request as its signer would: with a chain that says nothing, to be renewed after half an hour.
fn decide(lab: &Lab, mut request: PodCertificateRequest, how: &str, chain: &str) {
    let now = lab.clock.now().unix_seconds();
    request.status.conditions = vec![Condition {
        type_: how.into(),
        status: "True".into(),
        reason: "Test".into(),
        message: "as it likes".into(),
        ..Condition::default()
    }];
    request.status.certificate_chain = chain.into();
    request.status.begin_refresh_at = Some(scalar::Time { seconds: now + 1800 });
    request.status.not_after = Some(scalar::Time { seconds: now + 3600 });
    lab.api.put(&REQUESTS, request);
}

/// Waits for what happens at one of the next looks at the volumes, whenever those are.
async fn while_time_passes<T>(lab: &Lab, happens: impl Future<Output = T>) -> T {
    let mut happens = std::pin::pin!(happens);
    loop {
        tokio::select! {
            happened = &mut happens => return happened,
            () = SystemClock.sleep(Duration::from_secs(1)) => lab.clock.by(Duration::from_secs(60)),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_asked_for_shown_and_renewed() {
    let lab = Lab::new();
    let agent = lab.start().await;
    let mut account = ServiceAccount::default();
    account.metadata.name = "default".into();
    account.metadata.namespace = "default".into();
    lab.api.put(&ACCOUNTS, account);
    let wanted = PodCertificateProjection {
        signer_name: "a.b/c".into(),
        key_type: "ECDSAP256".into(),
        max_expiration_seconds: Some(3600),
        credential_bundle_path: "bundle".into(),
        key_path: "key".into(),
        certificate_chain_path: "chain".into(),
        user_annotations: [("a.b/x".to_owned(), "y".to_owned())].into(),
        ..PodCertificateProjection::default()
    };
    let source = VolumeProjection { pod_certificate: Some(Box::new(wanted)), ..VolumeProjection::default() };
    let script = "cat /v/key /v/chain | cmp -s - /v/bundle && echo $(grep -c PRIVATE /v/key) $(grep -v -e ---- /v/chain)";
    lab.run(shows(script, vec![source]));
    let first = lab.api.until("a request", |api| api.certificate_requests().pop()).await;
    let spec = &first.spec;
    assert_eq!(
        [&spec.signer_name, &spec.pod_name, &spec.pod_uid, &spec.service_account_name, &spec.node_name],
        ["a.b/c", "p", "p-uid", "default", "n1"]
    );
    assert!(!spec.service_account_uid.is_empty() && !spec.node_uid.is_empty());
    assert_eq!(
        (spec.max_expiration_seconds, &spec.unverified_user_annotations["a.b/x"][..]),
        (Some(3600), "y")
    );
    assert_eq!(
        (&first.metadata.generate_name[..], &first.metadata.owner_references[0].name[..]),
        ("req-", "p")
    );
    // Its proof is read by whom it is for.
    let proof = spec.stub_pkcs10_request.as_ref().unwrap();
    let proof = rcgen::CertificateSigningRequestParams::from_der(&proof[..].to_vec().into()).unwrap();
    assert_eq!(proof.params.distinguished_name.iter().count(), 0);
    decide(&lab, first, "Issued", &format!("words\n{ONE}"));
    lab.api.until("a running pod", running).await;
    let (mut log, mut heard) = (follow(&agent).await, String::new());
    hear(&mut log, &mut heard, "2 b25l").await;
    // Up to five minutes after its time another one is asked for.
    assert_eq!(lab.api.certificate_requests().len(), 1);
    lab.clock.by(Duration::from_secs(2160));
    let asked = lab.api.until("another", |api| api.certificate_requests().into_iter().nth(1));
    let second = while_time_passes(&lab, asked).await;
    decide(&lab, second, "Issued", TWO);
    while_time_passes(&lab, hear(&mut log, &mut heard, "2 dHdv")).await;
    end(&lab).await;
    agent.stop().await;
    lab.assert_nothing_left();
}
