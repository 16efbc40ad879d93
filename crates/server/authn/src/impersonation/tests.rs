//! What headers ask for, and what must be allowed for it.

use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        map.append(name, HeaderValue::from_str(value).expect("a value"));
    }
    map
}

fn wanted(pairs: &[(&str, &str)]) -> Wanted {
    parse(&headers(pairs)).expect("sensible").expect("somebody")
}

/// Each step in short: `verb resource[/subresource] [namespace/]name`, `?` before a shortcut, `!` before a refusal.
fn steps(attempt: &Attempt) -> Vec<String> {
    let show = |check: &Check| {
        let group = if check.group.is_empty() { "" } else { "authn " };
        let sub =
            if check.subresource.is_empty() { String::new() } else { format!("/{}", check.subresource) };
        let namespace =
            if check.namespace.is_empty() { String::new() } else { format!("{}/", check.namespace) };
        format!("{group}{} {}{sub} {namespace}{}", check.verb, check.resource, check.name)
    };
    let mut out = Vec::new();
    for step in &attempt.steps {
        match step {
            Step::Request { verb } => out.push(verb.clone()),
            Step::All { shortcut, each } => {
                out.extend(shortcut.iter().map(|check| format!("? {}", show(check))));
                out.extend(each.iter().map(show));
            }
            Step::Refuse { message, .. } => out.push(format!("! {message}")),
        }
    }
    out
}

#[test]
fn nobody_is_asked_for_without_headers() {
    assert_eq!(parse(&headers(&[("accept", "*/*")])), Ok(None));
    for (pairs, want) in [
        (
            &[("Impersonate-Group", "g"), ("Impersonate-Group", "h")][..],
            r#"requested &user.DefaultInfo{Name:"", UID:"", Groups:[]string{"g", "h"}, Extra:map[string][]string(nil)} without impersonating a user name"#,
        ),
        (
            &[("Impersonate-Uid", "7"), ("Impersonate-Extra-a.b%2Fc", "d")],
            r#"requested &user.DefaultInfo{Name:"", UID:"7", Groups:[]string(nil), Extra:map[string][]string{"a.b/c":[]string{"d"}}} without impersonating a user name"#,
        ),
    ] {
        assert_eq!(parse(&headers(pairs)).expect_err("no name").to_string(), want);
    }
    let many: Vec<_> = std::iter::repeat_n(("Impersonate-Group", "g"), IMPERSONATION_MAX_VALUES + 1)
        .chain([("Impersonate-User", "u")])
        .collect();
    assert_eq!(parse(&headers(&many)), Err(ImpersonationError::TooMany));
}

#[test]
fn a_user_is_tried_constrained_and_then_as_of_old() {
    let wanted = wanted(&[
        ("Impersonate-User", "jane"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "dev"),
        ("Impersonate-Extra-Example.com%2FScopes", "view"),
        ("Impersonate-Extra-bad%zz", "x"),
    ]);
    assert_eq!(wanted.user.extra.keys().collect::<Vec<_>>(), ["bad%zz", "example.com/scopes"]);
    let mut wanted = wanted;
    wanted.user.extra.remove("bad%zz");
    let attempts = wanted.attempts(&Caller::new("admin", &["g"]), "create");
    assert_eq!(
        attempts.iter().map(|attempt| attempt.mode).collect::<Vec<_>>(),
        [Mode::UserInfo, Mode::Legacy]
    );
    assert_eq!(
        steps(&attempts[0]),
        [
            "impersonate-on:user-info:create",
            "authn impersonate:user-info users jane",
            "authn impersonate:user-info uids 7",
            "authn impersonate:user-info groups dev",
            "authn impersonate:user-info userextras/example.com/scopes view",
        ]
    );
    assert_eq!(
        steps(&attempts[1]),
        [
            "impersonate users jane",
            "authn impersonate uids 7",
            "impersonate groups dev",
            "authn impersonate userextras/example.com/scopes view",
        ]
    );
    assert_eq!(attempts[1].user.groups, ["dev", "system:authenticated"]);
    assert_eq!(attempts[0].mode.constraint(), "impersonate:user-info");
    assert_eq!(attempts[1].mode.constraint(), "");
}

