//! Where extenders have a say.

use std::time::Duration;

use super::fixture::*;
use crate::{
    Action, Answer, Event, Eviction, Extenders, Failure, FailureReason, Nomination, Passed, Plugin, Question,
    Rejected, Subject,
};

const FILTER: Extenders = Extenders { filter: true, prioritize: false, preempt: false };
const ALL: Extenders = Extenders { filter: true, prioritize: true, preempt: true };

fn three() -> Vec<api_types::core::v1::Node> {
    ["n1", "n2", "n3"].map(|name| node(name, "a", "4", "10")).into()
}

/// The only question among actions.
fn asked(actions: &[Action]) -> Question {
    let questions = actions.iter().filter_map(|action| match action {
        Action::Ask(question) => Some(question.clone()),
        _ => None,
    });
    let [question]: [Question; 1] =
        questions.collect::<Vec<_>>().try_into().unwrap_or_else(|_| panic!("{actions:?}"));
    question
}

fn nodes(question: &Question) -> Vec<&str> {
    match &question.about {
        Subject::Nodes(names) => names.iter().map(|name| &**name).collect(),
        about => panic!("{about:?}"),
    }
}

fn passed(nodes: &[(&str, i64)], rejected: &[(&str, &str, bool)]) -> Answer {
    let rejected = rejected.iter().map(|(name, why, is_final)| {
        ((*name).to_owned(), Rejected { why: (*why).to_owned(), is_final: *is_final })
    });
    Answer::Nodes(Passed {
        nodes: nodes.iter().map(|(name, extra)| ((*name).into(), *extra)).collect(),
        rejected: rejected.collect(),
    })
}

fn answer(rig: &mut Rig, question: &Question, answer: &Answer) -> Vec<Action> {
    rig.step(Event::Answered { number: question.number, answer: Ok(answer) }).actions
}

fn failure(actions: &[Action]) -> Failure {
    let [.., Action::Failed(failure)] = actions else { panic!("{actions:?}") };
    failure.clone()
}

#[test]
fn the_cycle_waits_for_the_answer_and_goes_on_with_it() {
    let mut rig = Rig::asking(&three(), ALL);
    rig.step(Event::Pod(&pod("first", "1")));
    rig.step(Event::Pod(&pod("second", "1")));
    let question = asked(&rig.run());
    assert_eq!((&*question.pod.name, nodes(&question)), ("first", vec!["n1", "n2", "n3"]));
    let outputs = rig.step(Event::Run { attempts: 10 });
    assert_eq!((outputs.actions.len(), outputs.ready), (0, 0), "nobody else is tried");
    let actions = answer(&mut rig, &question, &passed(&[("n1", 0), ("n3", 20)], &[("n2", "no", false)]));
    assert_eq!(bound(&actions).as_deref(), Some("n3"), "what extenders add counts");
    assert_eq!(&*asked(&rig.run()).pod.name, "second");
}

#[test]
fn what_extenders_add_is_weighed_against_other_scores() {
    for (extra, best) in [(1_000, "n2"), (-1_000, "n1")] {
        let mut rig = Rig::asking(&three(), Extenders { prioritize: true, ..Extenders::default() });
        let question = asked(&rig.try_pod(&pod("p", "1")));
        let said = passed(&[("n1", 0), ("n2", extra)], &[]);
        assert_eq!(bound(&answer(&mut rig, &question, &said)).as_deref(), Some(best));
    }
}

#[test]
fn a_single_node_is_asked_about_by_those_who_filter_only() {
    let mut rig = Rig::asking(&[node("n", "a", "4", "10")], Extenders { filter: false, ..ALL });
    assert_eq!(bound(&rig.try_pod(&pod("p", "1"))).as_deref(), Some("n"));
    let mut rig = Rig::asking(&[node("n", "a", "4", "10")], FILTER);
    assert_eq!(nodes(&asked(&rig.try_pod(&pod("p", "1")))), ["n"]);
}

