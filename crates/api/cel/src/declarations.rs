//! What functions and operators there are, and of which types: the text that [`crate::check`] looks them up in.
//!
//! A line is a name and its overloads: `target.(arguments) result`, `A` and `B` standing for any type. (The standard library of CEL's
//! specification, cel-go's extensions `strings` 2, `lists` 3, `sets`, optional types, and `apiserver/pkg/cel/library`.)

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use crate::types::Type;

/// One way to call a function.
#[derive(Debug)]
pub struct Overload {
    /// What it is called on, if it is a member function.
    pub target: Option<Type>,
    /// Its arguments.
    pub arguments: Vec<Type>,
    /// What it answers.
    pub result: Type,
}

/// The overloads of a function; none if there is no such function.
pub fn overloads(name: &str) -> &'static [Overload] {
    static ALL: LazyLock<BTreeMap<&'static str, Vec<Overload>>> = LazyLock::new(|| {
        let mut all: BTreeMap<_, Vec<Overload>> = BTreeMap::new();
        for line in DECLARATIONS.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
            all.entry(name).or_default().extend(rest.split(';').map(overload));
        }
        all
    });
    ALL.get(name).map(Vec::as_slice).unwrap_or_default()
}

fn overload(text: &'static str) -> Overload {
    let mut reader = Reader { rest: text.trim() };
    let target = (!reader.rest.starts_with('(')).then(|| {
        let target = reader.one();
        reader.skip(".");
        target
    });
    let arguments = reader.several();
    reader.skip(" ");
    Overload { target, arguments, result: reader.one() }
}

/// Reads types of declarations, which are ours and well-formed.
struct Reader {
    rest: &'static str,
}

impl Reader {
    fn skip(&mut self, mark: &str) {
        self.rest = self.rest.strip_prefix(mark).unwrap_or(self.rest).trim_start();
    }

    fn several(&mut self) -> Vec<Type> {
        self.skip("(");
        let mut all = Vec::new();
        while !self.rest.starts_with(')') && !self.rest.is_empty() {
            all.push(self.one());
            self.skip(",");
        }
        self.skip(")");
        all
    }

    fn one(&mut self) -> Type {
        let end = self.rest.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word {
            "list" | "optional" | "map" => {
                let mut inner = self.several().into_iter();
                let mut next = || inner.next().unwrap_or(Type::Dyn);
                match word {
                    "list" => Type::list(next()),
                    "optional" => Type::optional(next()),
                    _ => Type::Map(Arc::new(next()), Arc::new(next())),
                }
            }
            "null" => Type::Null,
            "bool" => Type::Bool,
            "int" => Type::Int,
            "uint" => Type::Uint,
            "double" => Type::Double,
            "string" => Type::String,
            "bytes" => Type::Bytes,
            "timestamp" => Type::Timestamp,
            "duration" => Type::Duration,
            "type" => Type::Type,
            "Quantity" => Type::Opaque("kubernetes.Quantity"),
            "URL" => Type::Opaque("kubernetes.URL"),
            "IP" => Type::Opaque("net.IP"),
            "CIDR" => Type::Opaque("net.CIDR"),
            "Semver" => Type::Opaque("kubernetes.Semver"),
            "Format" => Type::Opaque("kubernetes.NamedFormat"),
            "Authorizer" => Type::Opaque("kubernetes.authorization.Authorizer"),
            "PathCheck" => Type::Opaque("kubernetes.authorization.PathCheck"),
            "GroupCheck" => Type::Opaque("kubernetes.authorization.GroupCheck"),
            "ResourceCheck" => Type::Opaque("kubernetes.authorization.ResourceCheck"),
            "Decision" => Type::Opaque("kubernetes.authorization.Decision"),
            _ => match word.chars().next() {
                Some(letter) if word.len() == 1 => Type::Parameter(letter),
                _ => Type::Dyn,
            },
        }
    }
}

