//! How the parts of this process are, for ComponentStatus.

use std::sync::Arc;

use server_local::Check;
use tokio::task::AbortHandle;

/// Well as long as the task runs.
pub fn alive(task: AbortHandle) -> Check {
    Arc::new(move || if task.is_finished() { Err("it has ended".to_owned()) } else { Ok(()) })
}
