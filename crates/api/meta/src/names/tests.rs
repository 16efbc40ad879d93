//! Tables of names, good and bad, with the messages of the bad.

use super::*;
use crate::field::{ErrorList, Path};

fn verdicts(check: fn(&str) -> Vec<String>, good: &[&str], bad: &[&str]) {
    for text in good {
        assert_eq!(check(text), Vec::<String>::new(), "{text:?}");
    }
    for text in bad {
        assert!(!check(text).is_empty(), "{text:?}");
    }
}

#[test]
fn dns_names() {
    let (l63, l64, d253, d254) = ("a".repeat(63), "a".repeat(64), "a".repeat(253), "a".repeat(254));
    verdicts(
        is_dns1123_label,
        &["a", "0", "a-b", "1-2", &l63],
        &["", "-", "a-", "-a", "A", "a_b", "a.b", " a", "a\n", &l64],
    );
    verdicts(is_dns1123_subdomain, &["a", "a.b", "1.2-3", &d253], &["", ".", "a.", ".a", "a..b", "A", &d254]);
    verdicts(is_dns1035_label, &["a", "a-1"], &["", "1", "1a", "a.", "a-"]);
    verdicts(is_wildcard_dns1123_subdomain, &["*.a", "*.a.b"], &["*", "*.*.a", "a.*", "*a"]);
    verdicts(is_dns1123_subdomain_with_underscore, &["_a.b", "a_b"], &["__a", "a_", "_"]);
    assert_eq!(is_dns1123_label("a.b"), ["must not contain dots"]);
    assert_eq!(
        is_dns1123_label("A"),
        [
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
        ]
    );
    assert_eq!(is_dns1123_label(&l64), ["must be no more than 63 characters"]);
    assert_eq!(content::is_dns1123_label(&l64), ["must be no more than 63 bytes"]);
    assert_eq!(
        is_dns1123_subdomain("_"),
        [
            r"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        ]
    );
}

#[test]
fn prefixes_may_end_in_a_dash() {
    assert!(name_is_dns_subdomain("web-", true).is_empty());
    assert!(!name_is_dns_subdomain("web-", false).is_empty());
    assert!(!name_is_dns_label("-", true).is_empty());
    assert!(name_is_dns1035_label("b-", true).is_empty());
    assert!(!name_is_dns_label("ü-", true).is_empty());
    assert!(name_is_path_segment("..", true).is_empty());
    assert_eq!(name_is_path_segment("..", false), ["may not be '..'"]);
    assert_eq!(name_is_path_segment("a/b%", false), ["may not contain '/'", "may not contain '%'"]);
}

#[test]
fn label_keys_and_values() {
    let (l63, l64) = ("a".repeat(63), "a".repeat(64));
    let long = format!("{}/{l63}", "a".repeat(253));
    verdicts(
        is_label_key,
        &["simple", "1.2_3-A", "a.b/C", &long],
        &["", "-a", "a/", "/a", "a/b/c", "A.b/c", "a b", &l64],
    );
    verdicts(is_label_value, &["", "a", "A.b_c-d", &l63], &["-", "a-", "a/b", "a b", &l64]);
    assert_eq!(
        is_label_key("a/b/c"),
        [
            "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ]
    );
    assert_eq!(is_label_key("/")[..2], ["prefix part must be non-empty", "name part must be non-empty"]);
    assert_eq!(is_label_value(&l64), ["must be no more than 63 bytes"]);
    assert_eq!(content::is_prefixed_label_key("a"), ["must include a prefix (e.g. 'example.com/key')"]);
}

#[test]
fn other_names() {
    verdicts(is_valid_port_name, &["http", "a-1"], &["", "1", "a--b", "-a", "A", "abcdefghijklmnop"]);
    verdicts(is_valid_percent, &["0%", "100%"], &["", "%", "1", "-1%", "1.5%"]);
    verdicts(is_config_map_key, &["a", ".a", "_"], &["", ".", "..", "..a", "a b", "ü"]);
    verdicts(is_env_var_name, &["A", "-a", ".b"], &["", "1A", "a=b", ".."]);
    verdicts(is_relaxed_env_var_name, &["1 A", "!"], &["", "a=b", "ü", "a\n"]);
    verdicts(is_c_identifier, &["_a1"], &["", "1a", "a-b"]);
    verdicts(is_http_header_name, &["X-A"], &["", "a b"]);
    verdicts(content::is_decimal_integer, &["0", "-1", "10"], &["", "-", "-0", "01", "+1", "1a"]);
    verdicts(content::is_dns1123_subdomain_caseless, &["A.b"], &["_"]);
    assert_eq!(is_valid_port_num(0), ["must be between 1 and 65535, inclusive"]);
    assert_eq!(is_config_map_key("..a"), ["must not start with '..'"]);
}

fn details(errors: &ErrorList) -> Vec<&str> {
    errors.iter().map(|error| error.detail.as_str()).collect()
}

#[test]
fn addresses() {
    let at = Path::new("ip");
    for (text, sloppy, strict, canonical) in [
        ("1.2.3.4", "", "", ""),
        ("1.2.03.4", "", "must not have leading 0s", "must not have leading 0s"),
        (
            "::ffff:1.2.3.4",
            "",
            "must not be an IPv4-mapped IPv6 address",
            "must not be an IPv4-mapped IPv6 address",
        ),
        ("2001:DB8::1", "", "", "must be in canonical form (\"2001:db8::1\")"),
        ("2001:db8:0:0::1", "", "", "must be in canonical form (\"2001:db8::1\")"),
    ] {
        let found = |errors: ErrorList| details(&errors).join("|");
        assert_eq!(found(is_valid_ip_for_legacy_field(&at, text, false, &[])), sloppy, "{text}");
        assert_eq!(found(is_valid_ip_for_legacy_field(&at, text, true, &[])), strict, "{text}");
        assert_eq!(found(is_valid_ip(&at, text)), canonical, "{text}");
    }
    for bad in ["", "1.2.3", "1.2.3.256", "a", "fe80::1%eth0", "1.2.3.4/24", "1..3.4", "-1.2.3.4"] {
        assert_eq!(
            details(&is_valid_ip(&at, bad)),
            ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"],
            "{bad}"
        );
    }
    assert!(is_valid_ip_for_legacy_field(&at, "01.2.3.4", true, &["01.2.3.4"]).is_empty());
    assert_eq!(
        ip_warnings(&at, "01.2.3.4"),
        ["ip: non-standard IP address \"01.2.3.4\" is invalid: use \"1.2.3.4\""]
    );
    assert_eq!(
        ip_warnings(&at, "FE80::1"),
        ["ip: IPv6 address \"FE80::1\" should be in RFC 5952 canonical format (\"fe80::1\")"]
    );
    assert!(ip_warnings(&at, "fe80::1").is_empty());
}

#[test]
fn networks() {
    let at = Path::new("cidr");
    for (text, strict, canonical) in [
        ("10.0.0.0/8", "", ""),
        ("0.0.0.0/0", "", ""),
        ("::/0", "", ""),
        (
            "10.0.0.1/8",
            "must not have bits set beyond the prefix length",
            "must not have bits set beyond the prefix length",
        ),
        (
            "10.0.0.0/08",
            "must not have leading 0s in IP or prefix length",
            "must not have leading 0s in IP or prefix length",
        ),
        (
            "::ffff:10.0.0.0/104",
            "must not have an IPv4-mapped IPv6 address",
            "must not have an IPv4-mapped IPv6 address",
        ),
        ("2001:DB8::/32", "", "must be in canonical form (\"2001:db8::/32\")"),
    ] {
        let found = |errors: ErrorList| details(&errors).join("|");
        assert!(is_valid_cidr_for_legacy_field(&at, text, false, &[]).is_empty(), "{text}");
        assert_eq!(found(is_valid_cidr_for_legacy_field(&at, text, true, &[])), strict, "{text}");
        assert_eq!(found(is_valid_cidr(&at, text)), canonical, "{text}");
    }
    for bad in ["", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/+8", "10.0.0.0/8/8"] {
        assert_eq!(
            details(&is_valid_cidr(&at, bad)),
            ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"],
            "{bad}"
        );
    }
    assert!(is_interface_address(&at, "10.0.0.1/8").is_empty());
    assert_eq!(
        details(&is_interface_address(&at, "::ffff:192.168.0.1/120")),
        ["must be in canonical form (\"192.168.0.1/24\")"]
    );
    assert_eq!(
        cidr_warnings(&at, "10.0.0.1/8"),
        [
            "cidr: CIDR value \"10.0.0.1/8\" is ambiguous in this context (should be \"10.0.0.0/8\" or \"10.0.0.1/32\"?)"
        ]
    );
    assert_eq!(
        cidr_warnings(&at, "2001:DB8::/32"),
        [
            "cidr: IPv6 CIDR value \"2001:DB8::/32\" should be in RFC 5952 canonical format (\"2001:db8::/32\")"
        ]
    );
}

#[test]
fn generated_names_keep_within_their_bound() {
    assert_eq!(generate_name("web-", [0, 1, 26, 27, 255]), "web-bc9bq");
    let long = generate_name(&"ü".repeat(40), [0; 5]);
    assert_eq!(long.len(), 63);
    assert_eq!(generate_name(&"a".repeat(80), [0; 5]).len(), 63);
}

#[test]
fn domain_prefixed_paths() {
    let at = Path::new("p");
    assert!(is_domain_prefixed_path(&at, "acme.io/foo/bar").is_empty());
    assert_eq!(
        details(&is_domain_prefixed_path(&at, "acme.io")),
        ["must be a domain-prefixed path (such as \"acme.io/foo\")"]
    );
    assert_eq!(is_domain_prefixed_path(&at, "a/b c")[0].value.shown(), Some("\"b c\""));
    assert_eq!(
        details(&is_fully_qualified_name(&at, "a.b")),
        ["should be a domain with at least three segments separated by dots"]
    );
    assert!(is_fully_qualified_domain_name(&at, "a.b.").is_empty());
    assert_eq!(
        details(&is_domain_prefixed_key(&at, "a")),
        ["must be a domain-prefixed key (such as \"acme.io/foo\")"]
    );
}
