//! Messages to records.

use api_record::scalar::{Duration, IntOrString, MicroTime, RawJson, Time};
use api_record::{Bytes, List, Map, Record, Shape, Slot};

use super::read::{Key, Reader};
use crate::DecodeError;
use crate::limits::MAX_RECORD_DEPTH;

pub(super) fn record(
    reader: &mut Reader<'_>,
    record: &mut dyn Record,
    depth: usize,
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
        let shape = field.shape.clone();
        value(reader, key, record.slot(index), &shape, depth)?;
    }
    Ok(())
}

fn value(
    reader: &mut Reader<'_>,
    key: Key,
    slot: Slot<'_>,
    shape: &Shape,
    depth: usize,
) -> Result<(), DecodeError> {
    if let (Shape::Time | Shape::MicroTime, Slot::Nullable(time)) = (shape, &slot) {
        let _ = time;
        return timestamp(reader, key, slot);
    }
    match (slot.filled(), shape) {
        (Slot::List(list), Shape::List(element)) => return self::list(reader, key, list, element, depth),
        (Slot::List(list), Shape::Items(element)) => {
            let mut inner = Reader::new(reader.bytes(key)?);
            list.clear();
            while let Some(key) = inner.key()? {
                if key.number == 1 {
                    value(&mut inner, key, list.push(), element, depth + 1)?;
                } else {
                    inner.skip(key)?;
                }
            }
        }
        (Slot::Map(map), Shape::Map(shape)) => return entry(reader, key, map, shape, depth),
        (Slot::Bool(slot), _) => *slot = reader.integer(key)? != 0,
        (Slot::Int32(slot), _) => *slot = reader.integer(key)? as i32,
        (Slot::Int64(slot), _) => *slot = reader.integer(key)?,
        (Slot::Float(slot), _) => *slot = reader.double(key)?,
        (Slot::Str(slot), _) => *slot = reader.string(key)?,
        (Slot::Bytes(slot), _) => *slot = Bytes::copy_from_slice(reader.bytes(key)?),
        (Slot::Quantity(slot), _) => {
            let mut text = String::new();
            each(reader.bytes(key)?, |inner, key| match key.number {
                1 => inner.string(key).map(|string| text = string),
                _ => inner.skip(key),
            })?;
            *slot = text.parse().map_err(|error: api_record::scalar::ParseQuantityError| {
                DecodeError::Scalar(error.to_string())
            })?;
        }
        (Slot::IntOrString(slot), _) => *slot = int_or_string(reader.bytes(key)?)?,
        (Slot::Time(slot), _) => *slot = Time { seconds: seconds_and_nanos(reader.bytes(key)?)?.0 },
        (Slot::MicroTime(slot), _) => *slot = micro(seconds_and_nanos(reader.bytes(key)?)?),
        (Slot::Duration(slot), _) => each(reader.bytes(key)?, |inner, key| match key.number {
            1 => inner.integer(key).map(|nanos| *slot = Duration { nanos }),
            _ => inner.skip(key),
        })?,
        (Slot::Json(slot), _) => {
            slot.0 = None;
            each(reader.bytes(key)?, |inner, key| match key.number {
                1 => inner.bytes(key).map(|text| *slot = RawJson(Some(Bytes::copy_from_slice(text)))),
                _ => inner.skip(key),
            })?;
        }
        (Slot::Record(nested), _) => record(&mut Reader::new(reader.bytes(key)?), nested, depth + 1)?,
        (Slot::List(_) | Slot::Map(_) | Slot::Nullable(_), _) => {
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
) -> Result<(), DecodeError> {
    let packed = key.wire == 2 && matches!(element, Shape::Int32 | Shape::Int64 | Shape::Bool);
    if !packed {
        return value(reader, key, list.push(), element, depth);
    }
    let mut inner = Reader::new(reader.bytes(key)?);
    while !inner.is_empty() {
        value(&mut inner, Key { number: key.number, wire: 0 }, list.push(), element, depth)?;
    }
    Ok(())
}

fn entry(
    reader: &mut Reader<'_>,
    key: Key,
    map: &mut dyn Map,
    shape: &Shape,
    depth: usize,
) -> Result<(), DecodeError> {
    let message = reader.bytes(key)?;
    let mut name = String::new();
    each(message, |inner, key| match key.number {
        1 => inner.string(key).map(|string| name = string),
        _ => inner.skip(key),
    })?;
    map.insert(name.clone());
    each(message, |inner, key| match key.number {
        2 => value(inner, key, map.insert(name.clone()), shape, depth + 1),
        _ => inner.skip(key),
    })
}

/// An empty message is the zero time, which is nil here.
fn timestamp(reader: &mut Reader<'_>, key: Key, slot: Slot<'_>) -> Result<(), DecodeError> {
    let message = reader.bytes(key)?;
    let Slot::Nullable(nullable) = slot else { unreachable!("the caller has looked") };
    if message.is_empty() {
        nullable.set_nil();
        return Ok(());
    }
    let parts = seconds_and_nanos(message)?;
    match nullable.fill() {
        Slot::Time(time) => *time = Time { seconds: parts.0 },
        Slot::MicroTime(time) => *time = micro(parts),
        _ => unreachable!("a slot fits its field's shape"),
    }
    Ok(())
}

fn seconds_and_nanos(message: &[u8]) -> Result<(i64, i64), DecodeError> {
    let (mut seconds, mut nanos) = (0, 0);
    each(message, |inner, key| match key.number {
        1 => inner.integer(key).map(|value| seconds = value),
        2 => inner.integer(key).map(|value| nanos = value),
        _ => inner.skip(key),
    })?;
    // The years that RFC 3339 can write.
    if !(-62_135_596_800..=253_402_300_799).contains(&seconds) {
        return Err(DecodeError::Scalar(format!(
            "a time of {seconds} seconds is outside the years 1 to 9999"
        )));
    }
    Ok((seconds, nanos))
}

fn micro((seconds, nanos): (i64, i64)) -> MicroTime {
    MicroTime { micros: seconds.saturating_mul(1_000_000).saturating_add(nanos / 1_000) }
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
