//! Accounts that say which secrets their pods may use.

use api_types::core::v1::{Pod, ServiceAccount};

use crate::pod_references::environments;

const ENFORCE: &str = "kubernetes.io/enforce-mountable-secrets";

/// Whether the account's list of secrets is a limit (Go's `strconv.ParseBool`).
pub(super) fn is_enforced(account: &ServiceAccount) -> bool {
    let value = account.metadata.annotations.get(ENFORCE).map_or("", String::as_str);
    matches!(value, "1" | "t" | "T" | "TRUE" | "true" | "True")
}

/// What the pod, or only its ephemeral containers, use that the account does not list.
pub(super) fn fault(account: &ServiceAccount, pod: &Pod, only_ephemeral: bool) -> Option<String> {
    let owner = &account.metadata.name;
    let listed = |secret: &str| account.secrets.iter().any(|known| known.name == secret);
    let refused = |what: String, secret: &str| {
        format!(
            "{what} secret.secretName=\"{secret}\" is not allowed because service account {owner} does not \
             reference that secret"
        )
    };
    if !only_ephemeral {
        for volume in &pod.spec.volumes {
            let secret = volume.volume_source.secret.as_deref();
            if let Some(secret) = secret.filter(|secret| !listed(&secret.secret_name)) {
                let secret = &secret.secret_name;
                return Some(format!(
                    "volume with secret.secretName=\"{secret}\" is not allowed because service account {owner} \
                     does not reference that secret"
                ));
            }
        }
    }
    let checked =
        environments(pod).filter(|environment| only_ephemeral == (environment.what == "ephemeral container"));
    for environment in checked {
        let (what, name) = (environment.what, environment.name);
        if let Some((variable, secret)) = environment.secret_keys().find(|(_, secret)| !listed(secret)) {
            return Some(refused(format!("{what} {name} with envVar {variable} referencing"), secret));
        }
        if let Some(secret) = environment.secrets().find(|secret| !listed(secret)) {
            return Some(refused(format!("{what} {name} with envFrom referencing"), secret));
        }
    }
    if only_ephemeral {
        return None;
    }
    let pulls = pod.spec.image_pull_secrets.iter().enumerate();
    pulls.filter(|(_, pull)| !account.image_pull_secrets.contains(pull)).map(|(index, pull)| {
        format!(
            "imagePullSecrets[{index}].name=\"{}\" is not allowed because service account {owner} does not \
             reference that imagePullSecret",
            pull.name
        )
    }).next()
}
