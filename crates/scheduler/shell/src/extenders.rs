//! Extenders asked for the core: what they need to see of pods and nodes comes from the views.
//!
//! Who they are and how they are reached is `scheduler-extender`'s to know, so that nobody builds TLS for a scheduler that asks nobody.

use std::sync::Arc;

use api_record::Record;
use api_types::core::v1::{Node, Pod};
use client::BoxFuture;
use scheduler::{Answer, Eviction, Passed, PodRef, Question, Subject};

use crate::{Done, Hands};

/// Whoever asks extenders.
pub trait Extenders: Send + Sync {
    /// What they are asked about.
    fn about(&self) -> scheduler::Extenders;

    /// Whether any of them is interested in a pod.
    fn care(&self, pod: &Pod) -> bool;

    /// Which of the nodes would do, and how good they are. Each is a [`Node`].
    fn nodes<'a>(
        &'a self,
        pod: &'a Pod,
        nodes: &'a [Arc<dyn Record>],
    ) -> BoxFuture<'a, Result<Passed, String>>;

    /// Which of the evictions would do.
    fn victims<'a>(
        &'a self,
        pod: &'a Pod,
        evictions: Vec<Eviction>,
        there: &'a There<'a>,
    ) -> BoxFuture<'a, Result<Vec<Eviction>, String>>;

    /// Binds a pod to a node; `None` if that is left to the scheduler.
    fn bind<'a>(&'a self, pod: &'a Pod, node: &'a str) -> BoxFuture<'a, Option<Result<(), String>>>;
}

/// What is known of the pods on nodes that could be evicted from.
pub struct There<'a> {
    /// All pods on the node of each eviction.
    pub pods: &'a [(Arc<str>, Vec<PodRef>)],
    /// A pod as it is now, if it is still the same.
    pub find: &'a (dyn Fn(&PodRef) -> Option<Pod> + Send + Sync),
}

impl Hands {
    /// Asks the extenders, and tells the core what they say.
    pub(crate) async fn ask(&self, question: Question) {
        let answer = self.answer(question.pod, question.about).await;
        // The loop outlives its work.
        let _ = self.done.send(Done::Answered(question.number, answer));
    }

    async fn answer(&self, of: PodRef, about: Subject) -> Result<Answer, String> {
        let pod = self.pod(&of).ok_or_else(|| format!("pod {:?} not found", &*of.name))?;
        let extenders = self.extenders.as_deref().filter(|extenders| extenders.care(&pod));
        match (about, extenders) {
            (Subject::Nodes(names), None) => {
                let nodes = names.into_iter().map(|name| (name, 0)).collect();
                Ok(Answer::Nodes(Passed { nodes, ..Passed::default() }))
            }
            (Subject::Nodes(names), Some(extenders)) => {
                let nodes: Vec<Arc<dyn Record>> = match &self.nodes {
                    Some(view) => {
                        let snapshot = view.snapshot();
                        names.iter().filter_map(|name| snapshot.get("", name).cloned()).collect()
                    }
                    None => Vec::new(),
                };
                extenders.nodes(&pod, &nodes).await.map(Answer::Nodes)
            }
            (Subject::Victims { evictions, .. }, None) => Ok(Answer::Victims(evictions)),
            (Subject::Victims { evictions, there }, Some(extenders)) => {
                let nodes = evictions.iter().map(|eviction| Arc::clone(&eviction.node));
                let pods: Vec<(Arc<str>, Vec<PodRef>)> = nodes.zip(there).collect();
                let there = There { pods: &pods, find: &|of| self.pod(of) };
                extenders.victims(&pod, evictions, &there).await.map(Answer::Victims)
            }
        }
    }

    /// Lets the extender bind a pod whose business that is; `None` if there is none.
    pub(crate) async fn bind_by_extender(&self, of: &PodRef, node: &str) -> Option<Result<(), String>> {
        let extenders = self.extenders.as_deref()?;
        let pod = self.pod(of)?;
        extenders.bind(&pod, node).await
    }
}

/// The name of a node.
pub fn name(node: &dyn Record) -> &str {
    node.downcast_ref::<Node>().map_or("", |node| &node.metadata.name)
}
