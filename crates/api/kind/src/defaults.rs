//! Fills in the `+default` values of a type's fields.

use api_codec::json;
use api_codec::limits::Limits;
use api_record::{Field, Record, Shape, Slot, Value};

/// Gives every absent field that has a default its value.
pub(crate) fn fill(record: &mut dyn Record) {
    if !record.schema().carries.defaults {
        return;
    }
    for index in 0..record.schema().fields.len() {
        let field = &record.schema().fields[index];
        let shape = field.shape.clone();
        let absent = is_absent(field, &record.get(index));
        if let Some(default) = field.default.clone().filter(|_| absent) {
            set(record, index, &default);
        }
        if reaches(&shape) && !matches!(record.get(index), Value::Nil) {
            descend(record.slot(index).filled());
        }
    }
}

/// A pointer is absent when it is nil, anything else when it is empty.
fn is_absent(field: &Field, value: &Value<'_>) -> bool {
    if field.pointer { matches!(value, Value::Nil) } else { value.is_empty() }
}

fn reaches(shape: &Shape) -> bool {
    match shape {
        Shape::Record(schema) => schema.carries.defaults,
        Shape::List(inner) | Shape::Items(inner) | Shape::Map(inner) => reaches(inner),
        _ => false,
    }
}

fn descend(slot: Slot<'_>) {
    match slot {
        Slot::Record(record) => fill(record),
        Slot::List(list) => (0..list.len()).for_each(|index| descend(list.at_mut(index).filled())),
        Slot::Map(map) => map.slots().for_each(|(_, slot)| descend(slot.filled())),
        _ => {}
    }
}

fn set(record: &mut dyn Record, index: usize, default: &str) {
    let name = record.schema().fields[index].name.to_string();
    let document = format!("{{{name:?}:{default}}}");
    let decoded = json::decode(document.as_bytes(), record, None, Limits::REQUEST);
    debug_assert!(decoded.is_ok(), "the default of {name} is {default}: {decoded:?}");
}

#[cfg(test)]
mod tests {
    use api_types::core::v1::{Container, ContainerPort, Pod};

    use super::*;

    fn with_port(port: ContainerPort) -> Pod {
        let mut pod = Pod::default();
        pod.spec.containers.push(Container { ports: vec![port], ..Container::default() });
        fill(&mut pod);
        pod
    }

    #[test]
    fn nested_fields_get_their_defaults() {
        let pod = with_port(ContainerPort { container_port: 80, ..ContainerPort::default() });
        assert_eq!(pod.spec.containers[0].ports[0].protocol, "TCP");
    }

    #[test]
    fn what_a_client_said_stays() {
        let pod = with_port(ContainerPort { protocol: "UDP".into(), ..ContainerPort::default() });
        assert_eq!(pod.spec.containers[0].ports[0].protocol, "UDP");
    }
}
