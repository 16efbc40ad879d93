//! Which names a definition gets (`pkg/controller/status/naming_controller.go`): the first of a group that asks for a name has it.

use std::collections::BTreeSet;

use api_types::apiextensions::v1::{CustomResourceDefinition, CustomResourceDefinitionNames};

/// The names that a definition has now, and what keeps it from having the others: a reason and a message.
pub(crate) struct Outcome {
    pub(crate) names: CustomResourceDefinitionNames,
    pub(crate) conflict: Option<(&'static str, String)>,
}

/// Works out the names of a definition among all definitions.
pub(crate) fn accept<'a>(
    own: &CustomResourceDefinition,
    all: impl Iterator<Item = &'a CustomResourceDefinition>,
) -> Outcome {
    let (mut resources, mut kinds) = (BTreeSet::new(), BTreeSet::new());
    for other in all.filter(|other| other.spec.group == own.spec.group) {
        let names = &other.status.accepted_names;
        resources.extend([names.plural.as_str(), &names.singular]);
        resources.extend(names.short_names.iter().map(String::as_str));
        kinds.extend([names.kind.as_str(), &names.list_kind]);
    }
    let wanted = &own.spec.names;
    let mut outcome = Outcome { names: own.status.accepted_names.clone(), conflict: None };
    let taken = |wanted: &str, has: &str, used: &BTreeSet<&str>| {
        (wanted != has && used.contains(wanted)).then(|| format!("{wanted:?} is already in use"))
    };
    let has = &own.status.accepted_names;
    let names = &mut outcome.names;
    let mut one = |wanted: &str, has: &str, used, reason, place: &mut String| match taken(wanted, has, used) {
        Some(why) => outcome.conflict = Some((reason, why)),
        None => wanted.clone_into(place),
    };
    one(&wanted.plural, &has.plural, &resources, "PluralConflict", &mut names.plural);
    one(&wanted.singular, &has.singular, &resources, "SingularConflict", &mut names.singular);
    let mut refused: Vec<String> = Vec::new();
    for name in wanted.short_names.iter().filter(|name| !has.short_names.contains(name)) {
        refused.extend(taken(name, "", &resources));
    }
    let short = match refused.len() {
        0 => None,
        1 => refused.pop(),
        _ => Some(format!("[{}]", refused.join(", "))),
    };
    match short {
        Some(why) => outcome.conflict = Some(("ShortNamesConflict", why)),
        None => names.short_names.clone_from(&wanted.short_names),
    }
    let mut one = |wanted: &str, has: &str, used, reason, place: &mut String| match taken(wanted, has, used) {
        Some(why) => outcome.conflict = Some((reason, why)),
        None => wanted.clone_into(place),
    };
    one(&wanted.kind, &has.kind, &kinds, "KindConflict", &mut names.kind);
    one(&wanted.list_kind, &has.list_kind, &kinds, "ListKindConflict", &mut names.list_kind);
    names.categories.clone_from(&wanted.categories);
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(plural: &str, short: &[&str], accepted: bool) -> CustomResourceDefinition {
        let mut own = CustomResourceDefinition::default();
        own.metadata.name = format!("{plural}.example.com");
        own.spec.group = "example.com".to_owned();
        own.spec.names = CustomResourceDefinitionNames {
            plural: plural.to_owned(),
            singular: plural.trim_end_matches('s').to_owned(),
            kind: plural.to_uppercase(),
            list_kind: format!("{}List", plural.to_uppercase()),
            short_names: short.iter().map(|name| (*name).to_owned()).collect(),
            categories: vec!["all".to_owned()],
        };
        if accepted {
            own.status.accepted_names = own.spec.names.clone();
        }
        own
    }

    #[test]
    fn who_comes_first_has_the_name() {
        let first = definition("foos", &["f"], true);
        let second = definition("fees", &["f", "g"], false);
        let outcome = accept(&second, [&first, &second].into_iter());
        assert_eq!(outcome.conflict, Some(("ShortNamesConflict", "\"f\" is already in use".to_owned())));
        assert_eq!((outcome.names.plural.as_str(), outcome.names.short_names.len()), ("fees", 0));
        let outcome = accept(&second, [&second].into_iter());
        assert_eq!((outcome.conflict, outcome.names == second.spec.names), (None, true));
        let outcome = accept(&first, [&first, &second].into_iter());
        assert_eq!((outcome.conflict, outcome.names == first.spec.names), (None, true));
    }
}
