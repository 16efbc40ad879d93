//! What the file says, and where images are looked for then.

use super::*;

fn parse(text: &str) -> Result<Registries, String> {
    Registries::parse("registries.yaml".as_ref(), text)
        .map_err(|error| base::error::Chain(&error).to_string())
}

/// `base repository [?registry] [user]`, for each endpoint.
fn places(text: &str, image: &str) -> Vec<String> {
    let endpoints = parse(text).unwrap().endpoints(&image.parse().unwrap());
    let place = |endpoint: Endpoint| {
        let mut place = format!("{} {}", endpoint.base, endpoint.repository);
        endpoint.namespace.iter().for_each(|namespace| place += &format!(" ?{namespace}"));
        endpoint.auth.iter().for_each(|auth| place += &format!(" {}:{}", auth.username, auth.password));
        if endpoint.tls.insecure_skip_verify {
            place += " skip";
        }
        place
    };
    endpoints.into_iter().map(place).collect()
}

#[test]
fn without_a_file_a_registry_is_itself() {
    for (image, expected) in [
        ("nginx", "https://registry-1.docker.io/v2 library/nginx"),
        ("quay.io/a/b:1", "https://quay.io/v2 a/b"),
        ("r.lan:5000/a", "https://r.lan:5000/v2 a"),
        ("localhost/a", "http://localhost/v2 a"),
        ("localhost:5000/a", "http://localhost:5000/v2 a"),
        ("127.8.8.8:5000/a", "http://127.8.8.8:5000/v2 a"),
        ("[::1]:5000/a", "http://[::1]:5000/v2 a"),
        ("localhost.example.com/a", "https://localhost.example.com/v2 a"),
    ] {
        assert_eq!(places("", image), [expected], "{image}");
    }
}

#[test]
fn mirrors_come_in_order_and_the_registry_last() {
    let file = r#"
mirrors:
  docker.io:
    endpoint: [ "https://mirror.lan:5000", "http://10.0.0.1:5000/", "https://harbor.lan/v2/proxy/", mirror.lan:5001 ]
    rewrite:
      "^library/(.*)": "hub/$1"
      "(.+)": "other/$1"
  r.lan:
    endpoint: [ "https://r.lan" ]
  "*":
    endpoint: [ "http://any.lan" ]
configs:
  own.lan:
    tls: { insecure_skip_verify: true }
  named.lan:
    auth: { username: u, password: p }
"#;
    assert_eq!(
        places(file, "nginx"),
        [
            "https://mirror.lan:5000/v2 hub/nginx ?docker.io",
            "http://10.0.0.1:5000/v2 hub/nginx ?docker.io",
            "https://harbor.lan/v2/proxy hub/nginx ?docker.io",
            "https://mirror.lan:5001/v2 hub/nginx ?docker.io",
            "https://registry-1.docker.io/v2 library/nginx",
        ]
    );
    assert_eq!(places(file, "team/app")[0], "https://mirror.lan:5000/v2 other/team/app ?docker.io");
    assert_eq!(places(file, "r.lan/a"), ["https://r.lan/v2 a"], "not twice");
    assert_eq!(places(file, "q.io/a"), ["http://any.lan/v2 a ?q.io", "https://q.io/v2 a"]);
    assert_eq!(places(file, "own.lan/a"), ["https://own.lan/v2 a skip"], "said of itself");
    assert_eq!(
        places(file, "named.lan/a"),
        ["http://any.lan/v2 a ?named.lan", "https://named.lan/v2 a u:p"],
        "credentials say nothing of where it is"
    );
}

