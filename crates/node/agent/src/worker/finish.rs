//! A pod's end: taking everything of it away, and then letting the API forget it.

use node_pod::container::log_directory;

use super::Worker;
use crate::calls::PODS;
use crate::core::blocking;
use crate::error::AgentError;
use crate::records::remove_tree;

impl Worker {
    /// Takes away what the pod had of the node. Its record and logs stay.
    pub(super) async fn take_away(&mut self) -> Result<(), AgentError> {
        if let Some(handle) = &self.handle {
            handle.delete().await?;
        }
        self.core.runtime.remove_remains(&self.record.uid).await?;
        self.core.unmount_all(&self.record.uid).await?;
        self.core.tokens.forget(&self.record.uid);
        self.core.certificates.forget(&self.record.uid);
        self.handle = None;
        self.events = None;
        let (network, uid) = (self.core.network()?, self.record.uid.clone());
        blocking(move || Ok(network.remove(&uid)?)).await?;
        self.core.images.forget(&self.record.uid);
        Ok(())
    }

    /// Once the pod's last status was taken, lets the API delete it, if it is to be deleted; once it is gone there, forgets it here.
    pub(super) async fn forget(&mut self) -> Result<bool, AgentError> {
        if self.present {
            let deleting = self.pod.as_ref().is_some_and(|pod| pod.metadata.deletion_timestamp.is_some());
            if !deleting || self.deleted {
                return Ok(false);
            }
            self.reporter.settled().await;
            let (namespace, name) = (self.record.namespace.clone(), self.record.name.clone());
            match self.core.calls.delete_now(PODS, &namespace, &name, &self.record.uid).await {
                Ok(()) => {}
                // Another of its name has come in its place, or it is gone already.
                Err(error) if error.is_not_found() => {}
                Err(error) if error.status().is_some_and(client::Status::is_conflict) => {}
                Err(error) => return Err(error),
            }
            // Not before the view shows it: until then the pod would be taken for a new one.
            self.deleted = true;
            return Ok(false);
        }
        self.core.directory.remove(&self.record);
        let logs = self.core.config.log_dir.join(log_directory(
            &self.record.namespace,
            &self.record.name,
            &self.record.uid,
        ));
        let (records, uid) = (self.core.records.clone(), self.record.uid.clone());
        blocking(move || {
            remove_tree(&logs)?;
            records.remove(&uid)
        })
        .await?;
        Ok(true)
    }
}
