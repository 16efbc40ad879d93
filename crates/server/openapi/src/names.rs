//! What definitions are called: as upstream's are, the package's host turned around.

use api_record::{JsonForm, Schema};

pub(crate) const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
pub(crate) const INT_OR_STRING: &str = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";
pub(crate) const TIME: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Time";
pub(crate) const MICRO_TIME: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime";
pub(crate) const DURATION: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Duration";
pub(crate) const RAW_EXTENSION: &str = "io.k8s.apimachinery.pkg.runtime.RawExtension";
pub(crate) const FIELDS_V1: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1";
pub(crate) const JSON: &str = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON";
pub(crate) const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
pub(crate) const VERSION_INFO: &str = "io.k8s.apimachinery.pkg.version.Info";
pub(crate) const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
pub(crate) const WATCH_EVENT: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent";
pub(crate) const POD: &str = "io.k8s.api.core.v1.Pod";

const META: &str = "k8s.io.apimachinery.pkg.apis.meta.v1";
const EXTENSIONS: &str = "k8s.io.apiextensions-apiserver.pkg.apis.apiextensions.v1";

/// The name of a type's definition, such as `io.k8s.api.core.v1.Pod`.
pub(crate) fn definition(schema: &Schema) -> String {
    let package = &*schema.package;
    match package.strip_prefix("k8s.io.") {
        Some(rest) => format!("io.k8s.{rest}.{}", &*schema.name),
        None => format!("{package}.{}", &*schema.name),
    }
}

/// The definition of a field that holds JSON of any kind: upstream has three types for that.
pub(crate) fn json(owner: &Schema, field: &str) -> &'static str {
    match (&*owner.package, field) {
        (META, "fieldsV1") => FIELDS_V1,
        (EXTENSIONS, "default" | "enum" | "example") => JSON,
        _ => RAW_EXTENSION,
    }
}

/// Whether a type is written as something that has no one type, so that its definition says nothing of its fields.
pub(crate) fn is_opaque(schema: &Schema) -> bool {
    schema.json != JsonForm::Object
        || (&*schema.package == EXTENSIONS && &*schema.name == "JSONSchemaPropsOrStringArray")
}
