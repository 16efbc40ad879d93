//! Any text as an expression: an error, or a program that is evaluated within its budget.
#![no_main]

use std::sync::Arc;

use api_cel::{Budget, Environment, Program, Sizes, Type, Value};

const BUDGET: u64 = 10_000;

/// Nothing is known of sizes.
struct Unknown;

impl Sizes for Unknown {
    fn largest(&self, _: &[Arc<str>]) -> Option<u64> {
        None
    }
}

libfuzzer_sys::fuzz_target!(|source: &str| {
    let environment = Environment::new([("object", Type::Dyn), ("name", Type::String)]);
    for environment in [environment.clone(), environment.clone().with_bindings(), environment.with_patches()]
    {
        let Ok(program) = Program::compile(source, &environment) else { continue };
        let _ = (program.estimate(&Unknown), program.result(), program.used("object"));
        let object = serde_json::json!({
            "metadata": {"name": "web", "labels": {"app": "shop"}},
            "spec": {"replicas": 3, "half": 0.5, "ports": [{"port": 80}, {"port": 443, "name": "https"}]},
        });
        let mut budget = Budget::new(BUDGET);
        let _ = program.evaluate(&[Value::from(&object), Value::text("web")], &mut budget);
        assert!(budget.left() <= BUDGET);
    }
});
