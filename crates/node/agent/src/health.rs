//! Whether the node can run pods at all: what its runtime and its network last said of themselves. The Ready condition is made of this.

use tokio::sync::watch;

/// A part's last word; `None` until it has said anything.
type Said = Option<Result<(), String>>;

/// The parts without which no pod can run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) runtime: Said,
    pub(crate) network: Said,
}

impl Parts {
    /// `None` until every part has spoken: whether the node is ready is then not known. Otherwise what is wrong, in kubelet's words.
    pub(crate) fn verdict(&self) -> Option<Result<(), String>> {
        let mut wrong = Vec::new();
        if let Err(error) = self.runtime.as_ref()? {
            wrong.push(format!(
                "container runtime not ready: RuntimeReady=false reason:RuntimeNotReady message:{error}"
            ));
        }
        if let Err(error) = self.network.as_ref()? {
            wrong.push(format!(
                "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:{error}"
            ));
        }
        Some(match wrong.as_slice() {
            [] => Ok(()),
            [one] => Err(one.clone()),
            several => Err(format!("[{}]", several.join(", "))),
        })
    }
}

/// The parts' last words, and who waits for them to change.
#[derive(Debug, Default)]
pub(crate) struct Health(watch::Sender<Parts>);

impl Health {
    pub(crate) fn say_runtime(&self, said: Result<(), String>) {
        self.say(|parts| &mut parts.runtime, said);
    }

    pub(crate) fn say_network(&self, said: Result<(), String>) {
        self.say(|parts| &mut parts.network, said);
    }

    fn say(&self, part: fn(&mut Parts) -> &mut Said, said: Result<(), String>) {
        self.0.send_if_modified(|parts| {
            let said = Some(said);
            let changed = *part(parts) != said;
            *part(parts) = said;
            changed
        });
    }

    pub(crate) fn now(&self) -> Parts {
        self.0.borrow().clone()
    }

    pub(crate) fn changes(&self) -> watch::Receiver<Parts> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_ready_when_all_of_it_is() {
        let fine = || Some(Ok(()));
        let broken = |text: &str| Some(Err(text.to_owned()));
        let runtime =
            "container runtime not ready: RuntimeReady=false reason:RuntimeNotReady message:read-only";
        let network = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:no nft";
        let cases = [
            (None, None, None),
            (fine(), None, None),
            (None, broken("no nft"), None),
            (fine(), fine(), Some(Ok(()))),
            (broken("read-only"), fine(), Some(Err(runtime.to_owned()))),
            (fine(), broken("no nft"), Some(Err(network.to_owned()))),
            (broken("read-only"), broken("no nft"), Some(Err(format!("[{runtime}, {network}]")))),
        ];
        for (runtime, network, wanted) in cases {
            assert_eq!(Parts { runtime, network }.verdict(), wanted);
        }
    }
}
