//! Lifecycle hooks: what runs right after a container's start and right before its stop.

use std::time::Duration;

use api_types::core::v1::{Container, LifecycleHandler};
use node_runtime::PodHandle;

use crate::action::{self, Outcome};
use crate::core::Core;

/// Runs a hook of a container.
pub(crate) async fn run(
    core: &Core,
    handle: &PodHandle,
    (container, id): (&Container, &str),
    address: &str,
    hook: &LifecycleHandler,
    patience: Duration,
) -> Outcome {
    let clock = core.clock.as_ref();
    if let Some(exec) = &hook.exec {
        return action::exec(handle, id, &exec.command, clock, patience).await;
    }
    if let Some(get) = &hook.http_get {
        let host = if get.host.is_empty() { address } else { &get.host };
        let port = action::port(&get.port, container)?;
        return action::http(get, host, port, clock, patience).await;
    }
    if let Some(sleep) = &hook.sleep {
        let wanted = Duration::from_secs(u64::try_from(sleep.seconds).unwrap_or(0));
        clock.sleep(wanted.min(patience)).await;
    }
    Ok(String::new())
}
