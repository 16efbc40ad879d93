//! Records to messages: fields in the order of their numbers, last one first, because the writer goes backwards.

use api_record::scalar::{IntOrString, MicroTime, Time};
use api_record::{Field, Record, Shape, Value};

use super::write::Writer;

pub(super) fn record(record: &dyn Record, writer: &mut Writer) {
    let schema = record.schema();
    for &index in schema.wire_order.iter().rev() {
        let index = usize::from(index);
        field(&schema.fields[index], &record.get(index), writer);
    }
}

fn field(field: &Field, field_value: &Value<'_>, writer: &mut Writer) {
    match (field_value, &field.shape) {
        // A time that is not a pointer is written even when it is zero, as an empty message.
        (Value::Nil, Shape::Time | Shape::MicroTime) if !field.pointer => writer.bytes(field.tag, &[]),
        (Value::Nil, _) => {}
        (Value::List(list), Shape::List(_)) => {
            for index in (0..list.len()).rev() {
                value(field.tag, &list.at(index), writer);
            }
        }
        (Value::Map(map), Shape::Map(shape)) => {
            for (key, entry) in map.entries().rev() {
                writer.message(field.tag, |writer| {
                    entry_value(shape, &entry, writer);
                    writer.bytes(1, key.as_bytes());
                });
            }
        }
        (Value::List(list), Shape::Items(_)) => writer.message(field.tag, |writer| items(*list, writer)),
        (other, _) => value(field.tag, other, writer),
    }
}

fn entry_value(shape: &Shape, entry: &Value<'_>, writer: &mut Writer) {
    match (entry, shape) {
        (Value::List(list), Shape::Items(_)) => writer.message(2, |writer| items(*list, writer)),
        (Value::Nil, Shape::Time) => writer.bytes(2, &[]),
        _ => value(2, entry, writer),
    }
}

fn items(list: &dyn api_record::List, writer: &mut Writer) {
    for index in (0..list.len()).rev() {
        value(1, &list.at(index), writer);
    }
}

fn value(number: u32, value: &Value<'_>, writer: &mut Writer) {
    match value {
        Value::Bool(flag) => writer.integer(number, i64::from(*flag)),
        Value::Int(integer) => writer.integer(number, *integer),
        Value::Float(float) => writer.double(number, *float),
        Value::Str(text) => writer.bytes(number, text.as_bytes()),
        Value::Bytes(bytes) => writer.bytes(number, bytes),
        Value::Quantity(quantity) => {
            writer.message(number, |writer| writer.bytes(1, quantity.to_string().as_bytes()));
        }
        Value::IntOrString(either) => writer.message(number, |writer| int_or_string(either, writer)),
        Value::Time(Time::ZERO) | Value::MicroTime(MicroTime::ZERO) => writer.bytes(number, &[]),
        Value::Time(time) => writer.message(number, |writer| timestamp(time.seconds, 0, writer)),
        Value::MicroTime(time) => writer.message(number, |writer| {
            timestamp(time.micros.div_euclid(1_000_000), time.micros.rem_euclid(1_000_000) * 1_000, writer);
        }),
        Value::Duration(duration) => writer.message(number, |writer| writer.integer(1, duration.nanos)),
        Value::Json(json) => writer.message(number, |writer| {
            if let Some(text) = &json.0 {
                writer.bytes(1, text);
            }
        }),
        Value::Record(nested) => writer.message(number, |writer| record(*nested, writer)),
        Value::Nil | Value::List(_) | Value::Map(_) => {}
    }
}

fn int_or_string(either: &IntOrString, writer: &mut Writer) {
    let (kind, number, text) = match either {
        IntOrString::Int(number) => (0, *number, ""),
        IntOrString::String(text) => (1, 0, text.as_str()),
    };
    writer.bytes(3, text.as_bytes());
    writer.integer(2, i64::from(number));
    writer.integer(1, kind);
}

fn timestamp(seconds: i64, nanos: i64, writer: &mut Writer) {
    writer.integer(2, nanos);
    writer.integer(1, seconds);
}