#[test]
fn rejections_are_told_beside_those_of_plugins() {
    let mut all = three();
    all.push(node("small", "a", "1", "10"));
    let mut rig = Rig::asking(&all, FILTER);
    let question = asked(&rig.try_pod(&pod("p", "2")));
    let said = passed(&[], &[("n1", "no licence", false), ("n2", "no licence", true)]);
    let failure = failure(&answer(&mut rig, &question, &said));
    assert_eq!(
        failure.message,
        "0/4 nodes are available: 1 Insufficient cpu, 2 no licence. preemption: 0/4 nodes are available: \
         1 No preemption victims found for incoming pod, 3 Preemption is not helpful for scheduling.",
        "n3 was left out without a word"
    );
    assert_eq!(failure.plugins, [Plugin::NodeResourcesFit, Plugin::Extender]);
}

#[test]
fn an_error_is_one_of_the_scheduler_and_the_pod_backs_off() {
    let mut rig = Rig::asking(&three(), FILTER);
    let question = asked(&rig.try_pod(&pod("p", "1")));
    let outputs = rig.step(Event::Answered { number: question.number, answer: Err("EOF") });
    let failure = failure(&outputs.actions);
    assert_eq!((failure.reason, failure.message.as_str()), (FailureReason::SchedulerError, "EOF"));
    assert!(rig.run().is_empty());
    rig.now = rig.now + Duration::from_secs(1);
    assert_eq!(nodes(&asked(&rig.run())).len(), 3);
}

#[test]
fn what_happens_meanwhile_lets_a_rejected_pod_be_tried_again() {
    type Happening = fn(&mut Rig);
    let cases: [(&str, Happening, bool); 5] = [
        ("nothing", |_| (), false),
        ("a node more", |rig| drop(rig.step(Event::Node(&node("n4", "a", "4", "10")))), true),
        ("a pod that goes", |rig| drop(rig.step(Event::PodGone("uid-there"))), true),
        (
            "an annotation of a node",
            |rig| {
                let mut told = node("n1", "a", "4", "10");
                told.metadata.annotations.insert("free".into(), "1".into());
                rig.step(Event::Node(&told));
            },
            true,
        ),
        ("a node as it was", |rig| drop(rig.step(Event::Node(&node("n1", "a", "4", "10")))), false),
    ];
    for (what, happens, is_tried) in cases {
        for is_waited_for in [true, false] {
            let mut rig = Rig::asking(&three(), FILTER);
            rig.step(Event::Pod(&on(pod("there", "1"), "n1")));
            let question = asked(&rig.try_pod(&pod("p", "1")));
            let said = passed(&[], &[("n1", "no", false)]);
            if is_waited_for {
                happens(&mut rig);
                failure(&answer(&mut rig, &question, &said));
            } else {
                failure(&answer(&mut rig, &question, &said));
                happens(&mut rig);
            }
            let waiting = rig.scheduler.waiting();
            assert_eq!(waiting.unschedulable == 0, is_tried, "{what}, waited for: {is_waited_for}");
        }
    }
}

#[test]
fn who_passed_has_to_be_feasible_still() {
    let mut rig = Rig::asking(&three(), FILTER);
    let question = asked(&rig.try_pod(&pod("p", "3")));
    rig.step(Event::Pod(&on(pod("other", "2"), "n1")));
    rig.step(Event::NodeGone("n2"));
    let again = asked(&answer(&mut rig, &question, &passed(&[("n1", 0), ("n2", 0)], &[])));
    assert_eq!(nodes(&again), ["n3"], "it is tried anew");
    let actions = answer(&mut rig, &again, &passed(&[("n3", 0)], &[]));
    assert_eq!(bound(&actions).as_deref(), Some("n3"));
}

#[test]
fn a_pod_that_goes_or_changes_meanwhile_is_not_placed_by_the_answer() {
    let said = passed(&[("n1", 0)], &[]);
    let mut rig = Rig::asking(&three(), FILTER);
    let question = asked(&rig.try_pod(&pod("p", "1")));
    rig.step(Event::PodGone("uid-p"));
    assert!(answer(&mut rig, &question, &said).is_empty());
    let question = asked(&rig.try_pod(&pod("q", "1")));
    rig.step(Event::Pod(&labelled(pod("q", "1"), "changed", "yes")));
    assert!(rig.run().is_empty(), "the question is still open");
    assert!(answer(&mut rig, &question, &said).is_empty());
    let again = asked(&rig.run());
    assert!(answer(&mut rig, &question, &said).is_empty(), "an old answer is none");
    assert_eq!(bound(&answer(&mut rig, &again, &said)).as_deref(), Some("n1"));
    let question = asked(&rig.try_pod(&pod("r", "1")));
    rig.step(Event::Pod(&on(pod("r", "1"), "n2")));
    assert!(answer(&mut rig, &question, &said).is_empty(), "somebody else has placed it");
}

