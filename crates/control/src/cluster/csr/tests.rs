//! Who gets a certificate without a person's looking, what comes of approved requests, and when they go.

use std::time::Duration;

use api_types::core::v1::{Node, NodeAddress};
use client::Revision;

use super::*;

const NOW: Time = Time::from_unix_seconds(1_000_000);

/// Knows the signers `kubelet`, `serving` and `strict`; of a serving request, the request itself is the list of names.
struct Fake;

impl Signer for Fake {
    fn approvals(&self, request: &CertificateSigningRequestSpec) -> Vec<Approval> {
        let ways = ["selfnodeclient", "nodeclient"];
        let ours = request.signer_name == "kubelet";
        ways.into_iter()
            .filter(|_| ours)
            .map(|subresource| Approval { subresource, message: "fine" })
            .collect()
    }

    fn serving(&self, request: &CertificateSigningRequestSpec) -> Option<Serving> {
        let text = String::from_utf8_lossy(request.request.as_deref()?).into_owned();
        let mut serving = Serving::default();
        for word in text.split(' ') {
            match word.parse() {
                Ok(address) => serving.addresses.push(address),
                Err(_) if serving.user.is_empty() => serving.user = word.to_owned(),
                Err(_) => serving.hosts.push(word.to_owned()),
            }
        }
        (request.signer_name == "serving").then_some(serving)
    }

    fn sign(&self, request: &CertificateSigningRequestSpec, _: Time) -> Option<Result<String, Unsigned>> {
        match request.signer_name.as_str() {
            "kubelet" => Some(Ok("PEM".into())),
            "strict" => Some(Err(Unsigned::Refused("no".into()))),
            "broken" => Some(Err(Unsigned::Failed("not now".into()))),
            _ => None,
        }
    }

    fn end(&self, certificate: &[u8]) -> Option<Time> {
        std::str::from_utf8(certificate).ok()?.parse().ok().map(Time::from_unix_seconds)
    }
}

fn request(signer: &str, conditions: &[&str]) -> CertificateSigningRequest {
    let mut request = CertificateSigningRequest::default();
    request.metadata.name = "r".into();
    request.metadata.creation_timestamp = Some(NOW.into());
    request.spec.signer_name = signer.into();
    request.spec.username = "joiner".into();
    request.status.conditions = conditions.iter().map(|it| condition(it, "", String::new(), NOW)).collect();
    request
}

fn world(request: CertificateSigningRequest) -> World {
    World::default().with([request], Revision(1))
}

fn plan(world: &World) -> Plan {
    CertificateRequests::new(Arc::new(Fake)).plan(&"r".to_owned(), world, NOW)
}

fn asked(plan: &Plan) -> (&str, &str) {
    let [Guard::Allowed(review)] = &plan.stages[0][0].guards[..] else { panic!("a review") };
    let attributes = review.spec.resource_attributes.as_deref().expect("about a resource");
    (&review.spec.user, &attributes.subresource)
}

#[test]
fn a_node_is_approved_by_either_permission() {
    let pending = world(request("kubelet", &[]));
    let first = plan(&pending);
    assert_eq!(first.describe(), ["update certificatesigningrequests.certificates.k8s.io/approval r"]);
    assert_eq!(asked(&first), ("joiner", "selfnodeclient"));
    let refused = client::reconcile::Failure { status: Status::internal_error("no"), write: None };
    assert_eq!(asked(&plan(&pending.after(Some(refused)))), ("joiner", "nodeclient"));
}

#[test]
fn what_is_approved_is_signed_or_said_to_have_failed() {
    let signing = plan(&world(request("kubelet", &["Approved"])));
    let signed: &CertificateSigningRequest = signing.stages[0][0].object().expect("a request");
    assert_eq!(signed.status.certificate.as_deref(), Some(&b"PEM"[..]));
    let failing = plan(&world(request("strict", &["Approved"])));
    let failed: &CertificateSigningRequest = failing.stages[0][0].object().expect("a request");
    assert_eq!(failed.status.conditions[1].reason, "SignerValidationFailure");
    let later = plan(&world(request("broken", &["Approved"])));
    assert!(later.stages.is_empty() && later.failure.is_some());
    for (signer, conditions) in [
        ("other", &["Approved"][..]),
        ("other", &[]),
        ("kubelet", &["Denied"]),
        ("kubelet", &["Approved", "Failed"]),
        ("serving", &[]),
    ] {
        assert!(plan(&world(request(signer, conditions))).stages.is_empty(), "{signer} {conditions:?}");
    }
}

