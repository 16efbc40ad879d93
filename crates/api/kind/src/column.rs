//! The columns of the tables that `kubectl get` prints.

use api_record::Record;
use api_types::object_meta;
use base::time::Time;

/// What a table's cell holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Text.
    Text(String),
    /// A number.
    Number(i64),
    /// A truth value.
    Bool(bool),
    /// A number with a fraction.
    Float(f64),
    /// Nothing: `null`.
    Empty,
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::Text(text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }
}

impl From<bool> for Cell {
    fn from(value: bool) -> Cell {
        Cell::Bool(value)
    }
}

impl From<i32> for Cell {
    fn from(number: i32) -> Cell {
        Cell::Number(number.into())
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Cell {
        Cell::Number(number)
    }
}

/// A column, as upstream's printers define it.
pub struct Column<T: ?Sized = dyn Record> {
    /// The heading.
    pub name: &'static str,
    /// The OpenAPI type of the cells: `string`, `integer`, `boolean`.
    pub type_: &'static str,
    /// The OpenAPI format; `name` marks the column of the object's name.
    pub format: &'static str,
    /// What it shows.
    pub description: &'static str,
    /// 0 is always shown, more only with `-o wide`.
    pub priority: i32,
    /// The cell of an object.
    pub cell: fn(&T, Time) -> Cell,
}

const NAME: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
const AGE: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

impl<T: Record> Column<T> {
    /// The object's name.
    pub const fn name() -> Column<T> {
        Column::<T>::text("Name", NAME, |object, _| {
            object_meta(object).map_or_else(|| "".into(), |meta| meta.name.as_str().into())
        })
        .format("name")
    }

    /// How old the object is.
    pub const fn age() -> Column<T> {
        Column::<T>::text("Age", AGE, |object, now| {
            age(object_meta(object).and_then(|meta| meta.creation_timestamp), now)
        })
    }
}

impl<T: ?Sized> Column<T> {
    /// What the column of names is described as.
    pub const NAME: &'static str = NAME;
    /// What the column of ages is described as.
    pub const AGE: &'static str = AGE;

    /// A column of text that is always shown.
    pub const fn text(
        name: &'static str,
        description: &'static str,
        cell: fn(&T, Time) -> Cell,
    ) -> Column<T> {
        Column { name, type_: "string", format: "", description, priority: 0, cell }
    }

    /// A column of numbers that is always shown.
    pub const fn number(
        name: &'static str,
        description: &'static str,
        cell: fn(&T, Time) -> Cell,
    ) -> Column<T> {
        Column { name, type_: "integer", format: "", description, priority: 0, cell }
    }

    /// A column of truth values that is always shown.
    pub const fn boolean(
        name: &'static str,
        description: &'static str,
        cell: fn(&T, Time) -> Cell,
    ) -> Column<T> {
        Column { name, type_: "boolean", format: "", description, priority: 0, cell }
    }

    /// The same, shown only with `-o wide`.
    pub const fn wide(mut self) -> Column<T> {
        self.priority = 1;
        self
    }

    /// The same, of another format.
    pub const fn format(mut self, format: &'static str) -> Column<T> {
        self.format = format;
        self
    }
}

/// How long ago `time` was, as `kubectl` shows ages; `<unknown>` for no time.
pub fn age(time: Option<api_record::scalar::Time>, now: Time) -> Cell {
    match time {
        None => "<unknown>".into(),
        Some(time) => human(now.unix_seconds() - time.seconds).into(),
    }
}

/// A span of seconds as `kubectl` shows it.
pub fn span(seconds: i64) -> String {
    human(seconds)
}

/// A span of seconds in two units at most (`k8s.io/apimachinery/pkg/util/duration.HumanDuration`).
fn human(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |large: i64, unit: &str, small: i64, small_unit: &str| {
        if small == 0 { format!("{large}{unit}") } else { format!("{large}{unit}{small}{small_unit}") }
    };
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => two(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_like_kubectls() {
        for (seconds, text) in [
            (-2, "<invalid>"),
            (-1, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (600, "10m"),
            (10_800, "3h"),
            (10_860, "3h1m"),
            (172_800, "2d"),
            (180_000, "2d2h"),
            (691_200, "8d"),
            (63_072_000, "2y"),
            (63_158_400, "2y1d"),
            (315_360_000, "10y"),
        ] {
            assert_eq!(human(seconds), text, "{seconds}");
        }
    }
}
