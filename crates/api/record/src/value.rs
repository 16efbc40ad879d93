//! Reading and writing a field without knowing its Rust type.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;

use crate::scalar::{Duration, IntOrString, MicroTime, Quantity, RawJson, Time};
use crate::{Record, equal};

/// What a field holds.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// Nothing: a nil pointer, slice, map or time.
    Nil,
    /// A boolean.
    Bool(bool),
    /// An integer of either width.
    Int(i64),
    /// A double.
    Float(f64),
    /// Text.
    Str(&'a str),
    /// Bytes.
    Bytes(&'a Bytes),
    /// A resource quantity.
    Quantity(&'a Quantity),
    /// An integer or text.
    IntOrString(&'a IntOrString),
    /// A time in seconds.
    Time(Time),
    /// A time in microseconds.
    MicroTime(MicroTime),
    /// A span of time.
    Duration(Duration),
    /// JSON text.
    Json(&'a RawJson),
    /// A nested record.
    Record(&'a dyn Record),
    /// A list, possibly empty.
    List(&'a dyn List),
    /// A map, possibly empty.
    Map(&'a dyn Map),
}

impl Value<'_> {
    /// Whether Go's `omitempty` would leave out a field that is not a pointer and holds this.
    pub fn is_empty(&self) -> bool {
        match self {
            Value::Nil | Value::Bool(false) | Value::Int(0) => true,
            Value::Float(float) => *float == 0.0,
            Value::Str(text) => text.is_empty(),
            Value::Bytes(bytes) => bytes.is_empty(),
            Value::List(list) => list.len() == 0,
            Value::Map(map) => map.len() == 0,
            _ => false,
        }
    }

    /// Whether this is the zero value of its type, records being zero when all their fields are.
    pub fn is_zero(&self) -> bool {
        match self {
            Value::Record(record) => {
                (0..record.schema().fields.len()).all(|index| record.get(index).is_zero())
            }
            Value::Quantity(quantity) => quantity.is_zero(),
            Value::IntOrString(value) => **value == IntOrString::default(),
            Value::Duration(duration) => *duration == Duration::default(),
            Value::Time(time) => time.is_zero(),
            Value::MicroTime(time) => time.is_zero(),
            Value::List(_) | Value::Map(_) => false,
            other => other.is_empty(),
        }
    }
}

impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Nil, Value::Nil) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Str(a), Value::Str(b)) => a == b,
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::Quantity(a), Value::Quantity(b)) => a == b,
            (Value::IntOrString(a), Value::IntOrString(b)) => a == b,
            (Value::Time(a), Value::Time(b)) => a == b,
            (Value::MicroTime(a), Value::MicroTime(b)) => a == b,
            (Value::Duration(a), Value::Duration(b)) => a == b,
            (Value::Json(a), Value::Json(b)) => a == b,
            (Value::Record(a), Value::Record(b)) => equal(*a, *b),
            (Value::List(a), Value::List(b)) => {
                a.len() == b.len() && (0..a.len()).all(|i| a.at(i) == b.at(i))
            }
            (Value::Map(a), Value::Map(b)) => a.len() == b.len() && a.entries().eq(b.entries()),
            _ => false,
        }
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Nil => f.write_str("nil"),
            Value::Bool(value) => value.fmt(f),
            Value::Int(value) => value.fmt(f),
            Value::Float(value) => value.fmt(f),
            Value::Str(value) => value.fmt(f),
            Value::Bytes(value) => value.fmt(f),
            Value::Quantity(value) => write!(f, "{value}"),
            Value::IntOrString(value) => write!(f, "{value}"),
            Value::Time(value) => write!(f, "{value}"),
            Value::MicroTime(value) => write!(f, "{value}"),
            Value::Duration(value) => write!(f, "{value}"),
            Value::Json(value) => write!(f, "{value:?}"),
            Value::Record(value) => value.fmt(f),
            Value::List(list) => f.debug_list().entries((0..list.len()).map(|i| list.at(i))).finish(),
            Value::Map(map) => f.debug_map().entries(map.entries()).finish(),
        }
    }
}