const DECLARATIONS: &str = "
    _?_:_ (bool, A, A) A
    !_ (bool) bool
    -_ (int) int; (double) double
    _==_ (A, A) bool
    _!=_ (A, A) bool
    _<_ (bool, bool) bool; (int, int) bool; (int, double) bool; (int, uint) bool; (uint, uint) bool; (uint, double) bool; (uint, int) bool; (double, double) bool; (double, int) bool; (double, uint) bool; (string, string) bool; (bytes, bytes) bool; (timestamp, timestamp) bool; (duration, duration) bool
    _<=_ (bool, bool) bool; (int, int) bool; (int, double) bool; (int, uint) bool; (uint, uint) bool; (uint, double) bool; (uint, int) bool; (double, double) bool; (double, int) bool; (double, uint) bool; (string, string) bool; (bytes, bytes) bool; (timestamp, timestamp) bool; (duration, duration) bool
    _>_ (bool, bool) bool; (int, int) bool; (int, double) bool; (int, uint) bool; (uint, uint) bool; (uint, double) bool; (uint, int) bool; (double, double) bool; (double, int) bool; (double, uint) bool; (string, string) bool; (bytes, bytes) bool; (timestamp, timestamp) bool; (duration, duration) bool
    _>=_ (bool, bool) bool; (int, int) bool; (int, double) bool; (int, uint) bool; (uint, uint) bool; (uint, double) bool; (uint, int) bool; (double, double) bool; (double, int) bool; (double, uint) bool; (string, string) bool; (bytes, bytes) bool; (timestamp, timestamp) bool; (duration, duration) bool
    _+_ (int, int) int; (uint, uint) uint; (double, double) double; (string, string) string; (bytes, bytes) bytes; (list(A), list(A)) list(A); (timestamp, duration) timestamp; (duration, timestamp) timestamp; (duration, duration) duration
    _-_ (int, int) int; (uint, uint) uint; (double, double) double; (timestamp, timestamp) duration; (timestamp, duration) timestamp; (duration, duration) duration
    _*_ (int, int) int; (uint, uint) uint; (double, double) double
    _/_ (int, int) int; (uint, uint) uint; (double, double) double
    _%_ (int, int) int; (uint, uint) uint
    _[_] (list(A), int) A; (map(A, B), A) B; (optional(list(A)), int) optional(A); (optional(map(A, B)), A) optional(B)
    _[?_] (list(A), int) optional(A); (map(A, B), A) optional(B); (optional(list(A)), int) optional(A); (optional(map(A, B)), A) optional(B)
    @in (A, list(A)) bool; (A, map(A, B)) bool

    bool (bool) bool; (string) bool
    bytes (bytes) bytes; (string) bytes
    double (double) double; (int) double; (string) double; (uint) double
    duration (duration) duration; (string) duration
    dyn (A) dyn
    int (int) int; (double) int; (string) int; (timestamp) int; (uint) int; (duration) int
    string (string) string; (bool) string; (bytes) string; (double) string; (duration) string; (int) string; (timestamp) string; (uint) string; (IP) string; (CIDR) string
    timestamp (timestamp) timestamp; (string) timestamp; (int) timestamp
    type (A) type
    uint (uint) uint; (double) uint; (int) uint; (string) uint
    size (string) int; (bytes) int; (list(A)) int; (map(A, B)) int; string.() int; bytes.() int; list(A).() int; map(A, B).() int
    matches (string, string) bool; string.(string) bool
    contains string.(string) bool
    startsWith string.(string) bool
    endsWith string.(string) bool
    getFullYear timestamp.() int; timestamp.(string) int
    getMonth timestamp.() int; timestamp.(string) int
    getDayOfYear timestamp.() int; timestamp.(string) int
    getDayOfMonth timestamp.() int; timestamp.(string) int
    getDate timestamp.() int; timestamp.(string) int
    getDayOfWeek timestamp.() int; timestamp.(string) int
    getHours timestamp.() int; timestamp.(string) int; duration.() int
    getMinutes timestamp.() int; timestamp.(string) int; duration.() int
    getSeconds timestamp.() int; timestamp.(string) int; duration.() int
    getMilliseconds timestamp.() int; timestamp.(string) int; duration.() int

    charAt string.(int) string
    indexOf string.(string) int; string.(string, int) int; list(A).(A) int
    lastIndexOf string.(string) int; string.(string, int) int; list(A).(A) int
    join list(string).() string; list(string).(string) string
    lowerAscii string.() string
    upperAscii string.() string
    replace string.(string, string) string; string.(string, string, int) string
    split string.(string) list(string); string.(string, int) list(string)
    substring string.(int) string; string.(int, int) string
    trim string.() string
    format string.(list(dyn)) string
    strings.quote (string) string
    find string.(string) string
    findAll string.(string) list(string); string.(string, int) list(string)

    isSorted list(A).() bool
    sum list(int).() int; list(uint).() uint; list(double).() double; list(duration).() duration
    min list(A).() A
    max list(A).() A
    slice list(A).(int, int) list(A)
    flatten list(A).() list(dyn); list(A).(int) list(dyn)
    sort list(A).() list(A)
    distinct list(A).() list(A)
    reverse list(A).() list(A); string.() string
    first list(A).() optional(A)
    last list(A).() optional(A)
    lists.range (int) list(int)
    sets.contains (list(A), list(A)) bool
    sets.equivalent (list(A), list(A)) bool
    sets.intersects (list(A), list(A)) bool

    optional.of (A) optional(A)
    optional.ofNonZeroValue (A) optional(A)
    optional.none () optional(A)
    hasValue optional(A).() bool
    value optional(A).() A; Format.() dyn
    or optional(A).(optional(A)) optional(A)
    orValue optional(A).(A) A

    url (string) URL
    isURL (string) bool
    getScheme URL.() string
    getHost URL.() string
    getHostname URL.() string
    getPort URL.() string
    getEscapedPath URL.() string
    getQuery URL.() map(string, list(string))

    ip (string) IP; CIDR.() IP
    isIP (string) bool
    ip.isCanonical (string) bool
    family IP.() int
    isUnspecified IP.() bool
    isLoopback IP.() bool
    isLinkLocalMulticast IP.() bool
    isLinkLocalUnicast IP.() bool
    isGlobalUnicast IP.() bool
    cidr (string) CIDR
    isCIDR (string) bool
    containsIP CIDR.(string) bool; CIDR.(IP) bool
    containsCIDR CIDR.(string) bool; CIDR.(CIDR) bool
    masked CIDR.() CIDR
    prefixLength CIDR.() int

    quantity (string) Quantity
    isQuantity (string) bool
    sign Quantity.() int
    isInteger Quantity.() bool
    asInteger Quantity.() int
    asApproximateFloat Quantity.() double
    add Quantity.(Quantity) Quantity; Quantity.(int) Quantity
    sub Quantity.(Quantity) Quantity; Quantity.(int) Quantity
    isGreaterThan Quantity.(Quantity) bool; Semver.(Semver) bool
    isLessThan Quantity.(Quantity) bool; Semver.(Semver) bool
    compareTo Quantity.(Quantity) int; Semver.(Semver) int

    semver (string) Semver; (string, bool) Semver
    isSemver (string) bool; (string, bool) bool
    major Semver.() int
    minor Semver.() int
    patch Semver.() int

    format.named (string) optional(Format)
    format.dns1123Label () Format
    format.dns1123Subdomain () Format
    format.dns1035Label () Format
    format.qualifiedName () Format
    format.dns1123LabelPrefix () Format
    format.dns1123SubdomainPrefix () Format
    format.dns1035LabelPrefix () Format
    format.labelValue () Format
    format.uri () Format
    format.uuid () Format
    format.byte () Format
    format.date () Format
    format.datetime () Format
    validate Format.(string) optional(list(string))

    path Authorizer.(string) PathCheck
    group Authorizer.(string) GroupCheck
    serviceAccount Authorizer.(string, string) Authorizer
    resource GroupCheck.(string) ResourceCheck
    subresource ResourceCheck.(string) ResourceCheck
    namespace ResourceCheck.(string) ResourceCheck
    name ResourceCheck.(string) ResourceCheck
    fieldSelector ResourceCheck.(string) ResourceCheck
    labelSelector ResourceCheck.(string) ResourceCheck
    check PathCheck.(string) Decision; ResourceCheck.(string) Decision
    allowed Decision.() bool
    reason Decision.() string
    errored Decision.() bool
    error Decision.() string

    jsonpatch.escapeKey (string) string
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_read_as_they_are_written() {
        let sizes = overloads("size");
        assert_eq!(sizes.len(), 8);
        assert_eq!(sizes[3].arguments, [Type::Map(Type::Parameter('A').into(), Type::Parameter('B').into())]);
        assert_eq!(sizes[6].target, Some(Type::list(Type::Parameter('A'))));
        assert_eq!(overloads("_?_:_")[0].arguments.len(), 3);
        assert_eq!(overloads("findAll")[1].result, Type::list(Type::String));
        assert!(overloads("unheardOf").is_empty());
    }
}
