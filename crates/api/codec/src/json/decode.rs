//! JSON to records.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use api_record::scalar::{Duration, IntOrString, MicroTime, Quantity, RawJson, Time};
use api_record::{Bytes, JsonForm, Record, Ref, Schema, Shape, Slot, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::read::{Reader, Token, compact};
use super::text::go_quoted;
use crate::limits::{Budget, Limits, MAX_RECORD_DEPTH, MAX_SHOWN};
use crate::{DecodeError, Strictness};

/// The `kind` and `apiVersion` of a document, empty where it has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeMeta {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
}

/// Reads the `kind` and `apiVersion` of a JSON object, and checks the syntax of the whole.
pub fn type_meta(json: &[u8], limits: Limits) -> Result<TypeMeta, DecodeError> {
    check_size(json, limits)?;
    let mut reader = Reader::new(json);
    let mut meta = TypeMeta::default();
    if reader.peek()? != Token::Object {
        let found = reader.peek()?.name().to_owned();
        reader.skip()?;
        reader.end()?;
        let wanted = "struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }";
        return Err(DecodeError::Type { found, place: "value".into(), wanted: wanted.into() });
    }
    let mut first = true;
    while reader.next(b'}', &mut first)? {
        let key = reader.key()?;
        let target = match &*key {
            "kind" => &mut meta.kind,
            "apiVersion" => &mut meta.api_version,
            _ => {
                reader.skip()?;
                continue;
            }
        };
        match reader.peek()? {
            Token::String => *target = reader.string()?.into_owned(),
            Token::Null => reader.null()?,
            token => {
                let place = format!("struct field .{key}");
                return Err(DecodeError::Type { found: token.name().into(), place, wanted: "string".into() });
            }
        }
    }
    reader.end()?;
    Ok(meta)
}

/// Fills `record` from a JSON object. Unknown and duplicate fields are passed over, and reported to `strict` if given.
pub fn decode(
    json: &[u8],
    record: &mut dyn Record,
    strict: Option<&mut Strictness>,
    limits: Limits,
) -> Result<(), DecodeError> {
    check_size(json, limits)?;
    let mut decoder = Decoder {
        reader: Reader::new(json),
        budget: Budget::of(json),
        path: Vec::new(),
        structs: Vec::new(),
        named: "",
        strict,
        saved: None,
    };
    let outcome = decoder.record_or_null(record).and_then(|()| decoder.reader.end());
    match outcome.and(decoder.saved.map_or(Ok(()), Err)) {
        // What is no JSON at all is the graver error, wherever it comes.
        Err(error @ (DecodeError::Type { .. } | DecodeError::Scalar(_))) => {
            let mut reader = Reader::new(json);
            reader.skip()?;
            reader.end()?;
            Err(error)
        }
        other => other,
    }
}

fn check_size(json: &[u8], limits: Limits) -> Result<(), DecodeError> {
    if json.len() > limits.bytes {
        return Err(DecodeError::TooLarge { size: json.len(), limit: limits.bytes });
    }
    Ok(())
}

