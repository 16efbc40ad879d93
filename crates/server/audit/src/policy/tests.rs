//! Which requests a policy has logged how, and what a policy may not say.

use client::trail::Level;
use server_authz::Attributes;

use super::{Policy, Stage};

fn policy(rules: &str) -> Policy {
    let text = format!("apiVersion: audit.k8s.io/v1\nkind: Policy\n{rules}");
    Policy::read(text.as_bytes()).expect("a policy").0
}

/// A request: who, what and where, as `verb resource/sub namespace/name`, or `verb /path`.
fn asked(policy: &Policy, user: &str, groups: &[&str], request: &str) -> Level {
    let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
    let of = Attributes::of(user, &groups);
    let (verb, rest) = request.split_once(' ').expect("a verb");
    if rest.starts_with('/') {
        return policy.verdict(&of.at(verb, rest)).level;
    }
    let (resource, place) = rest.split_once(' ').unwrap_or((rest, "/"));
    let (namespace, name) = place.split_once('/').expect("a place");
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
    let of = Attributes { subresource, namespace, name, ..of.on(verb, group, resource) };
    policy.verdict(&of).level
}

#[test]
fn the_first_rule_that_fits_decides() {
    let own = policy(
        "rules:
- {level: None, users: [system:kube-proxy], verbs: [watch], resources: [{group: '', resources: [endpoints, services]}]}
- {level: None, userGroups: [system:nodes], nonResourceURLs: ['/healthz*', /version]}
- {level: Request, resources: [{group: '', resources: [pods/log]}, {group: apps, resources: ['*/scale']}]}
- {level: Metadata, resources: [{group: '', resources: ['pods/*', secrets]}]}
- {level: RequestResponse, namespaces: [kube-system], resources: [{group: apps}]}
- {level: Request, resources: [{group: '', resources: [configmaps], resourceNames: [limits]}]}
- {level: Metadata, namespaces: [''], resources: [{group: '*', resources: ['*']}]}
- {level: Request, nonResourceURLs: ['*']}
",
    );
    for (user, request, level) in [
        ("system:kube-proxy", "watch services", Level::None),
        ("system:kube-proxy", "watch services/status", Level::Metadata),
        ("node", "get /healthz/ping", Level::None),
        ("node", "get /version", Level::None),
        ("node", "get /version/x", Level::Request),
        ("jane", "get /version", Level::Request),
        ("jane", "get pods/log a/b", Level::Request),
        ("jane", "get pods/exec a/b", Level::Metadata),
        // The whole resource counts as its parts' here, as upstream has it.
        ("jane", "get pods a/b", Level::Metadata),
        ("jane", "update deployments.apps/scale a/b", Level::Request),
        ("jane", "update deployments.apps kube-system/b", Level::RequestResponse),
        ("jane", "update deployments.apps a/b", Level::None),
        ("jane", "update configmaps a/limits", Level::Request),
        ("jane", "update configmaps a/other", Level::None),
        ("jane", "get nodes /n", Level::Metadata),
    ] {
        let groups: &[&str] = if user == "node" { &["a", "system:nodes"] } else { &["a"] };
        assert_eq!(asked(&own, user, groups, request), level, "{user} {request}");
    }
}

#[test]
fn stages_are_left_out_by_the_policy_and_by_the_rule() {
    let own = policy(
        "omitStages: [RequestReceived]
omitManagedFields: true
rules: [{level: Metadata, users: [a], omitStages: [Panic], omitManagedFields: false}, {level: Request}]",
    );
    let groups = Vec::new();
    let of = |user| own.verdict(&Attributes::of(user, &groups).on("get", "", "pods"));
    let told = |user| Stage::ALL.map(|stage| of(user).tells(stage));
    assert_eq!((told("a"), of("a").omit_managed_fields), ([false, true, true, false], false));
    assert_eq!((told("b"), of("b").omit_managed_fields), ([false, true, true, true], true));
    let silent = policy("rules: [{level: Metadata, users: [a]}]");
    let verdict = silent.verdict(&Attributes::of("b", &groups));
    assert!(Stage::ALL.iter().all(|stage| !verdict.tells(*stage)));
}

#[test]
fn what_no_policy_may_say_is_refused_in_upstream_s_words() {
    let head = "apiVersion: audit.k8s.io/v1\nkind: Policy\n";
    for (text, why) in [
        (
            "apiVersion: audit.k8s.io/v1beta1\nkind: Policy",
            "unknown group version field audit.k8s.io/v1beta1, Kind=Policy in policy",
        ),
        (head, "loaded illegal policy with 0 rules"),
        (&format!("{head}rules: [{{}}]"), "rules[0].level: Required value"),
        (
            &format!("{head}rules: [{{level: All}}]"),
            "rules[0].level: Unsupported value: \"All\": supported values: \"None\", \"Metadata\", \"Request\", \"RequestResponse\"",
        ),
        (
            &format!("{head}omitStages: [Begun]\nrules: [{{level: None}}]"),
            "omitStages[0]: Invalid value: \"Begun\": allowed stages are RequestReceived,ResponseStarted,ResponseComplete,Panic",
        ),
        (
            &format!("{head}rules: [{{level: None, nonResourceURLs: [healthz, '/a*b']}}]"),
            "[rules[0].nonResourceURLs[0]: Invalid value: \"healthz\": non-resource URL rules must begin with a '/' character, \
             rules[0].nonResourceURLs[1]: Invalid value: \"/a*b\": non-resource URL wildcards '*' must be the final character of \
             the rule]",
        ),
        (
            &format!("{head}rules: [{{level: None, nonResourceURLs: ['/a'], namespaces: [b]}}]"),
            "rules[0].nonResourceURLs: Invalid value: [\"/a\"]: rules cannot apply to both regular resources and non-resource URLs",
        ),
        (
            &format!("{head}rules: [{{level: None, resources: [{{resourceNames: [a]}}]}}]"),
            "rules[0].resources.resourceNames: Invalid value: [\"a\"]: using resourceNames requires at least one resource",
        ),
        (&format!("{head}rules: [{{level: None, users: 5}}]"), "failed decoding: users must be a list"),
    ] {
        let refused = Policy::read(text.as_bytes()).expect_err("it is wrong");
        assert_eq!(refused.to_string(), why, "{text}");
    }
    let (_, unknown) =
        Policy::read(format!("{head}rules: [{{level: None, user: [a]}}]").as_bytes()).expect("it is read");
    assert_eq!(unknown, ["unknown field \"user\" of a rule"]);
}
