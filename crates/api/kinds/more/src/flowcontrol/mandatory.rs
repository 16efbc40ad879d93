//! The objects that a server cannot do without, whose specs are therefore fixed.
//!
//! Upstream: `k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap`.

use api_types::flowcontrol::v1::{
    FlowDistinguisherMethod, FlowSchemaSpec, GroupSubject, LimitResponse, LimitedPriorityLevelConfiguration,
    NonResourcePolicyRule, PolicyRulesWithSubjects, PriorityLevelConfigurationReference,
    PriorityLevelConfigurationSpec, ResourcePolicyRule, Subject,
};

/// What those are called that nobody waits for.
pub const EXEMPT: &str = "exempt";
/// What those are called that everything else falls into.
pub const CATCH_ALL: &str = "catch-all";

/// The spec of a flow schema, if its name is that of one which is needed.
pub fn flow_schema(name: &str) -> Option<FlowSchemaSpec> {
    let (precedence, method, groups): (_, _, &[&str]) = match name {
        EXEMPT => (1, None, &["system:masters"]),
        CATCH_ALL => (10_000, Some("ByUser"), &["system:unauthenticated", "system:authenticated"]),
        _ => return None,
    };
    let every = || vec!["*".to_owned()];
    let subject = |group: &&str| Subject {
        kind: "Group".into(),
        group: Some(Box::new(GroupSubject { name: (*group).to_owned() })),
        ..Subject::default()
    };
    let rules = PolicyRulesWithSubjects {
        subjects: groups.iter().map(subject).collect(),
        resource_rules: vec![ResourcePolicyRule {
            verbs: every().into(),
            api_groups: every().into(),
            resources: every().into(),
            cluster_scope: true,
            namespaces: every().into(),
        }],
        non_resource_rules: vec![NonResourcePolicyRule {
            verbs: every().into(),
            non_resource_urls: every().into(),
        }],
    };
    Some(FlowSchemaSpec {
        priority_level_configuration: PriorityLevelConfigurationReference { name: name.to_owned() },
        matching_precedence: precedence,
        distinguisher_method: method
            .map(|type_| Box::new(FlowDistinguisherMethod { type_: type_.to_owned() })),
        rules: vec![rules],
    })
}

/// The spec of a priority level, if its name is that of one which is needed; what is said of the exempt is not part of it.
pub fn priority_level(name: &str) -> Option<PriorityLevelConfigurationSpec> {
    match name {
        EXEMPT => {
            Some(PriorityLevelConfigurationSpec { type_: "Exempt".into(), limited: None, exempt: None })
        }
        CATCH_ALL => Some(PriorityLevelConfigurationSpec {
            type_: "Limited".into(),
            limited: Some(Box::new(LimitedPriorityLevelConfiguration {
                nominal_concurrency_shares: Some(5),
                limit_response: LimitResponse { type_: "Reject".into(), queuing: None },
                lendable_percent: Some(0),
                borrowing_limit_percent: None,
            })),
            exempt: None,
        }),
        _ => None,
    }
}
