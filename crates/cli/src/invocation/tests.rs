//! Command lines against an environment and files in memory: precedence, lists, suggestions, rules.

use std::io;

use super::*;
use crate::arguments::value::Component;

#[derive(Default)]
struct Fake {
    variables: Vec<(&'static str, &'static str)>,
    files: BTreeMap<PathBuf, &'static str>,
}

impl Fake {
    fn variable(mut self, name: &'static str, value: &'static str) -> Fake {
        self.variables.push((name, value));
        self
    }

    fn file(mut self, path: &str, text: &'static str) -> Fake {
        self.files.insert(path.into(), text);
        self
    }

    fn config(self, text: &'static str) -> Fake {
        self.file(CONFIG_FILE, text)
    }
}

impl Surroundings for Fake {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    fn variables(&self) -> Vec<String> {
        self.variables.iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    fn read(&self, path: &Path) -> io::Result<Option<String>> {
        Ok(self.files.get(path).map(|text| (*text).to_owned()))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self.files.keys().filter(|path| path.parent() == Some(directory)).cloned().collect())
    }

    fn current_dir(&self) -> PathBuf {
        "/home/me".into()
    }

    fn host_name(&self) -> String {
        "Box.lan".to_owned()
    }
}

fn invocation(line: &str, around: &Fake) -> Result<Invocation, String> {
    let words = line.split(' ').map(OsString::from).collect();
    read(words, around).map_err(|error| base::error::Chain(&error).to_string())
}

fn server(line: &str, around: &Fake) -> ServerConfig {
    match invocation(line, around).expect(line) {
        Invocation::Server(config) | Invocation::Up(config, _) => *config,
        other => panic!("{line} gave {other:?}"),
    }
}

#[test]
fn defaults_are_those_of_the_front_page() {
    let config = server("knarr server", &Fake::default());
    assert_eq!(config.place.data_dir, Path::new("/var/lib/knarr"));
    assert_eq!(config.place.kubeconfig, Path::new("/etc/knarr/knarr.yaml"));
    assert_eq!(config.place.context(), "knarr");
    assert_eq!((config.https_listen_port, config.advertise_port), (6443, 6443));
    assert_eq!(config.cluster_cidr.to_string(), "10.42.0.0/16");
    assert_eq!(config.service_cidr.to_string(), "10.43.0.0/16");
    assert_eq!(config.cluster_dns.to_string(), "10.43.0.10");
    assert_eq!(config.kubernetes_service().to_string(), "10.43.0.1");
    assert_eq!(config.service_node_port_range.to_string(), "30000-32767");
    assert_eq!(config.cluster_domain, "cluster.local");
    assert_eq!(config.kubeconfig_mode, 0o600);
    assert_eq!(config.node.name.as_str(), "box.lan");
    assert_eq!(config.bind_address.to_string(), "0.0.0.0");
    assert!(!config.disable_agent && config.token.is_none());
}

#[test]
fn flags_outrank_the_environment_which_outranks_files() {
    let everywhere = || {
        Fake::default()
            .config("data-dir: /file\ntoken: file\nnode-name: file\nhttps-listen-port: 7000\ndisable-agent: true\n")
            .file("/etc/knarr/config.yaml.d/10.yaml", "https-listen-port: 7001\n")
            .file("/etc/knarr/config.yaml.d/readme.txt", "not read: at all")
            .variable("KNARR_TOKEN", "variable")
            .variable("KNARR_NODE_NAME", "variable")
    };
    let config = server("knarr server --node-name=flag", &everywhere());
    assert_eq!(config.node.name.as_str(), "flag");
    assert_eq!(config.token.expect("a token").reveal(), "variable");
    assert_eq!(config.place.data_dir, Path::new("/file"));
    assert_eq!(config.place.kubeconfig, Path::new("/file/knarr.yaml"));
    assert_eq!(config.https_listen_port, 7001);
    assert!(config.disable_agent);
    assert!(!server("knarr server --disable-agent=false", &everywhere()).disable_agent);
}

#[test]
fn lists_come_from_one_source_and_commas_separate() {
    let file = || {
        Fake::default().config("tls-san: [a.example, b.example]\ndisable: traefik,dns\nnode-label: [a=b]\n")
    };
    let config = server("knarr server --tls-san c.example --tls-san d.example,e.example", &file());
    assert_eq!(config.tls_san, ["c.example", "d.example", "e.example"]);
    assert_eq!(config.disable, [Component::Coredns, Component::Traefik].into());
    assert_eq!(config.node.labels.len(), 1);
}

