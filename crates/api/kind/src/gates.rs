//! Feature gates: which features that a release holds are on.

mod features;

use std::collections::BTreeMap;

use features::FEATURES;

/// Something that Kubernetes can be told to do or not to do.
#[derive(Clone, Copy, Debug)]
pub struct Feature {
    /// The name.
    pub name: &'static str,
    /// Whether it is on unless somebody says otherwise.
    pub on: bool,
    /// How finished it is.
    pub maturity: Maturity,
    /// Whether nobody can say otherwise.
    pub locked: bool,
}

/// How finished a feature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maturity {
    /// It may go.
    Alpha,
    /// It may change.
    Beta,
    /// It stays.
    Stable,
    /// It goes.
    Deprecated,
}

/// Features by name. A feature that nobody has set is as upstream's release has it: on, if it is none that can be set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gates {
    named: BTreeMap<String, bool>,
}

impl Gates {
    /// The gates that `--feature-gates` asks for: `Name=true,Other=false`. `AllAlpha` and `AllBeta` stand for all of that maturity that are
    /// not named themselves.
    ///
    /// # Errors
    /// In upstream's words (`k8s.io/component-base/featuregate`), when a feature is not known, is locked, or what is wanted is no truth value.
    pub fn parse(text: &str) -> Result<Gates, String> {
        let mut gates = Gates::default();
        let mut all = Vec::new();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let (name, value) =
                word.split_once('=').ok_or_else(|| format!("missing bool value for {word}"))?;
            let (name, value) = (name.trim(), value.trim());
            let on = truth(value).ok_or_else(|| {
                format!("invalid value of {name}={value}, err: strconv.ParseBool: parsing {value:?}: invalid syntax")
            })?;
            match name {
                "AllAlpha" => all.push((Maturity::Alpha, on)),
                "AllBeta" => all.push((Maturity::Beta, on)),
                _ => gates.ask(name, on)?,
            }
        }
        for (maturity, on) in all {
            for feature in FEATURES.iter().filter(|feature| feature.maturity == maturity && !feature.locked) {
                gates.named.entry(feature.name.to_owned()).or_insert(on);
            }
        }
        Ok(gates)
    }

    fn ask(&mut self, name: &str, on: bool) -> Result<(), String> {
        let feature = find(name).ok_or_else(|| format!("unrecognized feature gate: {name}"))?;
        if feature.locked && on != feature.on {
            return Err(format!(
                "cannot set feature gate {name} to {on}, feature is locked to {}",
                feature.on
            ));
        }
        self.set(name, on);
        Ok(())
    }

    /// Switches a feature on or off.
    pub fn set(&mut self, feature: &str, on: bool) {
        self.named.insert(feature.to_owned(), on);
    }

    /// Whether a feature is on.
    pub fn is_on(&self, feature: &str) -> bool {
        let named = self.named.get(feature).copied();
        named.unwrap_or_else(|| find(feature).is_none_or(|feature| feature.on))
    }

    /// All features that can be set, and whether each is on.
    pub fn all(&self) -> impl Iterator<Item = (&'static Feature, bool)> {
        FEATURES.iter().map(|feature| (feature, self.is_on(feature.name)))
    }
}

fn find(name: &str) -> Option<&'static Feature> {
    FEATURES.binary_search_by(|feature| feature.name.cmp(name)).ok().map(|at| &FEATURES[at])
}

/// What Go's `strconv.ParseBool` takes for one.
pub fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_in_order_and_known_by_name() {
        assert!(FEATURES.is_sorted_by(|a, b| a.name < b.name));
        let gates = Gates::default();
        assert!(
            gates.is_on("JobManagedBy")
                && !gates.is_on("ContainerStopSignals")
                && gates.is_on("NoSuchFeature")
        );
    }

    #[test]
    fn gates_are_asked_for_by_name_and_by_maturity() {
        let gates = Gates::parse(" ContainerStopSignals=true, AllBeta=false,MutablePVNodeAffinity=1,")
            .expect("they are known");
        assert!(gates.is_on("ContainerStopSignals") && gates.is_on("MutablePVNodeAffinity"));
        let beta = |feature: &&Feature| feature.maturity == Maturity::Beta && !feature.locked && feature.on;
        let some = FEATURES.iter().find(beta).expect("one is beta and on");
        assert!(!gates.is_on(some.name), "{some:?}");
    }

    #[test]
    fn what_cannot_be_set_is_refused_in_upstreams_words() {
        let locked = FEATURES.iter().find(|feature| feature.locked && feature.on).expect("one is locked");
        let locked = locked.name;
        for (asked, refused) in [
            ("Nonsense=true".to_owned(), "unrecognized feature gate: Nonsense".to_owned()),
            ("ContainerStopSignals".to_owned(), "missing bool value for ContainerStopSignals".to_owned()),
            (
                "ContainerStopSignals=maybe".to_owned(),
                "invalid value of ContainerStopSignals=maybe, err: strconv.ParseBool: parsing \"maybe\": invalid syntax"
                    .to_owned(),
            ),
            (
                format!("{locked}=false"),
                format!("cannot set feature gate {locked} to false, feature is locked to true"),
            ),
        ] {
            assert_eq!(Gates::parse(&asked), Err(refused));
        }
        assert!(Gates::parse(&format!("{locked}=true")).is_ok());
    }
}
