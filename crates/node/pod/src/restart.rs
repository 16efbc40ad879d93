//! Whether a container that has ended is started again.

use api_types::core::v1::{Container, ContainerRestartRule, PodSpec};

use crate::container::Role;

/// Whether an init container is a sidecar: it goes on running beside the others.
pub fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

/// Whether a container that ended with `code` is to be started again, by its own rules and policy and then the pod's.
pub fn should_restart(container: &Container, spec: &PodSpec, role: Role, code: i32) -> bool {
    if role == Role::Ephemeral {
        return false;
    }
    if let Some(rule) = container.restart_policy_rules.iter().find(|rule| applies(rule, code)) {
        return rule.action == "Restart";
    }
    let policy = container.restart_policy.as_deref().unwrap_or(&spec.restart_policy);
    match policy {
        "Never" => false,
        "OnFailure" => code != 0,
        // An init container that has succeeded has done its work, whatever the pod's policy.
        _ => role != Role::Init || is_sidecar(container) || code != 0,
    }
}

fn applies(rule: &ContainerRestartRule, code: i32) -> bool {
    rule.exit_codes.as_ref().is_some_and(|codes| match codes.operator.as_str() {
        "In" => codes.values.contains(&code),
        "NotIn" => !codes.values.contains(&code),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use api_types::core::v1::ContainerRestartRuleOnExitCodes;

    use super::*;

    #[test]
    fn policies_and_rules() {
        let rule = ContainerRestartRule {
            action: "Restart".into(),
            exit_codes: Some(Box::new(ContainerRestartRuleOnExitCodes {
                operator: "In".into(),
                values: vec![42],
            })),
        };
        use Role::{Ephemeral, Init, Regular};
        type Case = (&'static str, Option<&'static str>, bool, Role, i32, bool);
        let cases: &[Case] = &[
            ("Always", None, false, Regular, 0, true),
            ("Always", None, false, Regular, 1, true),
            ("Always", None, false, Init, 0, false),
            ("Always", None, false, Init, 1, true),
            ("Always", None, false, Ephemeral, 0, false),
            ("Always", None, false, Ephemeral, 1, false),
            ("OnFailure", None, false, Regular, 0, false),
            ("OnFailure", None, false, Regular, 1, true),
            ("Never", None, false, Regular, 1, false),
            ("Never", Some("Always"), false, Init, 0, true),
            ("Always", Some("Never"), false, Regular, 1, false),
            ("Never", Some("Never"), true, Regular, 42, true),
            ("Never", Some("Never"), true, Regular, 41, false),
        ];
        for (pod, own, rules, role, code, want) in cases {
            let spec = PodSpec { restart_policy: (*pod).into(), ..PodSpec::default() };
            let container = Container {
                restart_policy: own.map(str::to_owned),
                restart_policy_rules: if *rules { vec![rule.clone()] } else { Vec::new() },
                ..Container::default()
            };
            assert_eq!(
                should_restart(&container, &spec, *role, *code),
                *want,
                "{pod} {own:?} {role:?} {code}"
            );
        }
    }
}
