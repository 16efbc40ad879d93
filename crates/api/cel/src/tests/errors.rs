//! What is refused before it is evaluated, and when evaluations end.

use std::sync::{Arc, Mutex};

use super::{table, worth};
use crate::*;

#[test]
fn what_cannot_work_is_refused_with_its_place() {
    table(&[
        (
            "objct.spec",
            "ERROR: <input>:1:1: undeclared reference to 'objct' (in container '')\n | objct.spec\n | ^",
        ),
        (
            "1 + 'a'",
            "ERROR: <input>:1:3: found no matching overload for '_+_' applied to '(int, string)'\n | 1 + 'a'\n | ..^",
        ),
        (
            "true &&\n  size(1) == 1",
            "ERROR: <input>:2:3: found no matching overload for 'size' applied to '(int)'\n |   size(1) == 1\n | ..^",
        ),
        (
            "name.first",
            "ERROR: <input>:1:5: type 'string' does not support field selection\n | name.first\n | ....^",
        ),
        ("[1, 'a']", "ERROR: <input>:1:5: expected type 'int' but found 'string'\n | [1, 'a']\n | ....^"),
        (
            "name.all(x, true)",
            "ERROR: <input>:1:1: expression of type 'string' cannot be range of a comprehension (must be list, map, or dynamic)\n | name.all(x, true)\n | ^",
        ),
        (
            "nothing()",
            "ERROR: <input>:1:1: undeclared reference to 'nothing' (in container '')\n | nothing()\n | ^",
        ),
        (
            "Object{a: 1}",
            "ERROR: <input>:1:7: undeclared reference to 'Object' (in container '')\n | Object{a: 1}\n | ......^",
        ),
    ]);
}

#[test]
fn names_of_variables_are_neither_reserved_nor_literals() {
    for (name, expected) in [
        ("a", true),
        ("_b2", true),
        ("", false),
        ("2a", false),
        ("a-b", false),
        ("loop", false),
        ("in", false),
        ("true", false),
    ] {
        assert_eq!(is_identifier(name), expected, "{name}");
    }
}

#[test]
fn no_text_makes_it_panic() {
    for source in [
        "",
        "(",
        "1 +",
        "'a",
        "a.",
        "[1,",
        "{'a'",
        "has(x)",
        "x.all(1, true)",
        "`",
        "#",
        "0x",
        "1u2",
        "a ? b",
        "in",
        "&",
        "\\",
    ] {
        assert!(worth(source).starts_with("ERROR: <input>:"), "{source}: {}", worth(source));
    }
    for deep in [
        "(".repeat(5_000),
        format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000)),
        format!("1{}", " + 1".repeat(5_000)),
        format!("object{}", ".a".repeat(5_000)),
        "!".repeat(5_000),
        "-".repeat(5_001),
    ] {
        assert!(worth(&deep).starts_with("ERROR"), "{}", worth(&deep));
    }
    // Long, but not deep.
    assert_eq!(worth(&format!("true{}", " && true".repeat(5_000))), "true");
}

#[test]
fn an_evaluation_ends_when_it_has_cost_enough() {
    let source = "lists.range(1000).all(a, lists.range(1000).all(b, a + b >= 0))";
    assert_eq!(worth(source), "error: operation cancelled: actual cost limit exceeded");
    // Also where errors of parts do not count.
    assert_eq!(worth(&format!("{source} || true")), "error: operation cancelled: actual cost limit exceeded");
}

struct Notes(Mutex<Vec<Check>>);

impl Authorize for Notes {
    fn decide(&self, check: &Check) -> Decision {
        self.0.lock().expect("nobody panicked").push(check.clone());
        Decision { allowed: check.verb == "get", reason: "said so".to_owned(), error: None }
    }
}

#[test]
fn the_authorizer_is_asked_what_was_put_together() {
    let notes = Arc::new(Notes(Mutex::default()));
    let environment = Environment::new([
        ("authorizer", Type::Opaque("kubernetes.authorization.Authorizer")),
        ("authorizer.requestResource", Type::Opaque("kubernetes.authorization.ResourceCheck")),
    ]);
    let own = Check { group: "apps".to_owned(), resource: "deployments".to_owned(), ..Check::default() };
    let variables = [Query::authorizer(notes.clone()), Query::resource(notes.clone(), own.clone())];
    let evaluate = |source: &str| {
        let program = Program::compile(source, &environment).map_err(|error| error.to_string())?;
        let value =
            program.evaluate(&variables, &mut Budget::new(2_000_000)).map_err(|error| error.to_string())?;
        Ok::<_, String>(format!("{value:?}"))
    };
    let source = "authorizer.group('').resource('pods').namespace('a').name('b').subresource('log').check('get').allowed()";
    assert_eq!(evaluate(source).as_deref(), Ok("true"));
    assert_eq!(evaluate("authorizer.requestResource.check('create').allowed()").as_deref(), Ok("false"));
    assert_eq!(evaluate("authorizer.path('/healthz').check('get').reason()").as_deref(), Ok("\"said so\""));
    assert_eq!(
        evaluate("authorizer.serviceAccount('a', 'b').path('/x').check('get').errored()").as_deref(),
        Ok("false")
    );
    assert!(
        evaluate("authorizer.check('get')")
            .is_err_and(|error| error.contains("no matching overload for 'check'"))
    );
    let asked = notes.0.lock().expect("nobody panicked");
    assert_eq!(asked[0].subresource, "log");
    assert_eq!(asked[1], Check { verb: "create".to_owned(), ..own });
    assert_eq!(asked[2].path.as_deref(), Some("/healthz"));
    assert_eq!(asked[3].service_account, Some(("a".to_owned(), "b".to_owned())));
}
