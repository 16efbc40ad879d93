//! Taints of nodes and what pods tolerate of them.

use api_types::core::v1 as core;

/// What a taint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Keeps pods away.
    NoSchedule,
    /// Keeps pods away where there is another node.
    PreferNoSchedule,
    /// Keeps pods away, and evicts those that are there.
    NoExecute,
}

impl Effect {
    fn of(name: &str) -> Option<Effect> {
        match name {
            "NoSchedule" => Some(Effect::NoSchedule),
            "PreferNoSchedule" => Some(Effect::PreferNoSchedule),
            "NoExecute" => Some(Effect::NoExecute),
            _ => None,
        }
    }
}

/// A taint of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Taint {
    /// What it is called.
    pub key: String,
    /// Empty if it has none.
    pub value: String,
    /// What it does.
    pub effect: Effect,
}

impl Taint {
    /// `None` for an effect that no one knows.
    pub fn of(taint: &core::Taint) -> Option<Taint> {
        Some(Taint { key: taint.key.clone(), value: taint.value.clone(), effect: Effect::of(&taint.effect)? })
    }

    fn repels(&self) -> bool {
        self.effect != Effect::PreferNoSchedule
    }
}

/// What a toleration compares.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Compare {
    Nothing,
    Value(String),
    /// An operator that is not served tolerates no taint.
    Unknown,
}

/// What a pod tolerates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Toleration {
    key: String,
    compare: Compare,
    /// `None` is every effect; an effect that no one knows is none of them.
    effect: Option<Result<Effect, ()>>,
}

impl Toleration {
    /// What a toleration says.
    pub fn of(toleration: &core::Toleration) -> Toleration {
        Toleration {
            key: toleration.key.clone(),
            compare: match toleration.operator.as_str() {
                "" | "Equal" => Compare::Value(toleration.value.clone()),
                "Exists" => Compare::Nothing,
                _ => Compare::Unknown,
            },
            effect: (!toleration.effect.is_empty()).then(|| Effect::of(&toleration.effect).ok_or(())),
        }
    }

    /// Of every taint.
    pub fn everything() -> Toleration {
        Toleration { key: String::new(), compare: Compare::Nothing, effect: None }
    }

    /// Whether a taint is tolerated.
    pub fn tolerates(&self, taint: &Taint) -> bool {
        self.effect.is_none_or(|effect| effect == Ok(taint.effect))
            && (self.key.is_empty() || self.key == taint.key)
            && match &self.compare {
                Compare::Nothing => true,
                Compare::Value(value) => *value == taint.value,
                Compare::Unknown => false,
            }
    }

    /// Whether it speaks of taints that only repel softly.
    pub fn is_soft(&self) -> bool {
        self.effect.is_none_or(|effect| effect == Ok(Effect::PreferNoSchedule))
    }
}

/// How many soft taints are not tolerated.
pub fn untolerated_soft(taints: &[Taint], tolerations: &[Toleration]) -> i64 {
    let intolerable = |taint: &&Taint| {
        taint.effect == Effect::PreferNoSchedule
            && !tolerations.iter().any(|toleration| toleration.is_soft() && toleration.tolerates(taint))
    };
    taints.iter().filter(intolerable).count() as i64
}

/// Whether all taints that repel are tolerated.
pub fn admits(taints: &[Taint], tolerations: &[Toleration]) -> bool {
    taints
        .iter()
        .filter(|taint| taint.repels())
        .all(|taint| tolerations.iter().any(|toleration| toleration.tolerates(taint)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toleration(key: &str, operator: &str, value: &str, effect: &str) -> Toleration {
        Toleration::of(&core::Toleration {
            key: key.into(),
            operator: operator.into(),
            value: value.into(),
            effect: effect.into(),
            ..core::Toleration::default()
        })
    }

    #[test]
    fn a_toleration_matches_as_upstreams_does() {
        let taint = Taint { key: "k".into(), value: "v".into(), effect: Effect::NoSchedule };
        for (what, key, operator, value, effect, tolerated) in [
            ("equal by default", "k", "", "v", "NoSchedule", true),
            ("another value", "k", "Equal", "w", "NoSchedule", false),
            ("any value", "k", "Exists", "", "NoSchedule", true),
            ("any effect", "k", "Exists", "", "", true),
            ("another effect", "k", "Exists", "", "NoExecute", false),
            ("everything", "", "Exists", "", "", true),
            ("another key", "l", "Exists", "", "", false),
            ("an operator behind a gate that is off", "k", "Gt", "1", "", false),
        ] {
            let toleration = toleration(key, operator, value, effect);
            assert_eq!(admits(std::slice::from_ref(&taint), &[toleration]), tolerated, "{what}");
        }
    }

    #[test]
    fn soft_taints_keep_no_one_away() {
        let soft = Taint { key: "k".into(), value: String::new(), effect: Effect::PreferNoSchedule };
        assert!(admits(&[soft], &[]));
    }

    #[test]
    fn only_soft_taints_are_counted_by_scores() {
        let taint = |effect| Taint { key: "k".into(), value: String::new(), effect };
        let taints = [taint(Effect::PreferNoSchedule), taint(Effect::NoSchedule)];
        assert_eq!(untolerated_soft(&taints, &[]), 1);
        assert_eq!(untolerated_soft(&taints, &[Toleration::everything()]), 0);
    }
}
