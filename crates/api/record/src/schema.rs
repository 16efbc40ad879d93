//! Schemas: what the fields of a record are called and how each wire format writes them.
//!
//! Built-in schemas are `static`s made by the generator; a custom resource's is built at run time and shared.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::Value;

/// A reference to a part of a schema: into a `static`, or counted.
pub enum Ref<T: ?Sized + 'static> {
    /// Part of the program.
    Static(&'static T),
    /// Built at run time.
    Shared(Arc<T>),
}

impl<T: ?Sized> Deref for Ref<T> {
    type Target = T;
    fn deref(&self) -> &T {
        match self {
            Ref::Static(part) => part,
            Ref::Shared(part) => part,
        }
    }
}

impl<T: ?Sized> Clone for Ref<T> {
    fn clone(&self) -> Self {
        match self {
            Ref::Static(part) => Ref::Static(part),
            Ref::Shared(part) => Ref::Shared(Arc::clone(part)),
        }
    }
}

/// The fields of one record type.
pub struct Schema {
    /// The type's name in upstream's Go code and OpenAPI, such as `PodSpec`.
    pub name: Ref<str>,
    /// The protobuf and OpenAPI package, such as `k8s.io.api.core.v1`.
    pub package: Ref<str>,
    /// In the order that JSON writes them.
    pub fields: Ref<[Field]>,
    /// Indices into `fields` in the order of their protobuf numbers; fields without a number are absent.
    pub wire_order: Ref<[u16]>,
    /// Whether JSON also carries `kind` and `apiVersion`, which the record itself does not store.
    pub type_meta: bool,
    /// How JSON writes the record.
    pub json: JsonForm,
    /// Server-side apply treats the whole record as one value (`+structType=atomic`).
    pub atomic: bool,
    /// What the fields of this record, or of a record within it, carry.
    pub carries: Carries,
}

/// What is found somewhere in a record, so that a walk knows where there is nothing to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carries {
    /// A default value.
    pub defaults: bool,
    /// A feature gate.
    pub gates: bool,
    /// A validation rule.
    pub rules: bool,
}

impl Schema {
    /// The index of the field with this JSON name, not looking into inlined records.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| &*field.name == name && !field.inline)
    }

    /// The package's last part, such as `v1`: what Go code calls the package.
    pub fn version(&self) -> &str {
        self.package.rsplit('.').next().unwrap_or_default()
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", &*self.package, &*self.name)
    }
}

/// How JSON writes a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonForm {
    /// As an object of its fields.
    Object,
    /// `JSONSchemaPropsOrArray`: the first field bare, or else the second field's list.
    SchemaOrList,
    /// `JSONSchemaPropsOrBool`: the second field bare, or else the first field's bool.
    BoolOrSchema,
}

/// One field of a record.
pub struct Field {
    /// The name in JSON; for an inlined record, the name of upstream's Go field.
    pub name: Ref<str>,
    /// The protobuf number, 0 where protobuf has none.
    pub tag: u32,
    /// What the field holds; for a pointer, what it points to.
    pub shape: Shape,
    /// Upstream's Go field is a pointer: nil is not the same as zero.
    pub pointer: bool,
    /// JSON writes the fields of this record among those of its parent.
    pub inline: bool,
    /// When JSON leaves the field out.
    pub omit: Omit,
    /// Upstream's `+required`: OpenAPI lists it so.
    pub required: bool,
    /// How server-side apply merges a list or map (`+listType`, `+mapType`).
    pub list: ListKind,
    /// How a strategic merge patch treats it (`patchStrategy`, `patchMergeKey`).
    pub merge: Merge,
    /// The value that takes the place of an absent one (`+default`), as JSON text.
    pub default: Option<Ref<str>>,
    /// The feature gates of `+featureGate`, any of which must be on for the field to be kept.
    pub gates: Ref<[&'static str]>,
    /// The declarative validation rules (`+k8s:…`).
    pub rules: Ref<[Rule]>,
    /// What Go's messages call the type of the field or of its elements where that has a name of its own
    /// (`v1.RestartPolicy`); otherwise empty.
    pub named: &'static str,
    /// The values of that type where it is an enumeration (`+enum`).
    pub values: &'static [&'static str],
}

/// What the generator says of a field in one word; see [`Field::new`].
#[derive(Clone, Copy)]
pub struct Flags(pub u8);

impl Flags {
    /// [`Field::pointer`].
    pub const POINTER: u8 = 1;
    /// [`Field::inline`].
    pub const INLINE: u8 = 2;
    /// [`Omit::Empty`].
    pub const OMIT_EMPTY: u8 = 4;
    /// [`Omit::Zero`].
    pub const OMIT_ZERO: u8 = 8;
    /// [`Field::required`].
    pub const REQUIRED: u8 = 16;

    const fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }
}