#[test]
fn registries_are_described_by_a_file_of_their_own() {
    let file = || Fake::default().config("private-registry: own.yaml\n");
    assert_eq!(server("knarr server", &Fake::default()).node.private_registry, None);
    let named = server("knarr server", &file()).node.private_registry.expect("it is named");
    assert!(named.is_absolute() && named.ends_with("own.yaml"), "{}", named.display());
}

#[test]
fn one_file_serves_server_agent_and_local_commands() {
    let file = || {
        Fake::default()
            .config("server: https://1.2.3.4\ntoken: t\ndata-dir: rel/./dir/\ncluster-cidr: 10.1.0.0/16\n")
    };
    let Ok(Invocation::Agent(agent)) = invocation("knarr agent", &file()) else { panic!("an agent") };
    let crate::config::Cluster::Join { server: url, token } = &agent.cluster else {
        panic!("it does not join")
    };
    assert_eq!((url.to_string(), token.reveal()), ("https://1.2.3.4:6443".to_owned(), "t"));
    assert_eq!(server("knarr server", &file()).cluster_cidr.to_string(), "10.1.0.0/16");
    let Ok(Invocation::Down(place, true)) = invocation("knarr down --purge", &file()) else { panic!("down") };
    assert_eq!(place.data_dir, Path::new("/home/me/rel/dir"));
    assert_eq!(place.context(), format!("knarr-{}", place.cluster_id));
    let Ok(Invocation::Kubectl(place, words)) = invocation("knarr kubectl get -o yaml", &file()) else {
        panic!("kubectl")
    };
    assert_eq!(place.data_dir, Path::new("/home/me/rel/dir"));
    assert_eq!(words, ["get", "-o", "yaml"]);
}

#[test]
fn another_configuration_file_is_read_when_asked_for() {
    let around = || {
        Fake::default()
            .file("/home/me/my.yaml", "https-listen-port: 7000")
            .file("/other.yaml", "https-listen-port: 8000")
    };
    assert_eq!(server("knarr server -c my.yaml", &around()).https_listen_port, 7000);
    let from_variable = around().variable("KNARR_CONFIG_FILE", "/other.yaml");
    assert_eq!(server("knarr server", &from_variable).https_listen_port, 8000);
    assert_eq!(server("knarr server -c my.yaml", &from_variable).https_listen_port, 7000);
    let error = invocation("knarr server -c none.yaml", &around()).expect_err("no such file");
    assert_eq!(error, "the configuration file /home/me/none.yaml does not exist");
}

#[test]
fn a_token_is_one_thing_however_it_is_given() {
    let around =
        || Fake::default().file("/t", " secret\n").config("token: file").variable("KNARR_TOKEN", "variable");
    assert_eq!(server("knarr server --token-file /t", &around()).token.expect("a token").reveal(), "secret");
    assert_eq!(server("knarr server -t flag", &around()).token.expect("a token").reveal(), "flag");
    let both = Fake::default().config("token-file: /t").file("/t", "x").variable("KNARR_TOKEN", "variable");
    assert_eq!(server("knarr server", &both).token.expect("a token").reveal(), "variable");
    let error = invocation("knarr server --token-file /none", &around()).expect_err("no file");
    assert_eq!(error, "cannot read --token-file /none: entity not found");
}

#[test]
fn local_commands_find_the_kubeconfig_that_the_server_wrote() {
    let record = r#"{"role":"server","process":{"pid":1,"started_ticks":2},"boot":"b","dataDir":"/d","clusterId":"abcd",
        "kubeconfig":"/home/me/k.yaml","supervised":false,"ranges":null}"#;
    let around = Fake::default().file("/d/server/knarr.pid", record);
    for (line, expected) in [
        ("knarr status -d /d", "/home/me/k.yaml"),
        ("knarr status -d /d -o /o", "/o"),
        ("knarr status -d /e", "/e/knarr.yaml"),
    ] {
        let Ok(Invocation::Status(place)) = invocation(line, &around) else { panic!("{line}") };
        assert_eq!(place.kubeconfig, Path::new(expected), "{line}");
    }
}

