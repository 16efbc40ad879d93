//! Every record of one type, wherever it is in another: upstream's defaulting functions are written for types, not for places.

use api_record::{Record, Shape, Slot, Typed, Value};

/// Calls `act` for each record of type `T` in `record`, itself among them; a record comes before those within it.
pub fn each<T: Typed>(record: &mut dyn Record, act: &dyn Fn(&mut T)) {
    if let Some(found) = record.downcast_mut::<T>() {
        act(found);
    }
    for index in 0..record.schema().fields.len() {
        let reaches = holds_records(&record.schema().fields[index].shape);
        if reaches && !matches!(record.get(index), Value::Nil) {
            below(record.slot(index).filled(), act);
        }
    }
}

fn holds_records(shape: &Shape) -> bool {
    match shape {
        Shape::Record(_) => true,
        Shape::List(inner) | Shape::Items(inner) | Shape::Map(inner) => holds_records(inner),
        _ => false,
    }
}

fn below<T: Typed>(slot: Slot<'_>, act: &dyn Fn(&mut T)) {
    match slot {
        Slot::Record(record) => each(record, act),
        Slot::List(list) => (0..list.len()).for_each(|index| below(list.at_mut(index).filled(), act)),
        Slot::Map(map) => map.slots().for_each(|(_, slot)| below(slot.filled(), act)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use api_types::core::v1::{Container, HTTPGetAction, Pod, Probe, ProbeHandler};

    use super::*;

    #[test]
    fn they_are_found_at_any_depth() {
        let action = Some(Box::new(HTTPGetAction::default()));
        let probe = Probe {
            probe_handler: ProbeHandler { http_get: action, ..ProbeHandler::default() },
            ..Probe::default()
        };
        let mut pod = Pod::default();
        pod.spec.containers.push(Container { liveness_probe: Some(Box::new(probe)), ..Container::default() });
        each::<HTTPGetAction>(&mut pod, &|action| action.path = "/".into());
        let probe = pod.spec.containers[0].liveness_probe.as_ref().expect("it is there");
        assert_eq!(probe.probe_handler.http_get.as_ref().map(|action| action.path.as_str()), Some("/"));
    }
}