pub(super) enum Segment<'a> {
    /// A field.
    Name(Cow<'a, str>),
    /// A record that is inlined into its parent, which type errors name and strict errors do not.
    Inlined(Ref<str>),
    /// The key of a map, which strict errors name and type errors do not.
    Key(Cow<'a, str>),
    /// An element of a list, likewise.
    Index(usize),
}

pub(super) struct Decoder<'a, 's> {
    pub(super) reader: Reader<'a>,
    pub(super) budget: Budget,
    pub(super) path: Vec<Segment<'a>>,
    /// The Go names of the structs that are being filled.
    structs: Vec<Ref<str>>,
    /// The Go name of the type of the field that is being filled, if it has one of its own.
    named: &'static str,
    strict: Option<&'s mut Strictness>,
    /// The first value that does not fit its field; what follows it is still looked at.
    saved: Option<DecodeError>,
}

/// Where a field of a record, or of one of its inlined records, is.
fn locate(schema: &Schema, name: &str, route: &mut Vec<usize>) -> Option<usize> {
    if let Some(index) = schema.index_of(name) {
        return Some(index);
    }
    for (index, field) in schema.fields.iter().enumerate() {
        if let (true, Shape::Record(inlined)) = (field.inline, &field.shape) {
            route.push(index);
            if let Some(found) = locate(inlined, name, route) {
                return Some(found);
            }
            route.pop();
        }
    }
    None
}

impl<'a> Decoder<'a, '_> {
    fn record_or_null(&mut self, record: &mut dyn Record) -> Result<(), DecodeError> {
        match self.reader.peek()? {
            Token::Null => self.reader.null(),
            _ => self.record(record),
        }
    }

    fn record(&mut self, record: &mut dyn Record) -> Result<(), DecodeError> {
        if self.path.len() > MAX_RECORD_DEPTH {
            return Err(DecodeError::TooDeep);
        }
        match record.schema().json {
            JsonForm::Object => self.object(record),
            JsonForm::SchemaOrList if self.reader.peek()? == Token::List => self.field_of(record, 1),
            JsonForm::SchemaOrList => self.field_of(record, 0),
            JsonForm::BoolOrSchema if self.reader.peek()? == Token::Bool => self.field_of(record, 0),
            JsonForm::BoolOrSchema => {
                if let Slot::Bool(allows) = record.slot(0) {
                    *allows = true;
                }
                self.field_of(record, 1)
            }
        }
    }

    fn field_of(&mut self, record: &mut dyn Record, index: usize) -> Result<(), DecodeError> {
        let shape = record.schema().fields[index].shape.clone();
        self.value(record.slot(index), &shape)
    }

    fn object(&mut self, record: &mut dyn Record) -> Result<(), DecodeError> {
        let token = self.reader.peek()?;
        if token != Token::Object {
            let schema = record.schema();
            return self.mismatch(token, &format!("{}.{}", schema.version(), &*schema.name));
        }
        self.structs.push(record.schema().name.clone());
        let mut seen: Vec<Cow<'a, str>> = Vec::new();
        let mut first = true;
        while self.reader.next(b'}', &mut first)? {
            let key = self.reader.key()?;
            self.member(record, key, &mut seen)?;
        }
        self.structs.pop();
        Ok(())
    }

    fn member(
        &mut self,
        record: &mut dyn Record,
        key: Cow<'a, str>,
        seen: &mut Vec<Cow<'a, str>>,
    ) -> Result<(), DecodeError> {
        let mut route = Vec::new();
        let found = locate(record.schema(), &key, &mut route);
        let type_meta =
            found.is_none() && record.schema().type_meta && matches!(&*key, "kind" | "apiVersion");
        if found.is_none() && !type_meta {
            if let Some(rest) = record.rest_mut() {
                return self.entry(rest, key);
            }
            self.report("unknown", &key);
            return self.reader.skip().map(drop);
        }
        // Only fields that there are can be duplicates, so that this stays as short as the schema.
        if self.strict.is_some() {
            if seen.contains(&key) {
                self.report("duplicate", &key);
            } else {
                seen.push(key.clone());
            }
        }
        let depth = self.path.len();
        let Some(index) = found else {
            self.path.push(Segment::Inlined(Ref::Static("TypeMeta")));
            self.path.push(Segment::Name(key));
            self.value(Slot::Str(&mut String::new()), &Shape::String)?;
            self.path.truncate(depth);
            return Ok(());
        };
        let mut holder = record;
        for step in route {
            self.path.push(Segment::Inlined(holder.schema().fields[step].name.clone()));
            match holder.slot(step).filled() {
                Slot::Record(inlined) => holder = inlined,
                _ => unreachable!("an inlined field is a record"),
            }
        }
        let field = &holder.schema().fields[index];
        let (shape, pointer) = (field.shape.clone(), field.pointer);
        let outer = std::mem::replace(&mut self.named, field.named);
        self.path.push(Segment::Name(key));
        self.value(holder.slot(index), &shape)?;
        self.path.truncate(depth);
        self.named = outer;
        if !pointer
            && matches!(holder.get(index), Value::Time(Time::ZERO) | Value::MicroTime(MicroTime::ZERO))
        {
            set_nil(holder.slot(index));
        }
        Ok(())
    }

    fn value(&mut self, slot: Slot<'_>, shape: &Shape) -> Result<(), DecodeError> {
        let token = self.reader.peek()?;
        if token == Token::Null {
            self.reader.null()?;
            return null(slot);
        }
        match (self.budget.fill(slot)?, token, shape) {
            (Slot::Record(record), _, _) => self.record(record),
            (Slot::List(list), Token::List, Shape::List(element) | Shape::Items(element)) => {
                self.list(list, element)
            }
            (Slot::Map(map), Token::Object, Shape::Map(value)) => self.map(map, value),
            (slot, token, shape) => self.scalar(slot, token, shape),
        }
    }

    fn list(&mut self, list: &mut dyn api_record::List, element: &Shape) -> Result<(), DecodeError> {
        // Where a field comes twice, Go fills the elements that the first left anew, without emptying them.
        let (mut first, mut count) = (true, 0);
        while self.reader.next(b']', &mut first)? {
            self.path.push(Segment::Index(count));
            if count < list.len() {
                self.value(list.at_mut(count), element)?;
            } else {
                self.budget.spend(list.element_bytes())?;
                self.value(list.push(), element)?;
            }
            self.path.pop();
            count += 1;
        }
        list.truncate(count);
        Ok(())
    }

    /// What nothing is nested in; apart, because what recurses should need little stack.
    fn scalar(&mut self, slot: Slot<'_>, token: Token, shape: &Shape) -> Result<(), DecodeError> {
        match (slot, token, shape) {
            (Slot::Bool(value), Token::Bool, _) => *value = self.reader.bool()?,
            (Slot::Int32(value), Token::Number, _) => *value = self.parsed(shape)?,
            (Slot::Int64(value), Token::Number, _) => *value = self.parsed(shape)?,
            (Slot::Float(value), Token::Number, _) => *value = self.parsed(shape)?,
            (Slot::Str(value), Token::String, _) => *value = self.reader.string()?.into_owned(),
            (Slot::Bytes(value), Token::String, _) => match base64(&self.reader.string()?) {
                Ok(bytes) => *value = bytes,
                Err(error) => drop(self.saved.get_or_insert(error)),
            },
            (Slot::Bytes(value), Token::List, _) => *value = self.byte_list()?,
            (Slot::Quantity(value), Token::String, _) => *value = read(self.reader.string()?.trim())?,
            (Slot::Quantity(value), Token::Number, _) => *value = read(self.reader.number()?)?,
            (Slot::IntOrString(value), Token::String, _) => {
                *value = IntOrString::String(self.reader.string()?.into_owned());
            }
            (Slot::IntOrString(value), Token::Number, _) => {
                let text = self.reader.number()?;
                let number = text.parse().map_err(|_| self.type_error(format!("number {text}"), "int32"))?;
                *value = IntOrString::Int(number);
            }
            (Slot::Time(value), Token::String, _) => *value = read(&self.reader.string()?)?,
            (Slot::MicroTime(value), Token::String, _) => *value = read(&self.reader.string()?)?,
            (Slot::Duration(value), Token::String, _) => *value = read(&self.reader.string()?)?,
            (Slot::Json(value), _, _) => *value = RawJson(Some(compact(self.reader.skip()?).into())),
            (
                Slot::Quantity(_)
                | Slot::IntOrString(_)
                | Slot::Time(_)
                | Slot::MicroTime(_)
                | Slot::Duration(_),
                _,
                _,
            ) => return self.refused(token, shape),
            _ => return self.mismatch(token, &self.wanted(shape)),
        }
        Ok(())
    }

    fn map(&mut self, map: &mut dyn api_record::Map, value: &Shape) -> Result<(), DecodeError> {
        let mut first = true;
        let mut seen = BTreeSet::new();
        while self.reader.next(b'}', &mut first)? {
            let key = self.reader.key()?;
            if self.strict.is_some() && !seen.insert(key.clone()) {
                self.report("duplicate", &key);
            }
            self.budget.spend(map.entry_bytes())?;
            self.path.push(Segment::Key(key.clone()));
            self.value(map.insert(key.clone().into_owned()), value)?;
            self.path.pop();
            if matches!(map.find(&key), Some(Value::Time(Time::ZERO))) {
                map.insert(key.into_owned());
            }
        }
        Ok(())
    }

    /// Bytes as a list of numbers, which Go reads as well.
    fn byte_list(&mut self) -> Result<Bytes, DecodeError> {
        let (mut bytes, mut first) = (Vec::new(), true);
        while self.reader.next(b']', &mut first)? {
            match self.reader.peek()? {
                Token::Number => {
                    let text = self.reader.number()?;
                    bytes.push(text.parse().unwrap_or_else(|_| {
                        self.save(format!("number {text}"), "uint8");
                        0
                    }));
                }
                Token::Null => {
                    self.reader.null()?;
                    bytes.push(0);
                }
                token => self.mismatch(token, "uint8")?,
            }
        }
        Ok(bytes.into())
    }

    fn parsed<T: std::str::FromStr + Default>(&mut self, shape: &Shape) -> Result<T, DecodeError> {
        let text = self.reader.number()?;
        Ok(text.parse().unwrap_or_else(|_| {
            self.save(format!("number {text}"), &self.wanted(shape));
            T::default()
        }))
    }

    fn mismatch(&mut self, token: Token, wanted: &str) -> Result<(), DecodeError> {
        self.reader.skip()?;
        self.save(token.name().to_owned(), wanted);
        Ok(())
    }

    /// Upstream reads these types by functions of their own, whose errors end the decoding.
    fn refused(&mut self, token: Token, shape: &Shape) -> Result<(), DecodeError> {
        let text = self.reader.skip()?;
        match shape {
            Shape::Quantity => read::<Quantity>(&String::from_utf8_lossy(text)).map(drop),
            Shape::IntOrString => Err(self.type_error(token.name().to_owned(), "int32")),
            _ => Err(self.type_error(token.name().to_owned(), "string")),
        }
    }

    /// What Go calls the type of this shape.
    fn wanted(&self, shape: &Shape) -> String {
        let text = format!("{shape:?}");
        match (self.named, text.strip_suffix("string").or_else(|| text.strip_suffix("int32"))) {
            ("", _) | (_, None) => text,
            (named, Some(before)) => format!("{before}{named}"),
        }
    }

    fn save(&mut self, found: String, wanted: &str) {
        if self.saved.is_none() {
            self.saved = Some(self.type_error(found, wanted));
        }
    }

    fn type_error(&self, found: String, wanted: &str) -> DecodeError {
        let names: Vec<&str> = self
            .path
            .iter()
            .filter_map(|segment| match segment {
                Segment::Name(name) => Some(&**name),
                Segment::Inlined(name) => Some(&**name),
                Segment::Key(_) | Segment::Index(_) => None,
            })
            .collect();
        let place = match self.structs.last() {
            Some(innermost) if !names.is_empty() => {
                format!("struct field {}.{}", &**innermost, names.join("."))
            }
            _ => "value".to_owned(),
        };
        DecodeError::Type { found: shortened(found), place, wanted: wanted.to_owned() }
    }

    pub(super) fn report(&mut self, problem: &str, key: &str) {
        let Some(strict) = self.strict.as_deref_mut() else { return };
        let mut path = String::new();
        let begun = |text: &'_ str| text[..text.floor_char_boundary(MAX_SHOWN)].to_owned();
        for segment in &self.path {
            if path.len() > MAX_SHOWN {
                break;
            }
            match segment {
                Segment::Name(name) | Segment::Key(name) if path.is_empty() => path = begun(name),
                Segment::Name(name) | Segment::Key(name) => drop(write!(path, ".{}", begun(name))),
                Segment::Index(index) => drop(write!(path, "[{index}]")),
                Segment::Inlined(_) => {}
            }
        }
        path.push_str(if self.path.is_empty() { "" } else { "." });
        path.push_str(&begun(key));
        strict.report(format!("{problem} field {}", go_quoted(&shortened(path))));
    }
}

