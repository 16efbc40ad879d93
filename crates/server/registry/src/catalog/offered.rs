//! Which of Kubernetes' own resources are served: those that upstream serves by default, and what `--runtime-config` makes of them.

use api_kind::truth;
use api_types::{Resource, Stage};

/// The built-in resources that are served.
#[derive(Clone, Debug)]
pub struct Offered(Vec<&'static Resource>);

impl Default for Offered {
    fn default() -> Offered {
        Offered(api_types::resources().iter().filter(|resource| resource.served_by_default).collect())
    }
}

/// What a key of `--runtime-config` is about.
enum About<'a> {
    All,
    Maturity(Stage),
    Version { group: &'a str, version: &'a str },
    Resource { group: &'a str, version: &'a str, plural: &'a str },
}

impl<'a> About<'a> {
    fn parse(key: &'a str) -> Result<About<'a>, String> {
        Ok(match key.split('/').collect::<Vec<_>>()[..] {
            ["api", "all"] => About::All,
            ["api", "ga"] => About::Maturity(Stage::Stable),
            ["api", "beta"] => About::Maturity(Stage::Beta),
            ["api", "alpha"] => About::Maturity(Stage::Alpha),
            ["v1"] | ["api", "v1"] => About::Version { group: "", version: "v1" },
            [group, version] => About::Version { group, version },
            [group, version, plural] => About::Resource { group, version, plural },
            _ => return Err(format!("runtime-config invalid key {key}")),
        })
    }

    /// What says more comes later, so that it goes before what is said in general.
    fn rank(&self) -> u8 {
        match self {
            About::All => 0,
            About::Maturity(_) => 1,
            About::Version { .. } => 2,
            About::Resource { .. } => 3,
        }
    }

    fn covers(&self, resource: &Resource) -> bool {
        let (own_group, own_version) = (resource.kind.group, resource.kind.version);
        match *self {
            About::All => true,
            About::Maturity(stage) => resource.stage == stage,
            About::Version { group, version } => (group, version) == (own_group, own_version),
            About::Resource { group, version, plural } => {
                (group, version, plural) == (own_group, own_version, resource.plural)
            }
        }
    }

    /// Why there is nothing that it covers.
    fn unknown(&self) -> String {
        let is_group = |group: &str| api_types::resources().iter().any(|own| own.kind.group == group);
        match *self {
            About::Version { group, .. } | About::Resource { group, .. } if !is_group(group) => {
                format!("unknown api groups {group}")
            }
            About::Version { group, version } => {
                format!("group version {group}/{version} that has not been registered")
            }
            About::Resource { group, version, plural } => {
                format!("there is no resource {plural} in the group version {group}/{version}")
            }
            About::All | About::Maturity(_) => String::new(),
        }
    }
}

impl Offered {
    /// What a `--runtime-config` has served: keys and truth values, separated by commas. Keys are `api/all`, `api/ga`, `api/beta`, `api/alpha`,
    /// a group and version, or these with a resource; a value that is left out is true. What says more goes before what says less.
    ///
    /// # Errors
    /// When something is malformed or unknown, in upstream's words (`k8s.io/apiserver/pkg/server/resourceconfig`), or names what is not built.
    pub fn parse(text: &str) -> Result<Offered, String> {
        let mut said = Vec::new();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            let on = if value.is_empty() { Some(true) } else { truth(value) };
            let on = on.ok_or_else(|| {
                format!("invalid value of {key}: {value}, err: strconv.ParseBool: parsing {value:?}: invalid syntax")
            })?;
            let about = About::parse(key)?;
            let mut covered =
                api_types::resources().iter().filter(|resource| about.covers(resource)).peekable();
            if covered.peek().is_none() {
                return Err(about.unknown());
            }
            if on && about.rank() > 1 && !covered.any(can_be_served) {
                return Err(format!("{key} is not built yet"));
            }
            said.push((about, on));
        }
        said.sort_by_key(|(about, _)| about.rank());
        let is_on = |resource: &&'static Resource| {
            let last = said.iter().rfind(|(about, _)| about.covers(resource));
            last.map_or(resource.served_by_default, |(_, on)| *on && can_be_served(resource))
        };
        Ok(Offered(api_types::resources().iter().filter(is_on).collect()))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &'static Resource> {
        self.0.iter().copied()
    }

    /// One of them.
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<&'static Resource> {
        let wanted = (group, version, plural);
        self.iter().find(|own| (own.kind.group, own.kind.version, own.plural) == wanted)
    }
}

/// Whether it is served by default, or a row knows it.
fn can_be_served(resource: &'static Resource) -> bool {
    let (group, version) = (resource.kind.group, resource.kind.version);
    resource.served_by_default || api_kinds_all::is_written(group, version, resource.plural)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(text: &str, group: &str, version: &str, plural: &str) -> bool {
        Offered::parse(text).expect("it is well-formed").find(group, version, plural).is_some()
    }

    #[test]
    fn versions_and_resources_are_switched_the_narrower_before_the_wider() {
        let claims = |text| served(text, "resource.k8s.io", "v1beta2", "resourceclaims");
        assert!(!claims(""));
        for on in [
            "api/beta=true",
            "api/all",
            "resource.k8s.io/v1beta2=true",
            "resource.k8s.io/v1beta2/resourceclaims",
        ] {
            assert!(claims(on), "{on}");
        }
        assert!(!claims("resource.k8s.io/v1beta2/resourceclaims=false, resource.k8s.io/v1beta2=true"));
        assert!(claims("resource.k8s.io/v1beta2/resourceclaims,api/beta=false"));
        assert!(!served("apps/v1=false", "apps", "v1", "deployments"));
        assert!(served("apps/v1=false", "", "v1", "pods"));
        assert!(
            !served("api/alpha", "internal.apiserver.k8s.io", "v1alpha1", "storageversions"),
            "not built"
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, why) in [
            ("a/b/c/d", "runtime-config invalid key a/b/c/d"),
            ("boats.example.com/v1", "unknown api groups boats.example.com"),
            ("apps/v9", "group version apps/v9 that has not been registered"),
            ("apps/v1/boats", "there is no resource boats in the group version apps/v1"),
            (
                "apps/v1=perhaps",
                "invalid value of apps/v1: perhaps, err: strconv.ParseBool: parsing \"perhaps\": invalid syntax",
            ),
            ("internal.apiserver.k8s.io/v1alpha1", "internal.apiserver.k8s.io/v1alpha1 is not built yet"),
        ] {
            assert_eq!(Offered::parse(text).map(|_| ()), Err(why.to_owned()));
        }
    }
}