#[test]
fn constrained_modes_refuse_what_the_old_one_does_not() {
    let refusal = |pairs: &[(&str, &str)]| {
        let mut all = vec![("Impersonate-User", "jane")];
        all.extend(pairs);
        steps(&wanted(&all).attempts(&Caller::default(), "get")[0]).pop().expect("a step")
    };
    assert_eq!(
        refusal(&[("Impersonate-Group", "system:masters")]),
        "! impersonating the system:masters group is not allowed"
    );
    assert_eq!(
        refusal(&[("Impersonate-Group", "")]),
        "! impersonating the empty string group is not allowed"
    );
    assert_eq!(
        refusal(&[("Impersonate-Extra-a.b%2Fc", "")]),
        "! impersonating the empty string value in extra is not allowed"
    );
    assert!(
        refusal(&[("Impersonate-Extra-scopes", "x")])
            .starts_with("! impersonating an invalid key in extra is not allowed")
    );
    assert_eq!(
        refusal(&[("Impersonate-Extra-", "x")]),
        "! impersonating the empty string key in extra is not allowed"
    );
}

#[test]
fn many_values_are_first_asked_for_at_once() {
    let wanted = wanted(&[
        ("Impersonate-User", "jane"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
        ("Impersonate-Group", "c"),
        ("Impersonate-Group", "d"),
    ]);
    let attempts = wanted.attempts(&Caller::default(), "get");
    assert_eq!(steps(&attempts[0])[2], "? authn impersonate:user-info groups *");
    assert_eq!(steps(&attempts[1])[1], "impersonate groups a");
}

#[test]
fn nodes_and_service_accounts_have_modes_of_their_own() {
    let mut agent = Caller::new("system:serviceaccount:kube-system:agent", &["system:serviceaccounts"]);
    agent.extra.insert(NODE_NAME.to_owned(), vec!["n1".to_owned()]);
    let attempts = wanted(&[("Impersonate-User", "system:node:n1")]).attempts(&agent, "list");
    let modes: Vec<_> = attempts.iter().map(|attempt| attempt.mode).collect();
    assert_eq!(modes, [Mode::AssociatedNode, Mode::ArbitraryNode, Mode::Legacy]);
    assert_eq!(
        steps(&attempts[0]),
        ["impersonate-on:associated-node:list", "authn impersonate:associated-node nodes *"]
    );
    assert_eq!(steps(&attempts[1])[1], "authn impersonate:arbitrary-node nodes n1");
    assert_eq!(steps(&attempts[2]), ["impersonate users system:node:n1"]);
    assert_eq!(attempts[0].user.groups, ["system:nodes", "system:authenticated"]);
    assert_eq!(attempts[2].user.groups, ["system:authenticated"]);
    let seen = attempts[0].requester.as_ref().expect("replaced");
    assert_eq!(seen.extra["authentication.kubernetes.io/associated-node-keys"], [NODE_NAME]);
    let elsewhere = wanted(&[("Impersonate-User", "system:node:n2")]).attempts(&agent, "list");
    assert_eq!(elsewhere[0].mode, Mode::ArbitraryNode);

    let attempts = wanted(&[("Impersonate-User", "system:serviceaccount:ns:app")]).attempts(&agent, "list");
    assert_eq!(steps(&attempts[0])[1], "authn impersonate:serviceaccount serviceaccounts ns/app");
    assert_eq!(steps(&attempts[1]), ["impersonate serviceaccounts ns/app"]);
    assert_eq!(
        attempts[1].user.groups,
        ["system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated"]
    );
}

#[test]
fn one_group_tells_whether_somebody_was_authenticated() {
    let groups = |pairs: &[(&str, &str)]| {
        wanted(pairs).attempts(&Caller::default(), "get").pop().expect("the old mode").user.groups
    };
    assert_eq!(groups(&[("Impersonate-User", "system:anonymous")]), ["system:unauthenticated"]);
    assert_eq!(
        groups(&[("Impersonate-User", "x"), ("Impersonate-Group", "system:unauthenticated")]),
        ["system:unauthenticated"]
    );
    assert_eq!(
        groups(&[("Impersonate-User", "x"), ("Impersonate-Group", "system:authenticated")]),
        ["system:authenticated"]
    );
}

#[test]
fn the_headers_are_removed() {
    let mut map = headers(&[("Impersonate-User", "x"), ("Impersonate-Extra-a", "b"), ("accept", "*/*")]);
    clear(&mut map);
    assert_eq!(map.len(), 1);
}

proptest! {
    #[test]
    fn garbage_never_panics(user in "[ -~]{0,40}", key in "[a-z%0-9.]{0,20}", value in "[ -~]{0,20}") {
        let name = format!("impersonate-extra-{key}");
        if let Ok(Some(wanted)) = parse(&headers(&[("impersonate-user", &user), (&name, &value), ("impersonate-group", &value)])) {
            let _ = wanted.attempts(&Caller::anonymous(), "get");
        }
    }
}