#[test]
fn a_cluster_is_started_with_what_it_was_made_with() {
    let record = r#"{"role":"server","process":{"pid":1,"started_ticks":2},"boot":"b","dataDir":"/d","clusterId":"abcd",
        "kubeconfig":"/k.yaml","supervised":false,"ranges":null,"settings":{"cluster-cidr":"10.9.0.0/16"},
        "kept":{"cluster-cidr":"10.1.0.0/16","node-name":"one","write-kubeconfig":"/home/me/k.yaml"}}"#;
    let around = || Fake::default().file("/d/server/knarr.pid", record);
    let config = server("knarr up -d /d", &around());
    assert_eq!(config.cluster_cidr.to_string(), "10.1.0.0/16", "and not what it was only tried with");
    assert_eq!(config.node.name.as_str(), "one", "whatever the host is called by now");
    assert_eq!(config.place.kubeconfig, Path::new("/home/me/k.yaml"));
    let config = server("knarr server -d /d --node-name two", &around().config("cluster-cidr: 10.2.0.0/16"));
    assert_eq!(config.cluster_cidr.to_string(), "10.2.0.0/16", "to be refused");
    assert_eq!(config.node.name.as_str(), "two");
    assert_eq!(server("knarr up -d /e", &around()).cluster_cidr.to_string(), "10.42.0.0/16");
}

#[test]
fn a_broken_configuration_file_does_not_hide_a_cluster_that_is_named() {
    let broken = || Fake::default().config("data-dir: /d\nhttps-listen-prt: 7000");
    for line in ["knarr logs -d /d", "knarr status --data-dir=/d", "knarr down -d /d"] {
        invocation(line, &broken()).expect(line);
        invocation("knarr logs", &broken().variable("KNARR_DATA_DIR", "/d")).expect("it is named");
    }
    let error = invocation("knarr down", &broken()).expect_err("which?");
    assert!(
        error.starts_with("which cluster is meant? Give --data-dir") && error.contains("-port\"?"),
        "{error}"
    );
    invocation("knarr up -d /d", &broken()).expect_err("a server needs all of it");
}

#[test]
fn an_image_is_exported_to_the_file_that_o_names() {
    let line = "knarr image export -d /d -o /tmp/image.tar example.com/shop:1";
    let Ok(Invocation::Image(place, command)) = invocation(line, &Fake::default()) else { panic!("{line}") };
    let ImageCommand::Export { name, output, .. } = *command else { panic!("{line}") };
    assert_eq!((place.data_dir.as_path(), name.as_str()), (Path::new("/d"), "example.com/shop:1"));
    assert_eq!(output.as_deref(), Some(Path::new("/tmp/image.tar")));
}

#[test]
fn unknown_names_and_wrong_values_are_refused() {
    let none = Fake::default;
    for (line, around, expected) in [
        ("knarr server --cluster-cdir=10.0.0.0/8", none(), "a similar argument exists: '--cluster-cidr'"),
        ("knarr sever", none(), "'server'"),
        ("knarr server --disable trafik", none(), "'traefik'"),
        (
            "knarr server",
            none().config("cluster-cdir: 10.0.0.0/8"),
            "/etc/knarr/config.yaml: unknown key \"cluster-cdir\"; did you mean \"cluster-cidr\"?",
        ),
        ("knarr status", none().config("tokn: 1"), "did you mean \"token\"?"),
        ("knarr server", none().config("background: true"), "unknown key"),
        (
            "knarr server",
            none().variable("KNARR_TOKE", "x"),
            "unknown environment variable KNARR_TOKE; did you mean KNARR_TOKEN?",
        ),
        (
            "knarr server",
            none().variable("KNARR_DEBUG", "maybe"),
            "KNARR_DEBUG: invalid value 'maybe' for '--debug",
        ),
        (
            "knarr server",
            none().config("https-listen-port: 0"),
            "/etc/knarr/config.yaml: invalid value '0' for '--https-listen-port <PORT>': a port is a number from 1 to 65535",
        ),
        (
            "knarr server",
            none().config("cluster-cidr: [10.0.0.0/16, 10.1.0.0/16]"),
            "cluster-cidr has one value only",
        ),
        ("knarr agent", none(), "which server?"),
        ("knarr agent --server https://a", none(), "a token is needed"),
        (
            "knarr server --service-cidr 10.42.128.0/17",
            none(),
            "--cluster-cidr 10.42.0.0/16 and --service-cidr 10.42.128.0/17 overlap",
        ),
        ("knarr server --cluster-dns 10.44.0.10", none(), "its tenth is 10.43.0.10"),
        ("knarr server --cluster-dns 10.43.0.1", none(), "not a usable address"),
        ("knarr server --https-listen-port 30001", none(), "lies in --service-node-port-range 30000-32767"),
        ("knarr server --cluster-cidr 10.42.0.0/28", none(), "a prefix from /8 to /24"),
        ("knarr server --cluster-cidr fd00::/56", none(), "same address family"),
        ("knarr server --advertise-address 0.0.0.0", none(), "not an address that others can reach"),
        (
            "knarr server --node-ip 10.42.0.7",
            none(),
            "--node-ip 10.42.0.7 lies in --cluster-cidr 10.42.0.0/16",
        ),
        ("knarr server --node-ip 1.2.3.4,1.2.3.5", none(), "one address of a family"),
    ] {
        let error = invocation(line, &around).expect_err(line);
        assert!(error.contains(expected), "{line}: {error:?} should say {expected:?}");
    }
}

