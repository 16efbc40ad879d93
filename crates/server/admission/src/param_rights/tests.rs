//! Who may write policies and bindings with which parameters.

use api_types::admissionregistration::v1::ValidatingAdmissionPolicyBindingSpec;
use base::random::SystemRandom;
use base::time::SystemClock;
use client::{Resource, WriteOptions};
use server_registry::admit::{Everything, Notes, Options};
use server_registry::{Catalog, Registry, Shared};
use store::MemoryStore;

use super::*;
use crate::{BINDINGS, MUTATING_BINDINGS, Stored};

/// A plugin before which jane may get the ConfigMap `limits` of `shop` and list all, and joe may read all ConfigMaps.
async fn plugin(policies: Vec<ValidatingAdmissionPolicy>) -> ParamRights {
    let shared = Shared {
        store: Arc::new(MemoryStore::new()),
        catalog: Catalog::new(),
        gates: api_kind::Gates::default(),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
    };
    let registry = Registry::new(Arc::new(shared), Arc::new(Everything));
    let served = registry.catalog().find(&POLICIES.group, "v1", &POLICIES.plural).expect("served");
    for policy in policies {
        let options = WriteOptions::default();
        let made = registry.create(served, &Caller::default(), "", Box::new(policy), &options).await;
        made.map(drop).expect("it can be made");
    }
    let stored = Arc::new(Stored::new(registry.clone()));
    let authorizer: Authorizer = Arc::new(|asked| {
        let about = (asked.api_group, asked.api_version, asked.resource) == ("", "v1", "configmaps");
        match asked.user {
            "jane" if about => asked.verb == "list" || (asked.namespace, asked.name) == ("shop", "limits"),
            "joe" => about,
            _ => false,
        }
    });
    ParamRights::new(stored.clone(), stored, authorizer)
}

fn kind(api_version: &str, kind: &str) -> Option<Box<ParamKind>> {
    Some(Box::new(ParamKind { api_version: api_version.into(), kind: kind.into() }))
}

fn policy(name: &str, of: Option<Box<ParamKind>>) -> ValidatingAdmissionPolicy {
    let text = format!(
        r#"{{"metadata":{{"name":"{name}"}},"spec":{{"validations":[{{"expression":"true"}}],"matchConstraints":{{
        "resourceRules":[{{"apiGroups":[""],"apiVersions":["v1"],"operations":["CREATE"],"resources":["pods"]}}]}}}}}}"#
    );
    let mut policy = ValidatingAdmissionPolicy::default();
    let limits = api_codec::limits::Limits::RESPONSE;
    api_codec::json::decode(text.as_bytes(), &mut policy, None, limits).expect("well-formed");
    policy.spec.param_kind = of;
    policy
}

fn binding(policy: &str, name: &str) -> ValidatingAdmissionPolicyBinding {
    let mut binding = ValidatingAdmissionPolicyBinding::default();
    let params = ParamRef { name: name.into(), namespace: "shop".into(), ..ParamRef::default() };
    binding.spec = ValidatingAdmissionPolicyBindingSpec {
        policy_name: policy.into(),
        param_ref: Some(Box::new(params)),
        ..Default::default()
    };
    binding
}

async fn refusal(
    plugin: &ParamRights,
    user: &str,
    resource: Resource,
    object: &dyn Record,
    old: Option<&dyn Record>,
) -> Option<String> {
    let attributes = Attributes {
        caller: &Caller::new(user, if user == "root" { &[PRIVILEGED_GROUP] } else { &["staff", "dev"] }),
        operation: if old.is_some() { Operation::Update } else { Operation::Create },
        resource,
        subresource: "",
        namespace: "",
        name: "x",
        dry_run: false,
        options: Options::None,
        notes: Notes::default(),
    };
    let judged = plugin.validate(&attributes, Some(object), old).await;
    judged.err().map(|status| {
        assert_eq!((status.code, status.reason.as_str()), (422, "Invalid"));
        status.into_inner().message
    })
}

