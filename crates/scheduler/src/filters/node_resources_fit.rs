//! Whether a node has room for what a pod asks for.

use std::sync::Arc;

use crate::demand::{Amounts, Demand};
use crate::reason::Reason;

/// What a node has, and what of it is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room<'a> {
    pub(crate) allocatable: &'a Amounts,
    pub(crate) requested: &'a Amounts,
    pub(crate) extended: &'a [Extended],
}

/// An extended resource of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extended {
    pub(crate) name: Arc<str>,
    pub(crate) allocatable: i64,
    pub(crate) requested: i64,
}

impl Room<'_> {
    /// Whether there is room.
    pub(crate) fn fits(&self, demand: &Demand) -> bool {
        let (want, have, used) = (&demand.amounts, self.allocatable, self.requested);
        let enough = |want: i64, have: i64, used: i64| want <= 0 || want <= have - used;
        used.pods < have.pods
            && enough(want.cpu_milli, have.cpu_milli, used.cpu_milli)
            && enough(want.memory_bytes, have.memory_bytes, used.memory_bytes)
            && enough(want.ephemeral_bytes, have.ephemeral_bytes, used.ephemeral_bytes)
            && demand.extended.iter().all(|(name, want)| {
                let (have, used) = self.extended(name);
                enough(*want, have, used)
            })
    }

    /// All that there is not enough of.
    pub(crate) fn lacks(&self, demand: &Demand, reasons: &mut Vec<Reason>) {
        let (want, have, used) = (&demand.amounts, self.allocatable, self.requested);
        let lacking =
            |want: i64, have: i64, used: i64| (want > 0 && want > have - used).then_some(want > have);
        if used.pods >= have.pods {
            reasons.push(Reason::TooManyPods);
        }
        if let Some(never) = lacking(want.cpu_milli, have.cpu_milli, used.cpu_milli) {
            reasons.push(Reason::Cpu { never });
        }
        if let Some(never) = lacking(want.memory_bytes, have.memory_bytes, used.memory_bytes) {
            reasons.push(Reason::Memory { never });
        }
        if let Some(never) = lacking(want.ephemeral_bytes, have.ephemeral_bytes, used.ephemeral_bytes) {
            reasons.push(Reason::EphemeralStorage { never });
        }
        for (name, want) in &demand.extended {
            let (have, used) = self.extended(name);
            if let Some(never) = lacking(*want, have, used) {
                reasons.push(Reason::Extended { name: name.clone(), never });
            }
        }
    }

    fn extended(&self, name: &str) -> (i64, i64) {
        let found = self.extended.iter().find(|extended| &*extended.name == name);
        found.map_or((0, 0), |extended| (extended.allocatable, extended.requested))
    }
}

/// Reckons with a pod more (1) or less (-1).
pub(crate) fn shift(requested: &mut Amounts, extended: &mut [Extended], demand: &Demand, sign: i64) {
    requested.cpu_milli += sign * demand.amounts.cpu_milli;
    requested.memory_bytes += sign * demand.amounts.memory_bytes;
    requested.ephemeral_bytes += sign * demand.amounts.ephemeral_bytes;
    requested.pods += sign * demand.amounts.pods;
    for (name, amount) in &demand.extended {
        if let Some(resource) = extended.iter_mut().find(|resource| resource.name == *name) {
            resource.requested += sign * amount;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amounts(cpu_milli: i64, memory_bytes: i64, pods: i64) -> Amounts {
        Amounts { cpu_milli, memory_bytes, ephemeral_bytes: 0, pods }
    }

    #[test]
    fn all_that_lacks_is_named() {
        let gpu: Arc<str> = "example.com/gpu".into();
        let extended = [Extended { name: gpu.clone(), allocatable: 2, requested: 1 }];
        for (what, used, cpu, memory, gpus, expected) in [
            ("fits", amounts(500, 0, 0), 500, 100, 1, vec![]),
            ("no CPU left", amounts(501, 0, 0), 500, 100, 1, vec![Reason::Cpu { never: false }]),
            ("never enough CPU", amounts(0, 0, 0), 1001, 0, 0, vec![Reason::Cpu { never: true }]),
            (
                "more pods than allowed, and no memory",
                amounts(0, 50, 1),
                0,
                100,
                0,
                vec![Reason::TooManyPods, Reason::Memory { never: false }],
            ),
            (
                "extended resources are named",
                amounts(0, 0, 0),
                0,
                0,
                2,
                vec![Reason::Extended { name: gpu.clone(), never: false }],
            ),
            ("nothing asked fits an overcommitted node", amounts(2000, 200, 0), 0, 0, 0, vec![]),
        ] {
            let allocatable = amounts(1000, 100, 1);
            let room = Room { allocatable: &allocatable, requested: &used, extended: &extended };
            let demand = Demand {
                amounts: amounts(cpu, memory, 1),
                extended: if gpus > 0 { vec![(gpu.clone(), gpus)] } else { vec![] },
                ..Demand::default()
            };
            let mut reasons = Vec::new();
            room.lacks(&demand, &mut reasons);
            assert_eq!(reasons, expected, "{what}");
            assert_eq!(room.fits(&demand), expected.is_empty(), "{what}");
        }
    }
}
