//! A network namespace of the test's own: what a cluster does to its machine's network stays in there.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

/// A namespace with one interface, which ends with the last value that stands for it.
#[derive(Clone)]
pub struct Network(Arc<Namespace>);

struct Namespace {
    name: String,
}

/// The address of the machine in there (TEST-NET-2).
pub const ADDRESS: &str = "198.51.100.1";

/// The address of a second machine on the same link.
pub const SECOND_ADDRESS: &str = "198.51.100.2";

impl Network {
    /// Makes it, at [`ADDRESS`] and without a default route. Needs root.
    pub fn new(name: &str) -> Network {
        Network::with(name, ADDRESS, None)
    }

    /// Makes it, with this address, and a default route if there is a gateway.
    pub fn with(name: &str, address: &str, gateway: Option<&str>) -> Network {
        let network = Namespace { name: format!("knarr-{name}-{}", std::process::id()) };
        run("ip", &["netns", "add", &network.name]);
        let inside = |words: &[&str]| run("ip", &[&["-n", network.name.as_str()], words].concat());
        inside(&["link", "set", "lo", "up"]);
        inside(&["link", "add", "e0", "type", "veth", "peer", "name", "e1"]);
        inside(&["addr", "add", &format!("{address}/24"), "dev", "e0"]);
        inside(&["link", "set", "e0", "up"]);
        inside(&["link", "set", "e1", "up"]);
        if let Some(gateway) = gateway {
            inside(&["route", "add", "default", "via", gateway]);
        }
        Network(Arc::new(network))
    }

    /// A second machine at the other end of this one's link.
    pub fn beside(&self, name: &str) -> Network {
        let network = Namespace { name: format!("knarr-{name}-{}", std::process::id()) };
        run("ip", &["netns", "add", &network.name]);
        run("ip", &["-n", &self.0.name, "link", "set", "e1", "netns", &network.name]);
        let inside = |words: &[&str]| run("ip", &[&["-n", network.name.as_str()], words].concat());
        inside(&["link", "set", "lo", "up"]);
        inside(&["addr", "add", &format!("{SECOND_ADDRESS}/24"), "dev", "e1"]);
        inside(&["link", "set", "e1", "up"]);
        Network(Arc::new(network))
    }

    /// Does something in there; sockets that it opens belong there for good.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let path = PathBuf::from("/run/netns").join(&self.0.name);
        host::netlink::within(&path, work).expect("the namespace can be entered")
    }

    /// A command that runs in there.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        let path = PathBuf::from("/run/netns").join(&self.0.name);
        command.arg(format!("--net={}", path.display())).arg(program);
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().expect("iproute2 is installed: ./dev setup");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors} (these tests need root)");
}