#[test]
fn the_nominated_node_is_asked_about_first() {
    for (said, then) in [
        (Some(passed(&[("n2", 0)], &[])), None),
        (Some(passed(&[], &[("n2", "no", true)])), Some(3)),
        (None, Some(3)),
    ] {
        let mut rig = Rig::asking(&three(), FILTER);
        let mut nominated = pod("p", "1");
        nominated.status.nominated_node_name = "n2".into();
        let question = asked(&rig.try_pod(&nominated));
        assert_eq!(nodes(&question), ["n2"]);
        let answer = said.as_ref().ok_or("EOF");
        let actions = rig.step(Event::Answered { number: question.number, answer }).actions;
        match then {
            None => assert_eq!(bound(&actions).as_deref(), Some("n2")),
            Some(count) => assert_eq!(nodes(&asked(&actions)).len(), count),
        }
    }
}

/// A pod that two others are in the way of, and the question whom to evict.
fn preempting() -> (Rig, Question) {
    let mut rig = Rig::asking(&[node("n1", "a", "2", "10"), node("n2", "a", "2", "10")], ALL);
    for (name, node, priority) in [("a", "n1", 1), ("b", "n2", 5), ("bystander", "n2", 100)] {
        let cpu = if name == "bystander" { "0" } else { "2" };
        rig.step(Event::Pod(&on(with_priority(pod(name, cpu), priority), node)));
    }
    let question = asked(&rig.try_pod(&with_priority(pod("p", "2"), 50)));
    (rig, question)
}

#[test]
fn extenders_choose_among_evictions() {
    let (mut rig, question) = preempting();
    let Subject::Victims { mut evictions, there } = question.about.clone() else { panic!("{question:?}") };
    evictions.sort_by_key(|eviction| eviction.node.clone());
    let names = |of: &Eviction| of.victims.iter().map(|own| own.name.to_string()).collect::<Vec<_>>();
    assert_eq!(evictions.iter().map(names).collect::<Vec<_>>(), [["a"], ["b"]]);
    let mut on_nodes: Vec<usize> = there.iter().map(Vec::len).collect();
    on_nodes.sort_unstable();
    assert_eq!(on_nodes, [1, 2]);
    evictions.remove(0);
    let actions = answer(&mut rig, &question, &Answer::Victims(evictions));
    let [Action::Preempt { node, victims, .. }, ..] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!((&**node, &*victims[0].name), ("n2", "b"), "though n1 would cost less");
    let failure = failure(&actions);
    assert!(
        failure.message.ends_with("found a potential placement for pod on node n2, preempting 1 victims")
    );
    assert_eq!(failure.nomination, Nomination::Node("n2".into()));
}

#[test]
fn without_an_eviction_that_would_do_nobody_is_evicted() {
    let none = Answer::Victims(Vec::new());
    for (said, why) in [(Ok(&none), "no candidate node for preemption"), (Err("code 500"), "code 500")] {
        let (mut rig, question) = preempting();
        let outputs = rig.step(Event::Answered { number: question.number, answer: said });
        let [Action::Failed(failure)] = outputs.actions.as_slice() else { panic!("{outputs:?}") };
        assert_eq!(
            failure.message,
            format!("0/2 nodes are available: 2 Insufficient cpu. preemption: {why}")
        );
        assert_eq!(failure.nomination, Nomination::Keep);
    }
}

#[test]
fn a_victim_that_went_by_itself_while_extenders_were_asked_is_no_victim() {
    let (mut rig, question) = preempting();
    let Subject::Victims { evictions, .. } = question.about.clone() else { panic!("{question:?}") };
    for uid in ["uid-a", "uid-b"] {
        rig.step(Event::PodGone(uid));
    }
    let actions = answer(&mut rig, &question, &Answer::Victims(evictions));
    assert!(failure(&actions).message.ends_with("preemption: no candidate node for preemption"));
    assert_eq!(nodes(&asked(&rig.run())).len(), 2, "there is room now, and that is not forgotten");
}
