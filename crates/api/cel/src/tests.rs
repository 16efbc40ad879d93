//! Expressions and what they are worth: tables by what they are about.

use super::*;

mod errors;
mod laws;
mod messages;

/// What an expression is worth, with `object` as JSON.
pub(super) fn worth(source: &str) -> String {
    let environment = Environment::new([("object", Type::Dyn), ("name", Type::String)]);
    let object = serde_json::json!({
        "metadata": {"name": "web", "labels": {"app": "shop"}},
        "spec": {"replicas": 3, "half": 0.5, "ports": [{"port": 80}, {"port": 443, "name": "https"}]},
    });
    let program = match Program::compile(source, &environment) {
        Ok(program) => program,
        Err(error) => return error.to_string(),
    };
    let variables = [Value::from(&object), Value::text("web")];
    match program.evaluate(&variables, &mut Budget::new(limits::PER_CALL)) {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("error: {error}"),
    }
}

fn table(rows: &[(&str, &str)]) {
    let wrong: Vec<String> = rows
        .iter()
        .map(|(source, expected)| (source, expected, worth(source)))
        .filter(|(_, expected, found)| *expected != found)
        .map(|(source, expected, found)| format!("{source}\n    is {found}\n    not {expected}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_name_stands_for_a_value_where_names_can_be_bound() {
    let environment = Environment::new([("object", Type::Dyn)]);
    let source = "cel.bind(a, object + 1, a * a)";
    let refused = Program::compile(source, &environment).map_err(|error| error.to_string());
    assert!(refused.is_err_and(|error| error.contains("undeclared reference to 'cel'")));
    let program = Program::compile(source, &environment.with_bindings()).expect("it is well-formed");
    let found = program.evaluate(&[Value::Int(2)], &mut Budget::new(limits::PER_CALL));
    assert_eq!(format!("{found:?}"), "Ok(9)");
}

#[test]
fn literals_and_operators() {
    table(&[
        ("1 + 2 * 3 - 4 / 2", "5"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("0xff == 255 && 1u + 2u == 3u", "true"),
        ("7 % 3 == 1 && -7 % 3 == -1", "true"),
        ("1.5e2 > 149", "true"),
        ("dyn(1) == 1.0 && dyn(1u) == 1 && 2 > 1.5", "true"),
        ("'a' + \"b\" + r'\\n' + '''c'd'''", "\"ab\\\\nc'd\""),
        ("'\\u00e9\\x41\\101'", "\"éAA\""),
        ("b'\\xff' == b\"\\377\"", "true"),
        ("!true || !false", "true"),
        ("!!true && - -1 == 1", "true"),
        ("true ? 'yes' : 'no'", "\"yes\""),
        ("[1, 2] + [3]", "[1, 2, 3]"),
        ("{'a': 1}['a'] + {1: 2}[1]", "3"),
        ("'a' in ['a'] && 'a' in {'a': 1} && !(2 in [1])", "true"),
        ("[[1]] == [[1]] && {'a': [1]} == {'a': [1]} && [1] != [2]", "true"),
        ("type(1) == int && type('') == string && type([]) == list && type(null) == null_type", "true"),
        ("size('héllo') == 5 && 'abc'.size() == 3 && size({'a': 1}) == 1 && size(b'ab') == 2", "true"),
        ("// said first\n1 // and then", "1"),
        ("1 / 0", "error: division by zero"),
        ("9223372036854775807 + 1", "error: integer overflow"),
        ("true || 1 / 0 == 1", "true"),
        ("1 / 0 == 1 || true", "true"),
        ("false && 1 / 0 == 1", "false"),
        ("1 / 0 == 1 && true", "error: division by zero"),
    ]);
}

#[test]
fn fields_and_macros() {
    table(&[
        ("object.metadata.name == name", "true"),
        ("has(object.spec.replicas) && !has(object.spec.paused)", "true"),
        ("object.spec.missing", "error: no such key: missing"),
        ("object['spec']['replicas']", "3"),
        ("object.spec.ports[1].name", "\"https\""),
        ("object.spec.ports[2]", "error: index out of bounds: 2"),
        ("object.spec.ports.all(p, p.port > 0)", "true"),
        ("object.spec.ports.exists(p, p.port == 443)", "true"),
        ("object.spec.ports.exists(p, p.name == 'https')", "true"),
        ("object.spec.ports.all(p, p.name == 'https')", "error: no such key: name"),
        ("object.spec.ports.exists_one(p, p.port < 100)", "true"),
        ("object.spec.ports.map(p, p.port)", "[80, 443]"),
        ("object.spec.ports.map(p, p.port > 100, p.port * 2)", "[886]"),
        ("object.spec.ports.filter(p, has(p.name)).size()", "1"),
        ("object.metadata.labels.all(k, k.startsWith('a'))", "true"),
        ("object.metadata.labels.exists(k, v, k == 'app' && v == 'shop')", "true"),
        ("[5, 6].transformList(i, v, i * v)", "[0, 6]"),
        ("[5, 6].transformList(i, v, i > 0, v)", "[6]"),
        ("{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v * 10)", "{\"b\": 20}"),
        ("{'a': 'x'}.transformMapEntry(k, v, {v: k})", "{\"x\": \"a\"}"),
        ("[1, 2].map(x, [3].map(y, x * y))", "[[3], [6]]"),
        ("object.?spec.?missing.orValue(7)", "7"),
        ("object.?spec.replicas.hasValue()", "true"),
        ("object.spec[?'replicas'].value()", "3"),
        ("[?object.?nothing, 1]", "[1]"),
        ("{?'a': object.?nothing, 'b': 1}", "{\"b\": 1}"),
        ("optional.of(2).optMap(x, x + 1).value()", "3"),
        ("optional.none().or(optional.of(1)).value()", "1"),
        ("optional.ofNonZeroValue('').hasValue()", "false"),
        ("object.`metadata`.name", "\"web\""),
    ]);
}

#[test]
fn text_and_lists() {
    table(&[
        ("'Hello'.lowerAscii() + 'x'.upperAscii()", "\"helloX\""),
        ("'a,b,c'.split(',') == ['a', 'b', 'c'] && 'a,b,c'.split(',', 2) == ['a', 'b,c']", "true"),
        ("['a', 'b'].join('-') + ['c'].join()", "\"a-bc\""),
        ("'tacocat'.substring(4) + 'tacocat'.substring(0, 4)", "\"cattaco\""),
        ("'abc'.substring(2, 1)", "error: invalid substring range. start: 2, end: 1"),
        ("'hello'.charAt(4) + 'hello'.charAt(5)", "\"o\""),
        ("'hello mellow'.indexOf('ello', 2) == 7 && 'hello mellow'.lastIndexOf('ello') == 7", "true"),
        ("'hello'.replace('l', 'L', 1) + '  x '.trim()", "\"heLlox\""),
        (
            "'%s: %d, %.2f %x %e'.format([dyn('a'), dyn(1), dyn(1.005), dyn(255), dyn(1234.5)])",
            "\"a: 1, 1.00 ff 1.234500e+03\"",
        ),
        (
            "'%s'.format([[dyn(1), dyn('a'), dyn(true), dyn(null), dyn({'k': 2.0})]])",
            "\"[1, a, true, null, {k: 2}]\"",
        ),
        ("'abc 123'.find('[0-9]+') + 'a1b2'.findAll('[0-9]').join()", "\"12312\""),
        ("'abc'.matches('^a.c$') && !matches('abc', '^b')", "true"),
        ("[3, 1, 2].sort() == [1, 2, 3] && [1, 2, 3].isSorted() && ![2, 1].isSorted()", "true"),
        ("[1, 2, 3].sum() + [4, 9].max() - [4, 9].min()", "11"),
        ("[1, 2, 2].indexOf(2) == 1 && [1, 2, 2].lastIndexOf(2) == 2 && [1].indexOf(5) == -1", "true"),
        (
            "lists.range(3) == [0, 1, 2] && [1, 2, 3].slice(1, 3) == [2, 3] && [1, 1].distinct() == [1]",
            "true",
        ),
        (
            "[[1], [2, 3]].flatten() == [1, 2, 3] && [1, 2].reverse() == [2, 1] && [7].first().value() == 7",
            "true",
        ),
        (
            "sets.contains([1, 2], [2]) && sets.equivalent([1, 1], [1]) && sets.intersects([1], [1, 2])",
            "true",
        ),
    ]);
}

#[test]
fn kubernetes_libraries() {
    table(&[
        ("quantity('1Gi').isGreaterThan(quantity('1000Mi')) && isQuantity('5m') && !isQuantity('x')", "true"),
        (
            "quantity('1.5').add(quantity('500m')).asInteger() == 2 && quantity('2').sub(1).compareTo(quantity('1')) == 0",
            "true",
        ),
        ("quantity('1500m').isInteger()", "false"),
        ("url('https://example.com:80/a/b?c=d&c=e').getHostname()", "\"example.com\""),
        ("url('https://[::1]:80/').getHostname() + url('https://a:81/x').getPort()", "\"::181\""),
        ("url('https://example.com/a?c=d%20e').getQuery()", "{\"c\": [\"d e\"]}"),
        (
            "isURL('/path') && !isURL('a b') && !isURL('../x') && url('HTTPS://a').getScheme() == 'https'",
            "true",
        ),
        (
            "ip('10.0.0.1').family() == 4 && isIP('::1') && !isIP('010.0.0.1') && !isIP('::ffff:1.2.3.4')",
            "true",
        ),
        (
            "ip('127.0.0.1').isLoopback() && ip('fe80::1').isLinkLocalUnicast() && ip('10.0.0.1').isGlobalUnicast()",
            "true",
        ),
        ("ip.isCanonical('2001:db8::1') && !ip.isCanonical('2001:DB8::1')", "true"),
        (
            "cidr('192.168.0.0/24').containsIP('192.168.0.7') && cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')",
            "true",
        ),
        (
            "string(cidr('192.168.0.7/24').masked()) + string(cidr('10.0.0.0/8').ip())",
            "\"192.168.0.0/2410.0.0.0\"",
        ),
        ("isCIDR('10.0.0.0/33') || isCIDR('10.0.0.0') || isCIDR('10.0.0.0/08')", "false"),
        (
            "semver('1.2.3').isLessThan(semver('1.10.0')) && semver('1.0.0-alpha').isLessThan(semver('1.0.0'))",
            "true",
        ),
        ("isSemver('v1.0') || !isSemver('v1.0', true) || isSemver('01.0.0')", "false"),
        ("format.dns1123Label().validate('a-b').hasValue()", "false"),
        ("format.named('uuid').value().validate('x').value()", "[\"does not match the UUID format\"]"),
        ("duration('1h30m').getMinutes() == 90 && duration('90s') == duration('1m30s')", "true"),
        ("timestamp('2024-02-29T12:30:45.5Z').getDayOfYear() == 59", "true"),
        ("timestamp('2024-02-29T12:30:45Z') + duration('24h') == timestamp('2024-03-01T12:30:45Z')", "true"),
        (
            "string(timestamp('2024-02-29T12:30:45.500Z')) + string(duration('1.5s'))",
            "\"2024-02-29T12:30:45.5Z1.5s\"",
        ),
        (
            "timestamp('2023-12-31T23:00:00Z').getHours('+02:00') == 1 && timestamp('1969-12-31T00:00:00Z').getDayOfWeek() == 3",
            "true",
        ),
        (
            "int('42') + int(4.9) + int(2u) == 48 && uint(3) == 3u && double('0.5') == 0.5 && bool('true')",
            "true",
        ),
        ("string(1.0) + string(2u) + string(true) + string(1e30)", "\"12true1e+30\""),
    ]);
}