#[tokio::test]
async fn whoever_writes_a_policy_with_parameters_may_read_all_of_their_kind() {
    let plugin = plugin(Vec::new()).await;
    let of = |kind| policy("x", kind);
    let refused = |user: &str, kind: &str, version: &str| {
        format!(
            "ValidatingAdmissionPolicy.admissionregistration.k8s.io \"x\" is invalid: spec.paramKind: Forbidden: user \
             &{{{user}  [staff dev] map[]}} must have \"get\" permission on all objects of the referenced paramKind \
             (kind={kind}, apiVersion={version})"
        )
    };
    for (user, kind, why) in [
        ("jane", None, None),
        ("joe", kind("v1", "ConfigMap"), None),
        ("root", kind("v1", "Secret"), None),
        ("jane", kind("v1", "ConfigMap"), Some(refused("jane", "ConfigMap", "v1"))),
        ("joe", kind("shop.example.com/v1", "Limit"), Some(refused("joe", "Limit", "shop.example.com/v1"))),
    ] {
        assert_eq!(refusal(&plugin, user, POLICIES, &of(kind), None).await, why, "{user}");
    }
    // Of a policy that had these before, somebody else may change something else.
    let new = of(kind("v1", "ConfigMap"));
    assert_eq!(refusal(&plugin, "jane", POLICIES, &new, Some(&new.clone())).await, None);
    assert!(refusal(&plugin, "jane", POLICIES, &new, Some(&of(None))).await.is_some());
}

#[tokio::test]
async fn whoever_binds_a_policy_may_read_the_parameters_that_it_is_bound_to() {
    let with = |name: &str, of| policy(name, of);
    let policies = vec![with("maps", kind("v1", "ConfigMap")), with("odd", kind("example.com/v1", "Limit"))];
    let plugin = plugin(policies).await;
    let prefix = "ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io \"x\" is invalid: spec.paramRef: \
                  Forbidden: ";
    let jane = "user &{jane  [staff dev] map[]} does not have";
    for (policy, name, why) in [
        ("maps", "limits", None),
        ("maps", "", None),
        ("maps", "other", Some(format!("{jane} \"get\" permission on the object referenced by paramRef"))),
        (
            "odd",
            "limits",
            Some(format!(
                "unable to resolve paramKind &{{example.com/v1 Limit}} to determine minimum required permissions and \
                 {jane} \"get\" permission for all groups, versions and resources"
            )),
        ),
        (
            "none",
            "",
            Some(format!(
                "unable to get policy none to determine minimum required permissions and {jane} \"list\" permission \
                 for all groups, versions and resources"
            )),
        ),
    ] {
        let why = why.map(|why| format!("{prefix}{why}"));
        let binding = binding(policy, name);
        assert_eq!(refusal(&plugin, "jane", BINDINGS, &binding, None).await, why, "{policy} {name}");
        assert_eq!(refusal(&plugin, "root", BINDINGS, &binding, None).await, None);
    }
    let unbound = ValidatingAdmissionPolicyBinding::default();
    assert_eq!(refusal(&plugin, "nobody", BINDINGS, &unbound, None).await, None);
    let same = binding("maps", "other");
    assert!(refusal(&plugin, "jane", BINDINGS, &same, Some(&same.clone())).await.is_some(), "as upstream");
}

#[tokio::test]
async fn bindings_of_policies_that_mutate_are_refused_in_upstream_s_own_words() {
    let plugin = plugin(Vec::new()).await;
    let mut binding = MutatingAdmissionPolicyBinding::default();
    binding.spec.policy_name = "p".into();
    binding.spec.param_ref = Some(Box::new(ParamRef { name: "a".into(), ..ParamRef::default() }));
    let refused = refusal(&plugin, "jane", MUTATING_BINDINGS, &binding, None).await.expect("refused");
    assert!(refused.contains("unable to get policy p to determine"), "{refused}");
}
