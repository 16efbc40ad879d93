//! A whole answer about one object.

use api_record::scalar::Time;
use serde::Serialize;

use crate::finding::{Finding, Named, written};

/// Why an object is as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The object.
    pub subject: Named,
    /// How it is, in a few words.
    pub state: String,
    /// Why, the most decisive first.
    pub findings: Vec<Finding>,
    /// Whose it is: its owner first, then that one's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<Link>,
    /// What is its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub owned: Vec<Branch>,
    /// Who made and changed it, the latest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// What was told of it lately, the latest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Told>,
    /// What could not be read, and why, so that nothing is said of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
}

/// An owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// The owner.
    pub owner: Named,
    /// Whether it controls what it owns.
    pub controller: bool,
    /// What is to be known of it: that it is gone, or being deleted.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Something owned, with what it owns in turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Branch {
    /// The object.
    pub object: Named,
    /// How it is, in a few words; empty where nothing is to be said.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub state: String,
    /// What it owns.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub owned: Vec<Branch>,
}

/// What somebody has last changed, as the object's managed fields have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The name of the program that wrote.
    pub manager: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// The subresource that it wrote through.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subresource: String,
    /// When it last did.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "written")]
    pub time: Option<Time>,
    /// The fields whose values are its own.
    pub fields: Vec<String>,
}

/// An event about the object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub type_: String,
    /// Why it was told.
    pub reason: String,
    /// What was told.
    pub message: String,
    /// By whom.
    pub by: String,
    /// When last.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "written")]
    pub time: Option<Time>,
    /// How often.
    pub count: i32,
}
