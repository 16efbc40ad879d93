//! Asking scheduler extenders: programs over HTTP that have a say in where pods go.
//!
//! Layer: above `scheduler-shell`, whose [`Extenders`] it is, and `client-remote`, whose sockets it uses; a leaf, so that only the binary
//! builds TLS for a scheduler. Entry point: [`Client`], made of what a configuration says ([`scheduler_config::Extender`]).
//!
//! How it works: `wire` is what is said and read, `call` says it to one extender, `merge` has the rules by which several answers become one.
//! Nodes pass one extender after another; who rates them is asked at once. Whoever may be ignored is passed over when it fails, and who rates
//! may always fail.
//!
//! Invariants: an extender is asked only about pods that are its business, and once; what it answers is of nodes and pods that it was asked
//! about. State: connections that are kept for the next call. Failure: an error in upstream's words, which becomes the pod's; the pod
//! is tried again after a back-off. Redirects are not followed. Limits: [`limits`], and each extender's own time.
//!
//! Upstream behaviour answered to: `pkg/scheduler/extender.go`, `findNodesThatPassExtenders`, `prioritizeNodes` and `extendersBinding` in
//! `schedule_one.go`, `callExtenders` in `framework/preemption` of k8s.io/kubernetes v1.37.1, but that candidates' nodes are the only ones
//! that can be evicted from, and that scores are reckoned with nodes as they are, whatever of them an extender gives back.
//!
//! How to test: `cargo test -p scheduler-extender`: tables of the rules, and extenders that are real servers, asked by a scheduler on an API.

mod call;
pub mod limits;
mod merge;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use api_record::Record;
use api_types::core::v1::{Node, Pod};
use base::time::Clock;
use client::BoxFuture;
use futures_util::future::join_all;
use scheduler::{Eviction, Passed};
use scheduler_config::Extender;
use scheduler_shell::{Extenders, There, name};

use call::Line;
use merge::{Filtering, is_interested};

/// Asks extenders.
pub struct Client {
    lines: Vec<Line>,
    clock: Arc<dyn Clock>,
}

impl Client {
    /// Those who are asked, in this order; what TLS needs of files has been read.
    ///
    /// # Errors
    /// If one cannot be spoken to as it should be, in upstream's words.
    pub fn new(extenders: &[Extender], clock: Arc<dyn Clock>) -> Result<Client, String> {
        let lines = extenders.iter().map(Line::new).collect::<Result<_, _>>();
        Ok(Client { lines: lines.map_err(|why| format!("couldn't build extenders: {why}"))?, clock })
    }

