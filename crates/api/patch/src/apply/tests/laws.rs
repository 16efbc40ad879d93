//! What holds for any sets, objects and configurations.

use proptest::prelude::*;

use super::World;
use crate::apply::fields_v1::{decode, encode};
use crate::apply::{Config, Element, Scalar, Set};

fn element() -> impl Strategy<Value = Element> {
    prop_oneof![
        "[a-c<\"\\\\]{1,2}".prop_map(|name| Element::Field(name.into())),
        ("[a-b]", "[x<&]{0,2}")
            .prop_map(|(name, value)| Element::Key(vec![(name.into(), Scalar::Text(value.into()))])),
        (-2i64..3).prop_map(|number| Element::Value(Scalar::Int(number))),
        any::<bool>().prop_map(|value| Element::Value(Scalar::Bool(value))),
        (0i64..3).prop_map(Element::Index),
    ]
}

fn set() -> impl Strategy<Value = Set> {
    prop::collection::vec(prop::collection::vec(element(), 1..4), 0..8).prop_map(|paths| {
        let mut set = Set::EMPTY;
        paths.iter().for_each(|path| set.insert(path));
        set
    })
}

fn data() -> impl Strategy<Value = String> {
    prop::collection::btree_map("[a-d]", "[u-w]", 0..4).prop_map(|entries| {
        let entries: Vec<String> =
            entries.into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
        format!("metadata: {{name: a}}\ndata: {{{}}}", entries.join(", "))
    })
}

/// Containers with images, each name once.
fn containers() -> impl Strategy<Value = String> {
    prop::collection::vec(("[a-d]", "[u-w]"), 0..4).prop_map(|items| {
        let mut seen = std::collections::BTreeSet::new();
        let items: Vec<String> = items
            .into_iter()
            .filter(|(name, _)| seen.insert(name.clone()))
            .map(|(name, image)| format!("{{name: {name}, image: {image}}}"))
            .collect();
        format!("metadata: {{name: a}}\nspec: {{containers: [{}]}}", items.join(", "))
    })
}

fn fields(world: &World) -> Vec<String> {
    world
        .shown()
        .iter()
        .map(|line| line.split(' ').filter(|word| word.parse::<i64>().is_err()).collect())
        .collect()
}

fn union_of_all(world: &World) -> Set {
    world.owners().iter().fold(Set::EMPTY, |all, entry| {
        let raw = entry.fields_v1.as_ref().expect("fields");
        all.union(&decode(raw.text()).expect("readable"))
    })
}

proptest! {
    #[test]
    fn sets_survive_being_written(set in set()) {
        prop_assert_eq!(&decode(&encode(&set)).expect("readable"), &set);
    }

    #[test]
    fn sets_obey_the_algebra_of_sets(a in set(), b in set()) {
        prop_assert_eq!(a.union(&b), b.union(&a));
        prop_assert_eq!(a.intersection(&b), b.intersection(&a));
        prop_assert_eq!(a.difference(&b).union(&a.intersection(&b)), a.clone());
        prop_assert!(a.difference(&b).intersection(&b).is_empty());
        prop_assert_eq!(a.union(&b).difference(&b), a.difference(&b));
        prop_assert!(a.without(&b).difference(&a.difference(&b)).is_empty());
        let mut paths = 0;
        a.each(&mut |path| { paths += 1; assert!(a.has(path)); });
        prop_assert_eq!(paths == 0, a.is_empty());
    }

    #[test]
    fn garbage_is_no_set_or_one_that_can_be_written(bytes in prop::collection::vec(any::<u8>(), 0..48)) {
        if let Ok(set) = decode(&bytes) {
            prop_assert_eq!(decode(&encode(&set)).expect("readable"), set);
        }
        let _ = Config::parse(&bytes);
    }

    #[test]
    fn any_configuration_is_applied_or_refused(before in containers(), config in crate::tests::laws::object()) {
        let mut world = World::new("", "v1", "Pod");
        world.update("maker", &before);
        let members = config.as_object().expect("an object").iter().filter(|(key, _)| *key != "metadata");
        let members: Vec<String> = members.map(|(key, value)| format!("{key}: {value}")).collect();
        let text = format!("metadata: {{name: a}}\n{}", members.join("\n"));
        if world.try_apply("me", &text, true).is_ok() {
            // What it has made its own is in nobody's way the next time.
            prop_assert!(world.try_apply("me", &text, false).is_ok());
        }
    }

    #[test]
    fn an_apply_twice_is_an_apply_once(before in data(), config in data(), pods in any::<bool>(), list in containers(), lists in containers()) {
        let (mut world, before, config) = if pods {
            (World::new("", "v1", "Pod"), list, lists)
        } else {
            (World::new("", "v1", "ConfigMap"), before, config)
        };
        world.update("maker", &before);
        world.try_apply("me", &config, true).expect("forced");
        // An empty map is not kept: that it is applied again changes the time, which the registry puts back.
        let once = (world.body(), fields(&world));
        world.apply("me", &config);
        prop_assert_eq!((world.body(), fields(&world)), once);
    }

    #[test]
    fn what_is_applied_is_there_and_owned_by_whoever_applied_it(before in containers(), first in containers(), second in containers()) {
        let mut world = World::new("", "v1", "Pod");
        world.update("maker", &before);
        world.try_apply("me", &first, true).expect("forced");
        world.try_apply("you", &second, true).expect("forced");
        let config = world.config(&second);
        let kind = crate::apply::kind::Kind::Record(<api_types::core::v1::Pod as api_record::Typed>::SCHEMA);
        let applied = crate::apply::mentioned::mentioned(kind, &config.tree);
        let there = crate::apply::mentioned::mentioned(
            kind,
            &crate::apply::applied::tree_of(&**world.object.as_ref().expect("made")),
        );
        prop_assert!(applied.difference(&there).is_empty(), "all that is applied is there");
        let owned = union_of_all(&world);
        prop_assert!(crate::apply::request::stripped(&applied).difference(&owned).is_empty());
    }

    #[test]
    fn no_field_that_is_not_there_is_owned(first in data(), second in data(), third in data()) {
        let mut world = World::new("", "v1", "ConfigMap");
        world.update("maker", &first);
        world.try_apply("me", &second, true).expect("forced");
        world.update("editor", &third);
        world.try_apply("me", &first, true).expect("forced");
        let body = world.body();
        union_of_all(&world).each(&mut |path| {
            if let [_, Element::Field(key)] = path {
                assert!(body.contains(&format!("\"{key}\":")), "{key} in {body}");
            }
        });
    }
}
