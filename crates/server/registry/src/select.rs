//! Which objects a list or watch asks for.

use std::borrow::Cow;

use api_meta::field::Path;
use api_meta::{Status, fields, labels};
use api_record::Record;
use api_types::object_meta;

use crate::Served;

/// The hub's name of a field that is named in the version that is served.
fn hub_name(served: &Served, name: String) -> Result<String, Status> {
    if name == "metadata.name" || (name == "metadata.namespace" && served.resource.namespaced) {
        return Ok(name);
    }
    let selectable = served.kind.selectable();
    if selectable.is_empty() && !served.is_custom() {
        let why =
            format!("{name:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"");
        return Err(Status::bad_request(why));
    }
    let own = served.version.map_or(&[][..], |version| version.selectors);
    let renamed = own.iter().find(|(own, _)| *own == name).map(|(_, hub)| (*hub).to_owned());
    let known =
        if own.is_empty() && selectable.contains(&name.as_str()) { Some(name.clone()) } else { renamed };
    known.ok_or_else(|| Status::bad_request(format!("field label not supported: {name}")))
}

/// The selectors of a request.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    labels: labels::Selector,
    fields: fields::Selector,
}

impl Selection {
    pub(crate) fn new(
        served: &Served,
        labels: labels::Selector,
        fields: fields::Selector,
    ) -> Result<Selection, Status> {
        let fields = fields.transform(|name, value| Ok::<_, Status>((hub_name(served, name)?, value)))?;
        Ok(Selection { labels, fields })
    }

    pub(crate) fn parse(served: &Served, labels: &str, fields: &str) -> Result<Selection, Status> {
        let labels = labels::Selector::parse(labels, &Path::NONE)
            .map_err(|error| Status::bad_request(error.to_string()))?;
        let fields =
            fields::Selector::parse(fields).map_err(|error| Status::bad_request(error.to_string()))?;
        Selection::new(served, labels, fields)
    }

    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.is_everything()
    }

    /// The one object that can match, if the selector says its name.
    pub(crate) fn name(&self) -> Option<&str> {
        self.fields.exact_match("metadata.name")
    }

    /// Whether an object of the hub's type matches.
    pub(crate) fn matches(&self, served: &Served, object: &dyn Record) -> bool {
        let Some(meta) = object_meta(object) else { return false };
        self.labels.matches(&meta.labels)
            && self.fields.terms().iter().all(|term| {
                let value = match term.field.as_str() {
                    "metadata.name" => Cow::Borrowed(meta.name.as_str()),
                    "metadata.namespace" => Cow::Borrowed(meta.namespace.as_str()),
                    field => served.kind.select(object, field).unwrap_or_default(),
                };
                (value == term.value) == term.equal
            })
    }
}
