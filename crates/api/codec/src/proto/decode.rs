//! Messages to records.

use api_record::scalar::{Duration, IntOrString, MicroTime, Time};
use api_record::{Bytes, List, Map, Record, Shape, Slot, Value};

use super::read::{Key, Reader};
use crate::limits::{Budget, MAX_RECORD_DEPTH};
use crate::{DecodeError, json};

/// Fills a record from the whole of a message.
pub(super) fn message(message: &[u8], target: &mut dyn Record) -> Result<(), DecodeError> {
    record(&mut Reader::new(message), target, 0, &mut Budget::of(message))
}

fn record(
    reader: &mut Reader<'_>,
    record: &mut dyn Record,
    depth: usize,
    budget: &mut Budget,
) -> Result<(), DecodeError> {
    if depth > MAX_RECORD_DEPTH {
        return Err(DecodeError::TooDeep);
    }
    while let Some(key) = reader.key()? {
        let found = record.schema().fields.iter().position(|field| field.tag == key.number);
        let Some(index) = found else {
            reader.skip(key)?;
            continue;
        };
        let field = &record.schema().fields[index];
        let (shape, pointer) = (field.shape.clone(), field.pointer);
        value(reader, key, record.slot(index), &shape, depth, budget)?;
        if !pointer
            && matches!(record.get(index), Value::Time(Time::ZERO) | Value::MicroTime(MicroTime::ZERO))
        {
            // The zero time, which is nil where the field is no pointer.
            if let Slot::Nullable(nullable) = record.slot(index) {
                nullable.set_nil();
            }
        }
    }
    Ok(())
}

fn value(
    reader: &mut Reader<'_>,
    key: Key,
    slot: Slot<'_>,
    shape: &Shape,
    depth: usize,
    budget: &mut Budget,
) -> Result<(), DecodeError> {
    match (budget.fill(slot)?, shape) {
        (Slot::List(list), Shape::List(element)) => self::list(reader, key, list, element, depth, budget),
        (Slot::List(list), Shape::Items(element)) => {
            let mut inner = Reader::new(reader.bytes(key)?);
            list.clear();
            while let Some(key) = inner.key()? {
                if key.number == 1 {
                    budget.spend(list.element_bytes())?;
                    value(&mut inner, key, list.push(), element, depth + 1, budget)?;
                } else {
                    inner.skip(key)?;
                }
            }
            Ok(())
        }
        (Slot::Map(map), Shape::Map(shape)) => entry(reader, key, map, shape, depth, budget),
        (Slot::Record(nested), _) => record(&mut Reader::new(reader.bytes(key)?), nested, depth + 1, budget),
        (slot, _) => scalar(reader, key, slot),
    }
}

/// What nothing is nested in; apart, because what recurses should need little stack.
fn scalar(reader: &mut Reader<'_>, key: Key, slot: Slot<'_>) -> Result<(), DecodeError> {
    match slot {
        Slot::Bool(slot) => *slot = reader.integer(key)? != 0,
        Slot::Int32(slot) => *slot = reader.integer(key)? as i32,
        Slot::Int64(slot) => *slot = reader.integer(key)?,
        Slot::Float(slot) => *slot = reader.double(key)?,
        Slot::Str(slot) => *slot = reader.string(key)?,
        Slot::Bytes(slot) => *slot = Bytes::copy_from_slice(reader.bytes(key)?),
        Slot::Quantity(slot) => {
            let mut text = String::new();
            each(reader.bytes(key)?, |inner, key| match key.number {
                1 => inner.string(key).map(|string| text = string),
                _ => inner.skip(key),
            })?;
            *slot = text.parse().map_err(|error: api_record::scalar::ParseQuantityError| {
                DecodeError::Scalar(error.to_string())
            })?;
        }
        Slot::IntOrString(slot) => *slot = int_or_string(reader.bytes(key)?)?,
        Slot::Time(slot) => *slot = Time { seconds: seconds_and_nanos(reader.bytes(key)?)?.0 },
        Slot::MicroTime(slot) => *slot = micro(seconds_and_nanos(reader.bytes(key)?)?),
        Slot::Duration(slot) => each(reader.bytes(key)?, |inner, key| match key.number {
            1 => inner.integer(key).map(|nanos| *slot = Duration { nanos }),
            _ => inner.skip(key),
        })?,
        Slot::Json(slot) => {
            slot.0 = None;
            each(reader.bytes(key)?, |inner, key| match key.number {
                1 => kept(inner.bytes(key)?).map(|text| slot.0 = Some(text)),
                _ => inner.skip(key),
            })?;
        }
        Slot::Record(_) | Slot::List(_) | Slot::Map(_) | Slot::Nullable(_) => {
            unreachable!("a slot fits its field's shape")
        }
    }
    Ok(())
}