#[test]
fn a_node_gets_a_serving_certificate_of_its_own_names_alone() {
    let mut node = Node::default();
    node.metadata.name = "n".into();
    node.status.addresses = [("InternalIP", "192.0.2.7"), ("ExternalIP", "2001:db8::7"), ("Hostname", "n")]
        .map(|(type_, address)| NodeAddress { type_: type_.into(), address: address.into() })
        .into();
    let cases = [
        ("serving", "system:node:n", "system:nodes", "system:node:n n 192.0.2.7 2001:db8:0::7", true),
        ("serving", "system:node:n", "system:nodes", "system:node:n N", true),
        ("serving", "system:node:n", "system:nodes", "system:node:n n 192.0.2.8", false),
        ("serving", "system:node:n", "system:nodes", "system:node:n m", false),
        ("serving", "system:node:n", "system:nodes", "system:node:m n", false),
        ("serving", "system:node:n", "eve", "system:node:n n", false),
        ("serving", "system:node:m", "system:nodes", "system:node:m n", false),
        ("serving", "eve", "system:nodes", "eve n", false),
        ("kubelet", "system:node:n", "system:nodes", "system:node:n n", false),
    ];
    let decide = |request: CertificateSigningRequest| {
        let world = world(request).with([node.clone()], Revision(1));
        KubeletServing::new(Arc::new(Fake)).plan(&"r".to_owned(), &world, NOW).describe()
    };
    for (signer, user, group, names, approved) in cases {
        let mut request = request(signer, &[]);
        request.spec.username = user.into();
        request.spec.groups = vec![group.to_owned()];
        request.spec.request = Some(Bytes::from(names));
        let wanted: &[&str] = if approved {
            &["update certificatesigningrequests.certificates.k8s.io/approval r"]
        } else {
            &[]
        };
        assert_eq!(decide(request.clone()), wanted, "{user} {group} {names}");
        request.status.conditions.push(condition("Denied", "", String::new(), NOW));
        assert_eq!(decide(request), [""; 0]);
    }
}

#[test]
fn requests_go_when_they_are_done_with() {
    const HOUR: Option<u64> = Some(3600);
    let cases: [(&[&str], &str, Option<u64>); 7] = [
        (&[], "", Some(24 * 3600)),
        (&["Denied"], "", HOUR),
        (&["Approved", "Failed"], "", HOUR),
        (&["Approved"], "9999999", HOUR),
        (&["Approved"], "unreadable", HOUR),
        (&["Approved"], "1000060", Some(60)),
        (&["Approved"], "", None),
    ];
    for (conditions, certificate, life) in cases {
        let mut request = request("kubelet", conditions);
        request.status.certificate = Some(Bytes::from(certificate)).filter(|it| !it.is_empty());
        let world = world(request);
        let at = |now| CertificateCleaner::new(Arc::new(Fake)).plan(&"r".to_owned(), &world, now);
        let Some(life) = life else {
            assert!(at(NOW + PAST).stages.is_empty() && at(NOW).again.is_none());
            continue;
        };
        let end = NOW + Duration::from_secs(life);
        let waiting = at(NOW);
        assert!(waiting.stages.is_empty(), "{conditions:?}");
        assert_eq!(waiting.again, Some(Duration::from_secs(life + 1)), "{conditions:?}");
        assert!(at(end).stages.is_empty());
        let gone = at(end + Duration::from_secs(1)).describe();
        assert_eq!(gone, ["delete certificatesigningrequests.certificates.k8s.io r"]);
    }
}

const PAST: Duration = Duration::from_secs(365 * 24 * 3600);