/// No more of a text than an error shows.
fn shortened(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_SHOWN));
    text
}

/// What upstream's decoders make of `null`: most leave the field as it is.
fn null(slot: Slot<'_>) -> Result<(), DecodeError> {
    match slot {
        Slot::Nullable(nullable) => nullable.set_nil(),
        Slot::Quantity(quantity) => *quantity = Quantity::default(),
        Slot::IntOrString(value) => *value = IntOrString::default(),
        // Read as an empty text, which is no duration.
        Slot::Duration(_) => return read::<Duration>("").map(drop),
        _ => {}
    }
    Ok(())
}

fn set_nil(slot: Slot<'_>) {
    if let Slot::Nullable(nullable) = slot {
        nullable.set_nil();
    }
}

fn read<T>(text: &str) -> Result<T, DecodeError>
where
    T: std::str::FromStr,
    T::Err: ToString,
{
    text.parse().map_err(|error: T::Err| DecodeError::Scalar(error.to_string()))
}

fn base64(text: &str) -> Result<Bytes, DecodeError> {
    let decoded = if text.contains(['\r', '\n']) {
        STANDARD.decode(text.replace(['\r', '\n'], ""))
    } else {
        STANDARD.decode(text)
    };
    decoded.map(Bytes::from).map_err(|_| {
        DecodeError::Scalar(format!("illegal base64 data at input byte {}", corrupt_at(text.as_bytes())))
    })
}

/// Where Go finds base64 wrong: at the byte that is none of it, or where the group of four begins that is cut short.
fn corrupt_at(text: &[u8]) -> usize {
    let (mut group, mut start, mut padded) = (0, 0, 0);
    for (at, &byte) in text.iter().enumerate().filter(|(_, byte)| !matches!(byte, b'\r' | b'\n')) {
        match byte {
            b'=' if group < 2 || group + padded >= 4 => return at,
            b'=' => padded += 1,
            _ if padded > 0 => return at,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => {
                if group == 4 {
                    group = 0;
                }
                if group == 0 {
                    start = at;
                }
                group += 1;
            }
            _ => return at,
        }
    }
    if group < 4 && padded == 0 { start } else { text.len() }
}
