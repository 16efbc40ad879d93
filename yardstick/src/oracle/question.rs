//! What is asked about an object, and what is answered: the lines that the oracle reads and writes, and the lines of fixtures.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is done with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Op {
    /// JSON is read, and written as JSON and as protobuf.
    Encode,
    /// What a client left out is filled in.
    Default,
    /// It is written in one version and read in another.
    Convert,
    /// A new object is prepared and validated.
    Validate,
    /// It is patched by a strategic merge.
    StrategicMerge,
    /// Configurations are applied to it.
    Apply,
    /// It is a cluster, and a node is looked for a pod of it.
    Schedule,
}

impl Op {
    /// All of them.
    pub const ALL: [Op; 7] =
        [Op::Encode, Op::Default, Op::Convert, Op::StrategicMerge, Op::Apply, Op::Validate, Op::Schedule];

    /// As it is written in questions and in the names of files.
    pub fn name(self) -> &'static str {
        match self {
            Op::Encode => "encode",
            Op::Default => "default",
            Op::Convert => "convert",
            Op::Validate => "validate",
            Op::StrategicMerge => "strategic-merge",
            Op::Apply => "apply",
            Op::Schedule => "schedule",
        }
    }
}

/// A question: an operation on an object, whose JSON carries neither `apiVersion` nor `kind`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    /// What is done.
    pub op: Op,
    /// The object's group, empty for the core's.
    pub group: String,
    /// The version that it is written in.
    pub version: String,
    /// Its kind.
    pub kind: String,
    /// Its resource's name in paths; empty for kinds that are none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resource: String,
    /// The object.
    pub object: Value,
    /// The patch of a strategic merge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<Value>,
    /// What is applied, one after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub configurations: Vec<Value>,
    /// Whether the last of them is applied by force.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// The group that is converted to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub to_group: String,
    /// The version that is converted to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub to_version: String,
}

impl Question {
    /// The kind as lists name it: `apps/v1 Deployment`, `v1 Pod`.
    pub fn named(&self) -> String {
        match self.group.as_str() {
            "" => format!("{} {}", self.version, self.kind),
            group => format!("{group}/{} {}", self.version, self.kind),
        }
    }
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// Why the question is not answered at all.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub unanswered: String,
    /// Why there is no result.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// What strict decoding objects to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub strict: Vec<String>,
    /// The object's JSON to the byte.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The object's protobuf in its envelope, in base64; empty for kinds that have none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub proto: String,
    /// The object that came out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<Value>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
    /// What is unwise about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Answer {
    /// None.
    pub fn unanswered(why: &str) -> Answer {
        Answer { unanswered: why.to_owned(), ..Answer::default() }
    }

    /// An error in place of a result.
    pub fn error(why: &dyn std::fmt::Display) -> Answer {
        Answer { error: why.to_string(), ..Answer::default() }
    }
}
