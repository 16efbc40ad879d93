//! What is said of every node, and that it is what attempts go by.

use super::fixture::*;
use crate::{Event, Score};

#[test]
fn every_node_is_told_of() {
    let mut rig = Rig::new(&[
        node("small", "a", "1", "10"),
        node("large", "a", "8", "10"),
        tainted(node("tainted", "a", "8", "10"), "k", "NoSchedule"),
    ]);
    rig.step(Event::Pod(&on(pod("there", "4"), "large")));
    rig.step(Event::Pod(&pod("p", "2")));
    let survey = rig.scheduler.survey("uid-p").expect("it waits");
    assert_eq!(survey.message, "");
    let [large, small, tainted] = ["large", "small", "tainted"].map(|name| &survey.nodes[name]);
    assert_eq!((small.plugin, small.is_final), (Some("NodeResourcesFit"), true));
    assert_eq!(small.reasons, ["Insufficient cpu"]);
    assert_eq!(tainted.plugin, Some("TaintToleration"));
    assert_eq!((large.plugin, large.reasons.len()), (None, 0));
    assert_eq!(large.scores[&Score::TaintToleration], 300);
    assert_eq!(rig.bind(&pod("p", "2")).as_deref(), Some("large"));
}

#[test]
fn where_no_node_suits_the_price_of_each_is_told() {
    let mut rig = Rig::new(&[node("n1", "a", "2", "10"), node("n2", "a", "2", "10")]);
    for (name, priority, node) in [("low", 0, "n1"), ("middle", 5, "n2")] {
        rig.step(Event::Pod(&on(with_priority(pod(name, "2"), priority), node)));
    }
    rig.step(Event::Pod(&with_priority(pod("p", "2"), 10)));
    let survey = rig.scheduler.survey("uid-p").expect("it waits");
    assert_eq!(survey.message, "0/2 nodes are available: 2 Insufficient cpu.");
    let told = ["n1", "n2"].map(|name| {
        let judgement = &survey.nodes[name];
        (judgement.victims[0].name.to_string(), judgement.is_best)
    });
    assert_eq!(told, [("low".into(), true), ("middle".into(), false)]);
    assert_eq!(rig.scheduler.survey("uid-low"), None);
}
