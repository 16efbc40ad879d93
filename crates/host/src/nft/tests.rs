//! Both forms through the same facts.

use super::*;
use crate::netlink::{LinuxNetlink, Netlink};

fn check(nft: &dyn Nft) {
    let table = Table { family: Family::Ip, name: "knarr-test".into() };
    let text = "table ip knarr-test {\n map m {\n type ipv4_addr . inet_proto . inet_service : verdict\n }\n set s {\n \
                type ipv4_addr\n flags interval\n }\n chain c {\n }\n}";
    assert_eq!(nft.list(&table).unwrap(), None);
    nft.apply(&[Command::Drop(table.clone())]).unwrap();
    let elements = |pairs: &[(&str, &str)]| -> Elements {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let first = elements(&[("10.0.0.1 . tcp . 80", "goto c"), ("10.0.0.2 . udp . 53", "drop")]);
    for _ in 0..2 {
        nft.apply(&[
            Command::Define(table.clone(), text.into()),
            Command::Add(table.clone(), "m".into(), first.clone()),
            Command::Add(table.clone(), "s".into(), elements(&[("10.0.0.0/8", "")])),
        ])
        .unwrap();
    }
    assert_eq!(nft.elements(&table, "m").unwrap(), first);
    let contents = nft.list(&table).unwrap().unwrap();
    assert_eq!(contents.chains, ["c"]);
    assert_eq!(contents.sets["s"], elements(&[("10.0.0.0/8", "")]));

    let gone = vec!["10.0.0.1 . tcp . 80".to_owned(), "10.0.0.9 . tcp . 80".to_owned()];
    assert!(nft.apply(&[Command::Delete(table.clone(), "m".into(), gone)]).is_err());
    assert_eq!(nft.elements(&table, "m").unwrap(), first, "a transaction that fails changes nothing");
    nft.apply(&[
        Command::Chain(table.clone(), "d".into(), vec!["accept".into()]),
        Command::Delete(table.clone(), "m".into(), vec!["10.0.0.1 . tcp . 80".into()]),
        Command::Add(table.clone(), "m".into(), elements(&[("10.0.0.1 . tcp . 80", "goto d")])),
    ])
    .unwrap();
    assert!(nft.apply(&[Command::DropChain(table.clone(), "d".into())]).is_err(), "a map refers to it");
    assert_eq!(nft.elements(&table, "m").unwrap()["10.0.0.1 . tcp . 80"], "goto d");
    nft.apply(&[Command::Drop(table.clone())]).unwrap();
    assert_eq!(nft.list(&table).unwrap(), None);
    assert!(nft.elements(&table, "m").unwrap().is_empty());
}

#[test]
fn the_sim_keeps_elements_and_refuses_what_the_kernel_would() {
    check(&SimNft::default());
}

struct Pin(std::path::PathBuf);

impl Drop for Pin {
    fn drop(&mut self) {
        LinuxNetlink::new().unpin(&self.0).unwrap();
    }
}

#[test]
fn the_kernel_does_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let pin = Pin(folder.path().join("node"));
    LinuxNetlink::new().pin(&pin.0).unwrap();
    check(&LinuxNft::at(&pin.0));
}