    /// Those whose business a pod is, and who have a verb for what they are asked.
    fn asked<'a>(
        &'a self,
        pod: &'a Pod,
        verb: fn(&Extender) -> &str,
    ) -> impl Iterator<Item = (&'a Line, &'a str)> {
        let with_verb = self.lines.iter().map(move |line| (line, verb(&line.of)));
        with_verb.filter(move |(line, verb)| !verb.is_empty() && is_interested(&line.of, pod))
    }

    async fn rate_and_filter(&self, pod: &Pod, nodes: &[Arc<dyn Record>]) -> Result<Passed, String> {
        let names = nodes.iter().map(|node| name(&**node).into()).collect();
        let mut filtering = Filtering { nodes: names, ..Filtering::default() };
        for (line, verb) in self.asked(pod, |of| &of.filter_verb) {
            if filtering.nodes.is_empty() {
                break;
            }
            let body = wire::about_nodes(pod, &those(nodes, &filtering.nodes), line.of.is_node_cache_capable);
            let answer = line.post(&*self.clock, verb, body).await;
            let taken = answer
                .and_then(|body| wire::filter_result(&body))
                .and_then(|result| filtering.take(&line.of, result));
            forgive(line, taken)?;
        }
        let Filtering { nodes: passed, rejected } = filtering;
        let totals = match passed.len() {
            0 | 1 => BTreeMap::new(),
            _ => self.rate(pod, &those(nodes, &passed)).await,
        };
        let with_total = |node: Arc<str>| {
            let total = totals.get(&*node).copied().unwrap_or_default();
            (node, total)
        };
        Ok(Passed { nodes: passed.into_iter().map(with_total).collect(), rejected })
    }

    /// What extenders give to nodes, altogether. One that fails gives nothing.
    async fn rate(&self, pod: &Pod, nodes: &[&Node]) -> BTreeMap<String, i64> {
        let asked = self.asked(pod, |of| &of.prioritize_verb).map(|(line, verb)| async move {
            let body = wire::about_nodes(pod, nodes, line.of.is_node_cache_capable);
            let answer = line.post(&*self.clock, verb, body).await;
            (line, answer.and_then(|body| wire::priorities(&body)))
        });
        let mut totals = BTreeMap::new();
        for (line, answer) in join_all(asked).await {
            match answer {
                Ok(priorities) => merge::add(&mut totals, &line.of, priorities),
                Err(error) => tracing::debug!(extender = line.of.url_prefix, error, "extender.prioritize"),
            }
        }
        totals
    }

    async fn choose(
        &self,
        pod: &Pod,
        mut evictions: Vec<Eviction>,
        there: &There<'_>,
    ) -> Result<Vec<Eviction>, String> {
        for (line, verb) in self.asked(pod, |of| &of.preempt_verb) {
            if evictions.is_empty() {
                break;
            }
            let by_uid = line.of.is_node_cache_capable;
            let victims = |of: &Eviction| {
                let whole = of.victims.iter().filter(|_| !by_uid);
                let victims = wire::Victims {
                    pods: whole.filter_map(there.find).collect(),
                    uids: of.victims.iter().map(|own| own.uid.to_string()).collect(),
                    violations: of.violations,
                };
                (of.node.to_string(), victims)
            };
            let body = wire::about_victims(pod, &evictions.iter().map(victims).collect(), by_uid);
            let answer = line.post(&*self.clock, verb, body).await;
            let left = answer
                .and_then(|body| wire::preemption_result(&body))
                .and_then(|result| merge::evictions(&line.of, &evictions, there.pods, result));
            forgive(line, left.map(|left| evictions = left))?;
        }
        Ok(evictions)
    }

    async fn bind_to(&self, pod: &Pod, node: &str) -> Option<Result<(), String>> {
        for (line, verb) in self.asked(pod, |of| &of.bind_verb) {
            let answer = line.post(&*self.clock, verb, wire::binding(pod, node)).await;
            let result = answer.and_then(|body| match wire::binding_result(&body)? {
                error if error.is_empty() => Ok(()),
                error => Err(error),
            });
            if result.is_ok() || !line.of.is_ignorable {
                return Some(result);
            }
            // Somebody else binds it.
            let _ = forgive(line, result);
        }
        None
    }
}

impl Extenders for Client {
    fn about(&self) -> scheduler::Extenders {
        let any = |verb: fn(&Extender) -> &str| self.lines.iter().any(|line| !verb(&line.of).is_empty());
        scheduler::Extenders {
            filter: any(|of| &of.filter_verb),
            prioritize: any(|of| &of.prioritize_verb),
            preempt: any(|of| &of.preempt_verb),
        }
    }

    fn care(&self, pod: &Pod) -> bool {
        self.lines.iter().any(|line| is_interested(&line.of, pod))
    }

    fn nodes<'a>(
        &'a self,
        pod: &'a Pod,
        nodes: &'a [Arc<dyn Record>],
    ) -> BoxFuture<'a, Result<Passed, String>> {
        Box::pin(self.rate_and_filter(pod, nodes))
    }

    fn victims<'a>(
        &'a self,
        pod: &'a Pod,
        evictions: Vec<Eviction>,
        there: &'a There<'a>,
    ) -> BoxFuture<'a, Result<Vec<Eviction>, String>> {
        Box::pin(self.choose(pod, evictions, there))
    }

    fn bind<'a>(&'a self, pod: &'a Pod, node: &'a str) -> BoxFuture<'a, Option<Result<(), String>>> {
        Box::pin(self.bind_to(pod, node))
    }
}

/// Passes an error over that does not matter.
fn forgive(line: &Line, result: Result<(), String>) -> Result<(), String> {
    match result {
        Err(error) if line.of.is_ignorable => {
            tracing::info!(extender = line.of.url_prefix, error, "extender.ignored");
            Ok(())
        }
        result => result,
    }
}

/// Those nodes that are named.
fn those<'a>(nodes: &'a [Arc<dyn Record>], names: &[Arc<str>]) -> Vec<&'a Node> {
    let mut names = names.iter();
    let mut next = names.next();
    let is_next = |node: &&Node| {
        let is_next = next.is_some_and(|next| **next == *node.metadata.name);
        if is_next {
            next = names.next();
        }
        is_next
    };
    nodes.iter().filter_map(|node| node.downcast_ref::<Node>()).filter(is_next).collect()
}
