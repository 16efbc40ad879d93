//! Many at once: nothing is held twice, and nothing is left behind.

use futures_util::future::join_all;
use proptest::prelude::*;

use super::{World, asking, service};

#[tokio::test]
async fn services_made_at_once_never_share() {
    let world = World::new(&["10.0.0.0/26"]).await;
    // All the addresses and nearly all the ports there are.
    let names: Vec<String> = (0..62).map(|number| format!("s{number}")).collect();
    let made = join_all(names.iter().map(|name| world.create(service(name, "NodePort")))).await;
    let refused: Vec<String> = made.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused, Vec::<String>::new());
    assert_eq!(world.checked().await.len(), 62);
    let full = world.create(service("one-more", "ClusterIP")).await;
    assert!(full.is_err_and(|message| message.ends_with("range is full")));
    join_all(names.iter().map(|name| world.delete(name))).await;
    assert!(world.checked().await.is_empty());
}

#[tokio::test]
async fn one_address_asked_for_at_once_goes_to_one() {
    let world = World::new(&["10.0.0.0/24"]).await;
    let names: Vec<String> = (0..16).map(|number| format!("s{number}")).collect();
    let made = join_all(names.iter().map(|name| world.create(asking(name, "10.0.0.9")))).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
    let refused = made.into_iter().filter_map(Result::err);
    assert!(refused.into_iter().all(|message| message.ends_with("provided IP is already allocated")));
    world.checked().await;
}

#[tokio::test]
async fn one_name_made_at_once_holds_for_one() {
    let world = World::new(&["10.0.0.0/24"]).await;
    let made = join_all((0..16).map(|_| world.create(service("same", "NodePort")))).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
    assert_eq!(world.checked().await.len(), 1);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Create(u8, &'static str),
    Change(u8, &'static str),
    Delete(u8),
}

fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let types = prop::sample::select(vec!["ClusterIP", "NodePort", "LoadBalancer"]);
    let step = prop_oneof![
        (0..12u8, types.clone()).prop_map(|(name, type_)| Step::Create(name, type_)),
        (0..12u8, types).prop_map(|(name, type_)| Step::Change(name, type_)),
        (0..12u8).prop_map(Step::Delete),
    ];
    // Each of the inner lists is carried out at once.
    prop::collection::vec(prop::collection::vec(step, 1..6), 1..12)
}

async fn take(world: &World, step: Step) {
    let name = |number: u8| format!("s{number}");
    match step {
        Step::Create(number, type_) => {
            let _refusals_are_fine = world.create(service(&name(number), type_)).await;
        }
        Step::Change(number, type_) => {
            let change = |new: &mut api_types::core::v1::Service| {
                let mut spec = service("", type_).spec;
                spec.cluster_ip.clone_from(&new.spec.cluster_ip);
                spec.cluster_ips.clone_from(&new.spec.cluster_ips);
                new.spec = spec;
            };
            let _refusals_are_fine = world.update(&name(number), change).await;
        }
        Step::Delete(number) => {
            let options = client::DeleteOptions::default();
            let (registry, services) = (&world.registry, &world.services);
            let _refusals_are_fine =
                registry.delete(services, &world.who, "default", &name(number), &options, false).await;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_what_is_held_is_what_services_say(rounds in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            // Fewer addresses than names, so that some must go without.
            let world = World::new(&["10.0.0.0/29"]).await;
            for round in rounds {
                join_all(round.into_iter().map(|step| take(&world, step))).await;
                world.checked().await;
            }
        });
    }
}