impl Field {
    /// A field as the generator writes it down.
    #[allow(clippy::too_many_arguments, reason = "called by generated tables only, where a row is a row")]
    pub const fn new(
        name: &'static str,
        tag: u32,
        shape: Shape,
        flags: Flags,
        list: ListKind,
        merge: Merge,
        default: Option<Ref<str>>,
        gates: &'static [&'static str],
        rules: &'static [Rule],
    ) -> Field {
        Field {
            name: Ref::Static(name),
            tag,
            shape,
            pointer: flags.has(Flags::POINTER),
            inline: flags.has(Flags::INLINE),
            omit: if flags.has(Flags::OMIT_ZERO) {
                Omit::Zero
            } else if flags.has(Flags::OMIT_EMPTY) {
                Omit::Empty
            } else {
                Omit::Never
            },
            required: flags.has(Flags::REQUIRED),
            list,
            merge,
            default,
            gates: Ref::Static(gates),
            rules: Ref::Static(rules),
            named: "",
            values: &[],
        }
    }

    /// Whether JSON leaves the field out when it holds this.
    pub fn omits(&self, value: &Value<'_>) -> bool {
        match self.omit {
            Omit::Never => false,
            Omit::Zero => matches!(value, Value::Nil) || (!self.pointer && value.is_zero()),
            Omit::Empty if self.pointer => matches!(value, Value::Nil),
            Omit::Empty => match value {
                Value::Nil => !matches!(self.shape, Shape::Time | Shape::MicroTime),
                Value::Json(_) => false,
                other => other.is_empty(),
            },
        }
    }

    /// The same, of a type with a name of its own and perhaps with values.
    #[must_use]
    pub const fn named(mut self, name: &'static str, values: &'static [&'static str]) -> Field {
        self.named = name;
        self.values = values;
        self
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", &*self.name, self.tag)
    }
}

/// When JSON leaves a field out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Omit {
    /// Never.
    Never,
    /// `omitempty`: when it is nil, false, zero, or empty. Records that are not pointers are always written.
    Empty,
    /// `omitzero`: when it is the zero value.
    Zero,
}

/// What a field holds.
#[derive(Clone)]
pub enum Shape {
    /// A boolean.
    Bool,
    /// A 32 bit signed integer.
    Int32,
    /// A 64 bit signed integer.
    Int64,
    /// A double.
    Float,
    /// UTF-8 text.
    String,
    /// Bytes, base64 in JSON.
    Bytes,
    /// `resource.Quantity`.
    Quantity,
    /// `intstr.IntOrString`.
    IntOrString,
    /// `metav1.Time`.
    Time,
    /// `metav1.MicroTime`.
    MicroTime,
    /// `metav1.Duration`.
    Duration,
    /// JSON text kept as it is: `runtime.RawExtension`, `metav1.FieldsV1`, `apiextensions.JSON`.
    Json,
    /// A nested record.
    Record(Ref<Schema>),
    /// A list.
    List(Ref<Shape>),
    /// A list that protobuf wraps in a message of its own (`ExtraValue`, `Verbs`).
    Items(Ref<Shape>),
    /// A map with string keys.
    Map(Ref<Shape>),
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Bool => f.write_str("bool"),
            Shape::Int32 => f.write_str("int32"),
            Shape::Int64 => f.write_str("int64"),
            Shape::Float => f.write_str("float64"),
            Shape::String => f.write_str("string"),
            Shape::Bytes => f.write_str("[]uint8"),
            Shape::Quantity => f.write_str("resource.Quantity"),
            Shape::IntOrString => f.write_str("intstr.IntOrString"),
            Shape::Time => f.write_str("v1.Time"),
            Shape::MicroTime => f.write_str("v1.MicroTime"),
            Shape::Duration => f.write_str("v1.Duration"),
            Shape::Json => f.write_str("runtime.RawExtension"),
            Shape::Record(schema) => write!(f, "{}.{}", schema.version(), &*schema.name),
            Shape::List(element) | Shape::Items(element) => write!(f, "[]{:?}", &**element),
            Shape::Map(value) => write!(f, "map[string]{:?}", &**value),
        }
    }
}

/// How server-side apply merges a list or a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// Not said: lists are atomic, maps and records granular.
    Unset,
    /// One value as a whole.
    Atomic,
    /// Field by field, although the record's type is otherwise one value as a whole.
    Granular,
    /// A set of scalars.
    Set,
    /// Records told apart by these fields.
    Map(&'static [&'static str]),
}

/// How a strategic merge patch treats a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// `patchStrategy` names `merge`.
    pub merge: bool,
    /// `patchStrategy` names `retainKeys`.
    pub retain_keys: bool,
    /// `patchMergeKey`, empty for lists of scalars.
    pub key: &'static str,
}

impl Merge {
    /// No strategy: lists are replaced.
    pub const NONE: Merge = Merge { merge: false, retain_keys: false, key: "" };
}

/// One declarative validation rule of a field.
#[derive(Clone, Debug)]
pub struct Rule {
    /// When it counts.
    pub level: Level,
    /// What it demands.
    pub constraint: Constraint,
}

/// When a declarative validation rule counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Never rejects.
    Alpha,
    /// Rejects while the feature gate DeclarativeValidationBeta is on.
    Beta,
    /// Always rejects.
    Stable,
}

/// What a declarative validation rule demands.
#[derive(Clone, Debug, PartialEq)]
pub enum Constraint {
    /// It must be there and not zero.
    Required,
    /// It may be absent; the other rules count only if it is there.
    Optional,
    /// It must not be there.
    Forbidden,
    /// At least this.
    Minimum(i64),
    /// At most this.
    Maximum(i64),
    /// At most this many elements.
    MaxItems(usize),
    /// At least this many elements.
    MinItems(usize),
    /// At most this many characters.
    MaxLength(usize),
    /// At least this many characters.
    MinLength(usize),
    /// At most this many bytes.
    MaxBytes(usize),
    /// A named format, such as `k8s-short-name`.
    Format(&'static str),
    /// It cannot change once set.
    Immutable,
    /// One of these strings.
    Enum(&'static [&'static str]),
    /// The elements differ from one another.
    Unique,
    /// Any other tag, by name and argument, left to the kind's own validation.
    Other(&'static str, &'static str),
}