#[test]
fn hosts_have_credentials_in_every_form() {
    let file = r#"
mirrors:
  docker.io: { endpoint: [ "https://m.lan:443" ] }
configs:
  docker.io: { auth: { username: hub, password: pw } }
  "m.lan:443": { auth: { auth: dXNlcjpwOnc= } }
  t.lan: { auth: { identity_token: abc } }
  localhost: { tls: {} }
  "*": { auth: { username: any, password: one } }
"#;
    assert_eq!(
        places(file, "a"),
        [
            "https://m.lan/v2 library/a ?docker.io user:p:w",
            "https://registry-1.docker.io/v2 library/a hub:pw"
        ]
    );
    assert_eq!(places(file, "t.lan/a"), ["https://t.lan/v2 a :abc"]);
    assert_eq!(places(file, "x.lan/a"), ["https://x.lan/v2 a any:one"]);
    assert_eq!(places(file, "localhost/a"), ["https://localhost/v2 a"], "TLS that was spoken of is spoken");
    assert!(!format!("{:?}", parse(file)).contains("pw"), "no secrets in logs");
}

#[test]
fn what_is_wrong_is_said_with_file_and_field() {
    for (text, expected) in [
        ("mirrors: [", "registries.yaml is not valid YAML: "),
        ("- a", "registries.yaml: the file: must be a mapping"),
        ("mirror: {}", "registries.yaml: mirror: unknown field; there are mirrors, configs"),
        (
            "mirrors: { 'https://docker.io': {} }",
            "registries.yaml: mirrors[https://docker.io]: must be named by a registry's host, such as docker.io or \
             r.lan:5000, or \"*\"",
        ),
        (
            "mirrors: { docker.io: { endpoints: [] } }",
            "registries.yaml: mirrors[docker.io].endpoints: unknown field; there are endpoint, rewrite",
        ),
        (
            "mirrors: { docker.io: { endpoint: 'https://a' } }",
            "registries.yaml: mirrors[docker.io].endpoint: must be a list",
        ),
        (
            "mirrors: { docker.io: { endpoint: ['https://a', 'ftp://b'] } }",
            "registries.yaml: mirrors[docker.io].endpoint[1]: must be the address of a registry, such as \
             https://mirror.example.com:5000",
        ),
        (
            "mirrors: { docker.io: { endpoint: ['https://u:p@b'] } }",
            "registries.yaml: mirrors[docker.io].endpoint[0]: must not hold credentials: configs have a field auth",
        ),
        (
            "mirrors: { docker.io: { rewrite: { '(': x } } }",
            "registries.yaml: mirrors[docker.io].rewrite[(]: is no regular expression",
        ),
        (
            "configs: { r.lan: { auth: { password: 1 } } }",
            "registries.yaml: configs[r.lan].auth.password: must be text; a number needs quotes",
        ),
        (
            "configs: { r.lan: { auth: { auth: '*' } } }",
            "registries.yaml: configs[r.lan].auth.auth: unable to parse auth field, must be formatted as \
             base64(username:password)",
        ),
        (
            "configs: { r.lan: { tls: { ca_file: /does/not/exist } } }",
            "registries.yaml: configs[r.lan].tls.ca_file: cannot read /does/not/exist: No such file or directory (os \
             error 2)",
        ),
        (
            "configs: { r.lan: { tls: { ca_file: /dev/null } } }",
            "registries.yaml: configs[r.lan].tls.ca_file: holds no certificate in PEM",
        ),
        (
            "configs: { r.lan: { tls: { cert_file: a } } }",
            "registries.yaml: configs[r.lan].tls.cert_file: needs a key_file",
        ),
        (
            "configs: { r.lan: { tls: { cert_file: /dev/null, key_file: /dev/null } } }",
            "registries.yaml: configs[r.lan].tls.cert_file: and key_file are no certificate and key in PEM",
        ),
        (
            "configs: { r.lan: { tls: { insecure_skip_verify: 'yes' } } }",
            "registries.yaml: configs[r.lan].tls.insecure_skip_verify: must be true or false",
        ),
    ] {
        let error = parse(text).expect_err(text);
        assert!(error.starts_with(expected), "{error}\n{expected}");
    }
    let missing = Registries::read("/does/not/exist".as_ref()).expect_err("is not there");
    assert_eq!(missing.to_string(), "cannot read /does/not/exist");
}
