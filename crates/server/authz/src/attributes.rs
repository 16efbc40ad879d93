//! What is being asked for: a request as authorizers see it.
//!
//! The HTTP layer fills it from the request's user and path; access reviews fill it from their spec. It borrows, so that
//! asking costs nothing.

use std::collections::BTreeMap;

/// A request to be authorized.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    /// The user's name.
    pub user: &'a str,
    /// The user's uid, empty if unknown. No authorizer here looks at it.
    pub uid: &'a str,
    /// The user's groups.
    pub groups: &'a [String],
    /// What else the authenticator said. No authorizer here looks at it.
    pub extra: &'a BTreeMap<String, Vec<String>>,
    /// The verb: `get`, `list`, `deletecollection`…; the HTTP method in lower case for other paths.
    pub verb: &'a str,
    /// Whether it is about a resource; otherwise only `path` and `verb` count.
    pub is_resource_request: bool,
    /// The API group, empty for the core.
    pub api_group: &'a str,
    /// The API version.
    pub api_version: &'a str,
    /// The resource, in its plural.
    pub resource: &'a str,
    /// The subresource, or empty.
    pub subresource: &'a str,
    /// The object's name; empty for collections and mostly for creations. A list or watch limited to
    /// `metadata.name=NAME` has it too.
    pub name: &'a str,
    /// The namespace, empty across the cluster.
    pub namespace: &'a str,
    /// The path, of requests that are not about a resource.
    pub path: &'a str,
    /// What the field selector requires; empty also if it could not be parsed.
    pub field_selector: &'a [FieldRequirement<'a>],
    /// What the label selector requires; empty also if it could not be parsed.
    pub label_selector: &'a [LabelRequirement<'a>],
}

/// One term of a field selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldRequirement<'a> {
    /// The field's path.
    pub field: &'a str,
    /// How the value is compared; `==` counts as [`FieldOperator::Equals`].
    pub operator: FieldOperator,
    /// The value.
    pub value: &'a str,
}

/// What a field selector can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldOperator {
    /// `=`
    Equals,
    /// `!=`
    NotEquals,
}

/// One term of a label selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelRequirement<'a> {
    /// The label.
    pub key: &'a str,
    /// How its value is compared.
    pub operator: LabelOperator,
    /// The values: none for `Exists` and `DoesNotExist`.
    pub values: &'a [String],
}

/// What a label selector can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelOperator {
    /// Has one of the values.
    In,
    /// Has none of the values.
    NotIn,
    /// Is there.
    Exists,
    /// Is not there.
    DoesNotExist,
    /// Is a number above the value.
    GreaterThan,
    /// Is a number below the value.
    LessThan,
}

static NO_EXTRA: BTreeMap<String, Vec<String>> = BTreeMap::new();

impl<'a> Attributes<'a> {
    /// Nothing yet, asked by this user.
    pub fn of(user: &'a str, groups: &'a [String]) -> Attributes<'a> {
        Attributes {
            user,
            uid: "",
            groups,
            extra: &NO_EXTRA,
            verb: "",
            is_resource_request: false,
            api_group: "",
            api_version: "",
            resource: "",
            subresource: "",
            name: "",
            namespace: "",
            path: "",
            field_selector: &[],
            label_selector: &[],
        }
    }

    /// The same user, asking to `verb` a resource of a group.
    pub fn on(self, verb: &'a str, api_group: &'a str, resource: &'a str) -> Attributes<'a> {
        Attributes { verb, is_resource_request: true, api_group, api_version: "*", resource, ..self }
    }

    /// The same user, asking for a path that is no resource.
    pub fn at(self, verb: &'a str, path: &'a str) -> Attributes<'a> {
        Attributes { verb, is_resource_request: false, path, ..self }
    }

    /// Whether the user is in a group.
    pub fn in_group(&self, group: &str) -> bool {
        self.groups.iter().any(|held| held == group)
    }

    /// Whether the field selector demands that a field has exactly a value.
    pub fn selects_field(&self, field: &str, value: &str) -> bool {
        let wanted = FieldRequirement { field, operator: FieldOperator::Equals, value };
        self.field_selector.contains(&wanted)
    }
}
