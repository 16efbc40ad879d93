//! What upstream's types say in markers that the field tables do not hold: unions, and single fields that differ from what their types would
//! have. (`// +union`, `// +enum`, `// +optional` and `// +default=ref(…)` in `k8s.io/api`.)

use api_record::{Field, Shape};
use serde_json::{Map, Value, json};

use crate::definitions::Dialect;

/// A type of whose fields one is set: which field says which, and how it calls them.
struct Union {
    definition: &'static str,
    discriminator: Option<&'static str>,
    fields: &'static [(&'static str, &'static str)],
}

const fn union(
    definition: &'static str,
    discriminator: Option<&'static str>,
    fields: &'static [(&'static str, &'static str)],
) -> Union {
    Union { definition, discriminator, fields }
}

const LOCALHOST: &[(&str, &str)] = &[("localhostProfile", "LocalhostProfile")];

const UNIONS: [Union; 8] = [
    union("io.k8s.api.core.v1.AppArmorProfile", Some("type"), LOCALHOST),
    union("io.k8s.api.core.v1.PodSchedulingGroup", None, &[("podGroupName", "PodGroupName")]),
    union("io.k8s.api.core.v1.SeccompProfile", Some("type"), LOCALHOST),
    union("io.k8s.api.flowcontrol.v1.LimitResponse", Some("type"), &[("queuing", "Queuing")]),
    union(
        "io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationSpec",
        Some("type"),
        &[("exempt", "Exempt"), ("limited", "Limited")],
    ),
    union(
        "io.k8s.api.flowcontrol.v1.Subject",
        Some("kind"),
        &[("group", "Group"), ("serviceAccount", "ServiceAccount"), ("user", "User")],
    ),
    union(
        "io.k8s.api.scheduling.v1alpha3.WorkloadPodGroupDisruptionMode",
        None,
        &[("all", "All"), ("single", "Single")],
    ),
    union(
        "io.k8s.api.scheduling.v1alpha3.WorkloadPodGroupSchedulingPolicy",
        None,
        &[("basic", "Basic"), ("gang", "Gang")],
    ),
];

/// The types whose values are told where they are the elements of lists, by their names without the version, and the values in order.
const ELEMENTS: [(&str, &[&str]); 8] = [
    ("IPFamily", &["", "IPv4", "IPv6"]),
    (
        "KeyUsage",
        &[
            "any",
            "cert sign",
            "client auth",
            "code signing",
            "content commitment",
            "crl sign",
            "data encipherment",
            "decipher only",
            "digital signature",
            "email protection",
            "encipher only",
            "ipsec end system",
            "ipsec tunnel",
            "ipsec user",
            "key agreement",
            "key encipherment",
            "microsoft sgc",
            "netscape sgc",
            "ocsp signing",
            "s/mime",
            "server auth",
            "signing",
            "timestamping",
        ],
    ),
    ("OperationType", &["*", "CONNECT", "CREATE", "DELETE", "UPDATE"]),
    ("PersistentVolumeAccessMode", &["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"]),
    ("PolicyType", &["Egress", "Ingress"]),
    (
        "ResourceQuotaScope",
        &[
            "BestEffort",
            "CrossNamespacePodAffinity",
            "NotBestEffort",
            "NotTerminating",
            "PriorityClass",
            "Terminating",
            "VolumeAttributesClass",
        ],
    ),
    ("SkipNodeOperation", &["*", "NodePrepareResources", "NodeUnprepareResources"]),
    ("ValidationAction", &["Audit", "Deny", "Warn"]),
];

/// The values of a claim's resizes, whose map the tables give no type's name.
const RESIZES: [&str; 5] = [
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
];

/// A type that has constants and no `// +enum`.
const NO_ENUM: &str = "v1.FieldValueErrorReason";

const AZURE_DISK: &str = "io.k8s.api.core.v1.AzureDiskVolumeSource";
const EVENT: &str = "io.k8s.api.events.v1.Event";
const BUDGET: &str = "io.k8s.api.policy.v1.PodDisruptionBudgetSpec";

/// Adds to a definition what only its markers say.
pub(crate) fn of_definition(name: &str, body: &mut Map<String, Value>) {
    let Some(union) = UNIONS.iter().find(|union| union.definition == name) else { return };
    let fields: Map<String, Value> =
        union.fields.iter().map(|(field, own)| ((*field).to_owned(), (*own).into())).collect();
    let mut said = json!({ "fields-to-discriminateBy": fields });
    if let Some(discriminator) = union.discriminator {
        said["discriminator"] = discriminator.into();
    }
    body.insert("x-kubernetes-unions".to_owned(), json!([said]));
}

/// Adds to a field what only its markers say.
pub(crate) fn of_field(dialect: Dialect, definition: &str, field: &str, property: &mut Value) {
    match (definition, field, dialect) {
        (AZURE_DISK, "cachingMode", Dialect::V3) => property["default"] = "ReadWrite".into(),
        (AZURE_DISK, "kind", Dialect::V3) => property["default"] = "Shared".into(),
        (BUDGET, "selector", _) => property["x-kubernetes-patch-strategy"] = "replace".into(),
        _ => {}
    }
}

/// Tells the values that a field, or the elements of one, may have; in order, whatever that of the constants is.
pub(crate) fn enumerate(field: &Field, property: &mut Value) {
    match &field.shape {
        Shape::String if !field.values.is_empty() && field.named != NO_ENUM => {
            let mut values = field.values.to_vec();
            values.sort_unstable();
            property["enum"] = values.into();
        }
        Shape::List(_) => {
            let own = field.named.rsplit('.').next();
            if let Some((_, values)) = ELEMENTS.iter().find(|(name, _)| Some(*name) == own) {
                property["items"]["enum"] = (*values).into();
            }
        }
        Shape::Map(_) if &*field.name == "allocatedResourceStatuses" => {
            property["additionalProperties"]["enum"] = RESIZES.as_slice().into();
        }
        _ => {}
    }
}

/// What a field's description says of its values, as upstream's generator adds it.
pub(crate) fn described(property: &Value) -> String {
    let Some(values) = property["enum"].as_array() else { return String::new() };
    let rows: Vec<String> = values.iter().map(|value| format!("\n - `{value}`")).collect();
    format!("\n\nPossible enum values:{}", rows.concat())
}

/// Whether a field is required, where a marker says otherwise than its type.
pub(crate) fn requires(definition: &str, field: &str) -> Option<bool> {
    match (definition, field) {
        (EVENT, "eventTime") => Some(true),
        (EVENT, "metadata") => Some(false),
        _ => None,
    }
}