fn each<'a>(
    message: &'a [u8],
    mut field: impl FnMut(&mut Reader<'a>, Key) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let mut reader = Reader::new(message);
    while let Some(key) = reader.key()? {
        field(&mut reader, key)?;
    }
    Ok(())
}

fn list(
    reader: &mut Reader<'_>,
    key: Key,
    list: &mut dyn List,
    element: &Shape,
    depth: usize,
    budget: &mut Budget,
) -> Result<(), DecodeError> {
    let packed = key.wire == 2 && matches!(element, Shape::Int32 | Shape::Int64 | Shape::Bool);
    if !packed {
        budget.spend(list.element_bytes())?;
        return value(reader, key, list.push(), element, depth, budget);
    }
    let mut inner = Reader::new(reader.bytes(key)?);
    while !inner.is_empty() {
        budget.spend(list.element_bytes())?;
        value(&mut inner, Key { number: key.number, wire: 0 }, list.push(), element, depth, budget)?;
    }
    Ok(())
}

fn entry(
    reader: &mut Reader<'_>,
    key: Key,
    map: &mut dyn Map,
    shape: &Shape,
    depth: usize,
    budget: &mut Budget,
) -> Result<(), DecodeError> {
    let message = reader.bytes(key)?;
    let mut name = String::new();
    each(message, |inner, key| match key.number {
        1 => inner.string(key).map(|string| name = string),
        _ => inner.skip(key),
    })?;
    budget.spend(map.entry_bytes())?;
    map.insert(name.clone());
    each(message, |inner, key| match key.number {
        2 => value(inner, key, map.insert(name.clone()), shape, depth + 1, budget),
        _ => inner.skip(key),
    })?;
    if matches!(map.find(&name), Some(Value::Time(Time::ZERO))) {
        map.insert(name);
    }
    Ok(())
}

/// Seconds since the Unix epoch and nanoseconds on top of them; an empty message is the zero time.
fn seconds_and_nanos(message: &[u8]) -> Result<(i64, i64), DecodeError> {
    if message.is_empty() {
        return Ok((Time::ZERO.seconds, 0));
    }
    let (mut seconds, mut nanos) = (0, 0);
    each(message, |inner, key| match key.number {
        1 => inner.integer(key).map(|value| seconds = value),
        2 => inner.integer(key).map(|value| nanos = value),
        _ => inner.skip(key),
    })?;
    // What RFC 3339 can write: the years 0 to 9999, and a day on either side for its offsets.
    if !(-62_167_305_600..=253_402_387_199).contains(&seconds) {
        return Err(DecodeError::Scalar(format!(
            "a time of {seconds} seconds is outside the years 0 to 9999"
        )));
    }
    Ok((seconds, nanos))
}

fn micro((seconds, nanos): (i64, i64)) -> MicroTime {
    MicroTime { micros: seconds.saturating_mul(1_000_000).saturating_add(nanos / 1_000) }
}

/// Text that is kept must be JSON, or no JSON could be written of the record; or else it is a document of our own envelope,
/// as in a watch event, which whoever asked for protobuf will open.
fn kept(text: &[u8]) -> Result<Bytes, DecodeError> {
    if text.is_empty() || text.starts_with(super::MAGIC) {
        return Ok(Bytes::copy_from_slice(text));
    }
    json::compacted(text).map(Bytes::from)
}

fn int_or_string(message: &[u8]) -> Result<IntOrString, DecodeError> {
    let (mut kind, mut number, mut text) = (0, 0, String::new());
    each(message, |inner, key| match key.number {
        1 => inner.integer(key).map(|value| kind = value),
        2 => inner.integer(key).map(|value| number = value as i32),
        3 => inner.string(key).map(|value| text = value),
        _ => inner.skip(key),
    })?;
    Ok(if kind == 1 { IntOrString::String(text) } else { IntOrString::Int(number) })
}
