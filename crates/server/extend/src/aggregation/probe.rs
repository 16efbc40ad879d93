//! Whether somebody answers for a group and version.
//!
//! Several are asked at once, each at an endpoint of its own choice: one that answers will do, and one dead server among many does not take
//! the whole away.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::Aggregation;
use super::ask::{Question, ask};
use super::route::Route;
use crate::limits::{DISCOVERY, PROBES};

/// Asks.
///
/// # Errors
/// Why nobody answered, in upstream's words: the last reason, if there are several.
pub(super) async fn probe(aggregation: &Aggregation, route: &Route) -> Result<(), String> {
    let mut asked: FuturesUnordered<_> = (0..PROBES).map(|_| once(aggregation, route)).collect();
    let mut last = Ok(());
    while let Some(answered) = asked.next().await {
        if answered.is_ok() {
            return answered;
        }
        last = answered;
    }
    last
}

async fn once(aggregation: &Aggregation, route: &Route) -> Result<(), String> {
    let address = aggregation.resolve(route)?;
    let path = route.root();
    let question = Question { path: &path, limit: DISCOVERY, ..Question::default() };
    let url = format!("https://{address}{path}");
    let failing = |why: String| format!("failing or missing response from {url}: {why}");
    let answered = ask(aggregation.clock(), route, &address, question).await.map_err(failing)?;
    match answered.status {
        200..300 => Ok(()),
        status => Err(failing(format!("bad status from {url}: {status}"))),
    }
}