#[test]
fn variables_of_services_and_tests_are_not_ours() {
    let around = Fake::default()
        .variable("KNARR_SERVICE_HOST", "10.43.0.9")
        .variable("KNARR_PORT_80_TCP_ADDR", "10.43.0.9")
        .variable("KNARR_PORT", "tcp://10.43.0.9:80")
        .variable("KNARR_TEST_X", "1");
    server("knarr server", &around);
}

#[test]
fn the_words_for_a_child_are_absolute_and_hold_no_token() {
    let around = Fake::default().variable("KNARR_DATA_DIR", "data").config("cluster-domain: file.example");
    let line = "knarr up -t secret --debug --https-listen-port 7000 -o k.yaml --tls-san a,b";
    let Ok(Invocation::Up(config, words)) = invocation(line, &around) else { panic!("up") };
    let expected = [
        "--debug=true",
        "--https-listen-port=7000",
        "--tls-san=a",
        "--tls-san=b",
        "--write-kubeconfig=/home/me/k.yaml",
        "--data-dir=/home/me/data",
    ];
    let mut got: Vec<_> = words.words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    got.sort();
    let mut expected: Vec<_> = expected.map(str::to_owned).into();
    expected.sort();
    assert_eq!(got, expected);
    assert_eq!(words.token.expect("a token").reveal(), "secret");
    assert_eq!(config.cluster_domain, "file.example");
}

#[test]
fn an_agent_of_another_cluster_is_told_what_that_cannot_say() {
    let around = Fake::default();
    let line = "knarr agent --kubeconfig node.yaml --cluster-cidr 10.42.0.0/16";
    let error = invocation(line, &around).expect_err("the services' range is missing");
    assert!(error.contains("--service-cidr is needed with --kubeconfig"), "{error}");
    let line = format!("{line} --service-cidr 10.43.0.0/16");
    let Ok(Invocation::Agent(agent)) = invocation(&line, &around) else { panic!("an agent") };
    let crate::config::Cluster::Known { kubeconfig, cluster_domain, .. } = &agent.cluster else {
        panic!("it joins")
    };
    assert_eq!(
        (kubeconfig.as_path(), cluster_domain.as_str()),
        (Path::new("/home/me/node.yaml"), "cluster.local")
    );
    assert!(invocation(&format!("{line} --server https://1.2.3.4:6443"), &around).is_err());
}

#[test]
fn the_schedulers_configuration_is_another_file_than_the_clusters() {
    let around = || Fake::default().file("/s.yaml", "kind: KubeSchedulerConfiguration");
    let config = |line: &str, around: &Fake| match invocation(line, around).expect(line) {
        Invocation::Scheduler(flags) => flags.config,
        other => panic!("{line} gave {other:?}"),
    };
    let line = "knarr scheduler --kubeconfig /k";
    assert_eq!(config(&format!("{line} --config /s.yaml"), &around()), Some("/s.yaml".into()));
    assert_eq!(config(line, &around().variable("KNARR_CONFIG_FILE", "/s.yaml")), None);
    assert_eq!(config(line, &around().config("data-dir: /d\nhttps-listen-prt: 7000")), None);
}
