//! A network namespace of the test's own: what a cluster does to its machine's network stays in there.

use std::path::PathBuf;
use std::process::Command;

/// A namespace with one interface, which ends with the value.
pub struct Network {
    name: String,
}

/// The address of the machine in there (TEST-NET-2).
pub const ADDRESS: &str = "198.51.100.1";

impl Network {
    /// Makes it, at [`ADDRESS`] and without a default route. Needs root.
    pub fn new(name: &str) -> Network {
        Network::with(name, ADDRESS, None)
    }

    /// Makes it, with this address, and a default route if there is a gateway.
    pub fn with(name: &str, address: &str, gateway: Option<&str>) -> Network {
        let network = Network { name: format!("knarr-{name}-{}", std::process::id()) };
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
        network
    }

    /// A command that runs in there.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        let path = PathBuf::from("/run/netns").join(&self.name);
        command.arg(format!("--net={}", path.display())).arg(program);
        command
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().expect("iproute2 is installed: ./dev setup");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors} (these tests need root)");
}
