//! Printer columns (`pkg/registry/customresource/tableconvertor`).

use api_kind::{Cell, Column, Heading, age};
use api_record::Record;
use api_types::apiextensions::v1::{CustomResourceColumnDefinition, CustomResourceDefinitionVersion};
use base::time::Time;
use serde_json::Value;

use crate::CustomObject;
use crate::jsonpath::JsonPath;

pub(super) struct Columns(Vec<Own>);

struct Own {
    column: CustomResourceColumnDefinition,
    /// `None` where it cannot be read: the cells are empty then.
    path: Option<JsonPath>,
}

impl Columns {
    /// The columns of a version; the age if it names none.
    pub(super) fn of(version: &CustomResourceDefinitionVersion) -> Columns {
        let age = [CustomResourceColumnDefinition {
            name: "Age".to_owned(),
            type_: "date".to_owned(),
            description: Column::<dyn Record>::AGE.to_owned(),
            json_path: ".metadata.creationTimestamp".to_owned(),
            ..CustomResourceColumnDefinition::default()
        }];
        let own = &version.additional_printer_columns;
        let columns = if own.is_empty() { &age[..] } else { own };
        let read = |column: &CustomResourceColumnDefinition| {
            let mut column = column.clone();
            if column.description.is_empty() {
                column.description =
                    format!("Custom resource definition column (in JSONPath format): {}", column.json_path);
            }
            Own { path: JsonPath::parse(&column.json_path).ok(), column }
        };
        Columns(columns.iter().map(read).collect())
    }

    pub(super) fn headings(&self) -> Vec<Heading<'_>> {
        let name = Heading {
            name: "Name",
            type_: "string",
            format: "name",
            description: Column::<dyn Record>::NAME,
            priority: 0,
        };
        let own = self.0.iter().map(|Own { column, .. }| Heading {
            name: &column.name,
            type_: &column.type_,
            format: &column.format,
            description: &column.description,
            priority: column.priority,
        });
        [name].into_iter().chain(own).collect()
    }

    pub(super) fn cells(&self, object: &CustomObject, now: Time) -> Vec<Cell> {
        // Metadata becomes a tree only for the columns that look at it.
        let metadata = |path: &JsonPath| path.first() == Some("metadata");
        let meta = self.0.iter().filter_map(|own| own.path.as_ref()).any(metadata);
        let whole = Value::Object(if meta { object.whole() } else { object.fields.clone() });
        let mut cells = vec![Cell::Text(object.metadata.name.clone())];
        for Own { column, path } in &self.0 {
            let value = path.as_ref().and_then(|path| path.find(&whole));
            cells.push(value.map_or(Cell::Empty, |value| cell(&column.type_, value, now)));
        }
        cells
    }
}

fn cell(type_: &str, value: &Value, now: Time) -> Cell {
    match (type_, value) {
        ("string", Value::String(text)) => text.as_str().into(),
        ("string", Value::Null) => "<nil>".into(),
        ("string", value) => value.to_string().into(),
        #[allow(clippy::cast_possible_truncation, reason = "upstream cuts the fraction off too")]
        ("integer", Value::Number(number)) => number
            .as_i64()
            .or_else(|| number.as_f64().map(|own| own as i64))
            .map_or(Cell::Empty, Cell::Number),
        ("number", Value::Number(number)) => number.as_f64().map_or(Cell::Empty, Cell::Float),
        ("boolean", Value::Bool(value)) => (*value).into(),
        ("date", Value::String(text)) => match text.parse() {
            Ok(time) => age(Some(time), now),
            Err(_) => "<invalid>".into(),
        },
        _ => Cell::Empty,
    }
}
