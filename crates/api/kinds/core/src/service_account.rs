//! Service accounts.

use api_kind::{Column, Ctx, Kind};
use api_types::core::v1::{ObjectReference, ServiceAccount};

/// The row.
pub const KIND: Kind<ServiceAccount> = Kind::<ServiceAccount>::of("", "v1", "serviceaccounts")
    .prepare(prepare)
    .warnings(warnings)
    .columns(&[Column::<ServiceAccount>::name(), Column::<ServiceAccount>::age()]);

/// Of a reference to a secret only the name counts.
fn prepare(_: &Ctx<'_>, account: &mut ServiceAccount, _: Option<&ServiceAccount>) {
    for secret in &mut account.secrets {
        *secret = ObjectReference { name: std::mem::take(&mut secret.name), ..ObjectReference::default() };
    }
}

const MOUNTABLE: &str = "kubernetes.io/enforce-mountable-secrets";

fn warnings(_: &Ctx<'_>, account: &ServiceAccount, old: Option<&ServiceAccount>) -> Vec<String> {
    let set = |account: &ServiceAccount| account.metadata.annotations.contains_key(MOUNTABLE);
    let newly = set(account) && !old.is_some_and(set);
    let warning = format!(
        "metadata.annotations[{MOUNTABLE}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"
    );
    newly.then_some(warning).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    #[test]
    fn references_to_secrets_are_names() {
        let made = create(&KIND, "secrets: [{name: a, namespace: b, kind: Secret}]");
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.body(), r#"{"metadata":{},"secrets":[{"name":"a"}]}"#);
        assert_eq!(made.cells(&KIND), "x|<unknown>");
    }
}
