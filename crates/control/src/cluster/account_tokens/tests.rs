//! What Secrets hold, and what becomes of them and of who names them.

use api_types::core::v1::ObjectReference;
use client::Revision;
use client::reconcile::Op;

use super::*;

struct Named;

impl TokenSigner for Named {
    fn sign(&self, account: &ServiceAccount, secret: &str) -> Result<String, String> {
        match account.metadata.uid.as_str() {
            "" => Err("no key".to_owned()),
            uid => Ok(format!("{secret} of {uid}")),
        }
    }
}

fn account(uid: &str, secrets: &[&str]) -> ServiceAccount {
    let mut account = ServiceAccount::default();
    (account.metadata.namespace, account.metadata.name) = ("shop".into(), "app".into());
    account.metadata.uid = uid.into();
    let reference = |name: &&str| ObjectReference { name: (*name).into(), ..ObjectReference::default() };
    account.secrets = secrets.iter().map(reference).collect();
    account
}

fn secret(type_: &str, uid: &str, data: &[(&str, &str)]) -> Secret {
    let mut secret = Secret { type_: type_.into(), ..Secret::default() };
    (secret.metadata.namespace, secret.metadata.name) = ("shop".into(), "app-token".into());
    secret.metadata.annotations.insert(ACCOUNT.into(), "app".into());
    if !uid.is_empty() {
        secret.metadata.annotations.insert(ACCOUNT_UID.into(), uid.into());
    }
    secret.data = data.iter().map(|(key, value)| ((*key).into(), value.as_bytes().to_vec().into())).collect();
    secret
}

fn plan(uid: &str, secrets: Vec<Secret>, accounts: Vec<ServiceAccount>) -> Plan {
    let world = World::default().with(secrets, Revision(1)).with(accounts, Revision(1));
    let key =
        Key { namespace: "shop".into(), secret: "app-token".into(), account: "app".into(), uid: uid.into() };
    AccountTokens::new(Arc::new(Named), "ca").plan(&key, &world, Time::EPOCH)
}

#[test]
fn a_secret_holds_a_token_its_namespace_and_who_the_server_is() {
    let whole = [("token", "mine"), ("ca.crt", "ca"), ("namespace", "shop")];
    let stale = [("token", "mine"), ("ca.crt", "old"), ("namespace", "shop")];
    let new = vec![("ca.crt", "ca"), ("namespace", "shop"), ("token", "app-token of u1")];
    let kept = vec![("ca.crt", "ca"), ("namespace", "shop"), ("token", "mine")];
    for (name, uid, data, expected) in [
        ("empty", "", &[][..], Some(new.clone())),
        ("empty, of this account", "u1", &[][..], Some(new)),
        ("whole", "u1", &whole[..], None),
        ("of an old authority", "u1", &stale[..], Some(kept)),
    ] {
        let plan = plan(uid, vec![secret(TYPE, uid, data)], vec![account("u1", &[])]);
        let filled = plan.writes().next().map(|write| write.object::<Secret>().expect("a Secret").clone());
        let held = filled.as_ref().map(|filled| {
            assert_eq!(filled.metadata.annotations[ACCOUNT_UID], "u1", "{name}");
            let text = |data: &[u8]| String::from_utf8(data.to_vec()).expect("text");
            filled.data.iter().map(|(key, data)| (key.clone(), text(data))).collect::<Vec<_>>()
        });
        let expected = expected.map(|all| {
            all.into_iter().map(|(key, text)| (key.to_owned(), text.to_owned())).collect::<Vec<_>>()
        });
        assert_eq!(held, expected, "{name}");
    }
    let refused = plan("", vec![secret(TYPE, "", &[])], vec![account("", &[])]);
    assert_eq!(refused.failure.map(|status| status.message.contains("no key")), Some(true));
}

#[test]
fn a_secret_goes_with_its_account_and_an_account_names_no_secret_that_has_gone() {
    let named = || vec![account("u1", &["app-token", "other"])];
    for (name, uid, secrets, accounts, expected) in [
        ("no account", "u1", vec![secret(TYPE, "u1", &[])], vec![], vec!["delete secrets shop/app-token"]),
        (
            "another account by that name",
            "u1",
            vec![secret(TYPE, "u1", &[])],
            vec![account("u2", &[])],
            vec!["delete secrets shop/app-token"],
        ),
        ("no Secret", "u1", vec![], named(), vec!["update serviceaccounts shop/app"]),
        ("no Secret, another account", "u2", vec![], named(), vec![]),
        ("no Secret, not named", "u1", vec![], vec![account("u1", &["other"])], vec![]),
        ("neither", "u1", vec![], vec![], vec![]),
        ("another Secret by that name", "u2", vec![secret(TYPE, "u1", &[])], named(), vec![]),
    ] {
        let plan = plan(uid, secrets, accounts);
        assert_eq!(plan.describe(), expected, "{name}");
        for write in plan.writes() {
            assert!(matches!(&write.guards[..], [Guard::Absent(..)]), "{name}");
            if let Op::Update(..) = &write.op {
                let left = &write.object::<ServiceAccount>().expect("an account").secrets;
                assert_eq!(left.iter().map(|own| own.name.as_str()).collect::<Vec<_>>(), ["other"], "{name}");
            }
        }
    }
}