/// A field open for writing.
pub enum Slot<'a> {
    /// A boolean.
    Bool(&'a mut bool),
    /// A 32 bit integer.
    Int32(&'a mut i32),
    /// A 64 bit integer.
    Int64(&'a mut i64),
    /// A double.
    Float(&'a mut f64),
    /// Text.
    Str(&'a mut String),
    /// Bytes.
    Bytes(&'a mut Bytes),
    /// A resource quantity.
    Quantity(&'a mut Quantity),
    /// An integer or text.
    IntOrString(&'a mut IntOrString),
    /// A time in seconds.
    Time(&'a mut Time),
    /// A time in microseconds.
    MicroTime(&'a mut MicroTime),
    /// A span of time.
    Duration(&'a mut Duration),
    /// JSON text.
    Json(&'a mut RawJson),
    /// A nested record.
    Record(&'a mut dyn Record),
    /// Something that can be nil.
    Nullable(&'a mut dyn Nullable),
    /// A list that cannot be nil, or is not.
    List(&'a mut dyn List),
    /// A map that cannot be nil, or is not.
    Map(&'a mut dyn Map),
}

impl<'a> Slot<'a> {
    /// The slot of the value itself: fills whatever is nil with a zero value.
    pub fn filled(self) -> Slot<'a> {
        match self {
            Slot::Nullable(nullable) => nullable.fill().filled(),
            other => other,
        }
    }
}

/// A Rust type that a field can have.
pub trait FieldType: Send + Sync + 'static {
    /// Reads it.
    fn value(&self) -> Value<'_>;
    /// Opens it for writing.
    fn slot(&mut self) -> Slot<'_>;
    /// The bytes that a zero value takes on the heap.
    fn heap_bytes() -> usize
    where
        Self: Sized,
    {
        0
    }
}

/// Something that can be nil.
pub trait Nullable {
    /// The bytes that are allocated to make it a zero value.
    fn heap_bytes(&self) -> usize;
    /// Whether it is not nil.
    fn is_set(&self) -> bool;
    /// Makes it nil.
    fn set_nil(&mut self);
    /// Opens what it holds, which becomes the zero value if it was nil.
    fn fill(&mut self) -> Slot<'_>;
}

/// A list.
pub trait List {
    /// The number of elements.
    fn len(&self) -> usize;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Reads an element.
    ///
    /// # Panics
    /// If there is no such element.
    fn at(&self, index: usize) -> Value<'_>;
    /// Opens an element for writing.
    ///
    /// # Panics
    /// If there is no such element.
    fn at_mut(&mut self, index: usize) -> Slot<'_>;
    /// Adds a zero value at the end and opens it.
    fn push(&mut self) -> Slot<'_>;
    /// Removes all elements.
    fn clear(&mut self);
    /// Removes the elements behind the first `count`.
    fn truncate(&mut self, count: usize);
    /// The bytes that an element of zero value takes.
    fn element_bytes(&self) -> usize;
}

/// A map with string keys, in the order of their bytes.
pub trait Map {
    /// The number of entries.
    fn len(&self) -> usize;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The entries in the order of their keys.
    fn entries(&self) -> Box<dyn DoubleEndedIterator<Item = (&str, Value<'_>)> + '_>;
    /// The value of a key.
    fn find(&self, key: &str) -> Option<Value<'_>>;
    /// Sets a key to the zero value and opens that.
    fn insert(&mut self, key: String) -> Slot<'_>;
    /// Opens the values of all entries, in the order of their keys.
    fn slots(&mut self) -> Box<dyn Iterator<Item = (&str, Slot<'_>)> + '_>;
    /// Removes all entries.
    fn clear(&mut self);
    /// The bytes that an entry of zero value takes, its key aside.
    fn entry_bytes(&self) -> usize;
}

impl<T: FieldType + Default> List for Vec<T> {
    fn len(&self) -> usize {
        Vec::len(self)
    }
    fn at(&self, index: usize) -> Value<'_> {
        self[index].value()
    }
    fn at_mut(&mut self, index: usize) -> Slot<'_> {
        self[index].slot()
    }
    fn push(&mut self) -> Slot<'_> {
        // A Vec makes room for four elements with the first, and most lists of an object have one or two large ones: that was
        // a quarter of the memory of a decoded pod.
        if Vec::len(self) == self.capacity() {
            self.reserve_exact(Vec::len(self).max(1));
        }
        Vec::push(self, T::default());
        let last = self.len() - 1;
        self[last].slot()
    }
    fn clear(&mut self) {
        Vec::clear(self);
    }
    fn truncate(&mut self, count: usize) {
        Vec::truncate(self, count);
    }
    fn element_bytes(&self) -> usize {
        size_of::<T>() + T::heap_bytes()
    }
}

impl<T: FieldType + Default> Map for BTreeMap<String, T> {
    fn len(&self) -> usize {
        BTreeMap::len(self)
    }
    fn entries(&self) -> Box<dyn DoubleEndedIterator<Item = (&str, Value<'_>)> + '_> {
        Box::new(self.iter().map(|(key, value)| (key.as_str(), value.value())))
    }
    fn find(&self, key: &str) -> Option<Value<'_>> {
        BTreeMap::get(self, key).map(FieldType::value)
    }
    fn insert(&mut self, key: String) -> Slot<'_> {
        let value = self.entry(key).or_default();
        *value = T::default();
        value.slot()
    }
    fn slots(&mut self) -> Box<dyn Iterator<Item = (&str, Slot<'_>)> + '_> {
        Box::new(self.iter_mut().map(|(key, value)| (key.as_str(), value.slot())))
    }
    fn clear(&mut self) {
        BTreeMap::clear(self);
    }
    fn entry_bytes(&self) -> usize {
        size_of::<(String, T)>() + T::heap_bytes()
    }
}

impl<T: FieldType + Default> FieldType for Vec<T> {
    fn value(&self) -> Value<'_> {
        Value::List(self)
    }
    fn slot(&mut self) -> Slot<'_> {
        Slot::List(self)
    }
}

impl<T: FieldType + Default> FieldType for BTreeMap<String, T> {
    fn value(&self) -> Value<'_> {
        Value::Map(self)
    }
    fn slot(&mut self) -> Slot<'_> {
        Slot::Map(self)
    }
}

impl<T: FieldType + Default> FieldType for Option<T> {
    fn value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Nil, FieldType::value)
    }
    fn slot(&mut self) -> Slot<'_> {
        Slot::Nullable(self)
    }
}

impl<T: FieldType + Default> Nullable for Option<T> {
    fn heap_bytes(&self) -> usize {
        T::heap_bytes()
    }
    fn is_set(&self) -> bool {
        self.is_some()
    }
    fn set_nil(&mut self) {
        *self = None;
    }
    fn fill(&mut self) -> Slot<'_> {
        self.get_or_insert_default().slot()
    }
}

impl<T: FieldType> FieldType for Box<T> {
    fn value(&self) -> Value<'_> {
        (**self).value()
    }
    fn slot(&mut self) -> Slot<'_> {
        (**self).slot()
    }
    fn heap_bytes() -> usize {
        size_of::<T>() + T::heap_bytes()
    }
}

macro_rules! scalar {
    ($type:ty, $this:ident => $value:expr, $slot:ident) => {
        impl FieldType for $type {
            fn value(&self) -> Value<'_> {
                let $this = self;
                $value
            }
            fn slot(&mut self) -> Slot<'_> {
                Slot::$slot(self)
            }
        }
    };
}

scalar!(bool, this => Value::Bool(*this), Bool);
scalar!(i32, this => Value::Int(i64::from(*this)), Int32);
scalar!(i64, this => Value::Int(*this), Int64);
scalar!(f64, this => Value::Float(*this), Float);
scalar!(String, this => Value::Str(this), Str);
scalar!(Bytes, this => Value::Bytes(this), Bytes);
scalar!(Quantity, this => Value::Quantity(this), Quantity);
scalar!(IntOrString, this => Value::IntOrString(this), IntOrString);
scalar!(Time, this => Value::Time(*this), Time);
scalar!(MicroTime, this => Value::MicroTime(*this), MicroTime);
scalar!(Duration, this => Value::Duration(*this), Duration);
scalar!(RawJson, this => Value::Json(this), Json);
