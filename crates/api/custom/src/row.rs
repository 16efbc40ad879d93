//! The row of one version of a definition, made at run time (`pkg/registry/customresource`).

mod columns;
mod strategy;

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use api_kind::{AnyKind, Cell, Ctx, Heading, Reset, Version};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names::{self, NameCheck};
use api_record::{Record, Schema, Tree, Typed};
use api_types::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionSpec, CustomResourceDefinitionVersion,
    CustomResourceSubresourceScale,
};
use base::time::Time;

use crate::jsonpath::JsonPath;
use crate::node::CompileError;
use crate::rules::Rules;
use crate::{CustomObject, Node, compile, fill, prune};
use columns::Columns;

/// One version of a definition. What it is made of is worked out when it is first needed.
pub struct Row {
    definition: Arc<dyn Record>,
    version: usize,
    node: OnceLock<Result<Node, CompileError>>,
    rules: OnceLock<Option<Rules>>,
    columns: OnceLock<Columns>,
    selectable: OnceLock<Vec<(String, JsonPath)>>,
}

impl Row {
    /// The row of a version of a definition; `None` if there is no such version, or that is no definition.
    pub fn new(definition: Arc<dyn Record>, version: &str) -> Option<Row> {
        let spec = &definition.downcast_ref::<CustomResourceDefinition>()?.spec;
        let version = spec.versions.iter().position(|own| own.name == version)?;
        let (node, rules) = (OnceLock::new(), OnceLock::new());
        let (columns, selectable) = (OnceLock::new(), OnceLock::new());
        Some(Row { definition, version, node, rules, columns, selectable })
    }

    /// The definition as it was given.
    pub fn source(&self) -> Arc<dyn Record> {
        Arc::clone(&self.definition)
    }

    fn definition(&self) -> &CustomResourceDefinition {
        self.definition.downcast_ref().expect("`new` has seen that it is one")
    }

    fn spec(&self) -> &CustomResourceDefinitionSpec {
        &self.definition().spec
    }

    /// The version.
    pub fn version(&self) -> &CustomResourceDefinitionVersion {
        &self.spec().versions[self.version]
    }

    /// Where the numbers of replicas are, if it has a scale.
    pub fn scale(&self) -> Option<&CustomResourceSubresourceScale> {
        self.version().subresources.as_deref()?.scale.as_deref()
    }

    /// The compiled schema.
    ///
    /// # Errors
    /// If it cannot be compiled, which validation of the definition prevents, or cannot be honoured.
    pub fn node(&self) -> Result<&Node, &CompileError> {
        let made = self.node.get_or_init(|| {
            let schema = self.version().schema.as_deref().and_then(|own| own.open_apiv3_schema.as_deref());
            let mut node = schema.map(compile).transpose()?.unwrap_or_default();
            node.preserves |= self.spec().preserve_unknown_fields;
            Ok(node)
        });
        made.as_ref()
    }

    /// What an object has beside its fields.
    fn meta(&self, object: &CustomObject) -> Tree {
        let spec = self.spec();
        Tree::from_iter([
            ("apiVersion".to_owned(), format!("{}/{}", spec.group, self.version().name).into()),
            ("kind".to_owned(), spec.names.kind.clone().into()),
            ("metadata".to_owned(), object.metadata()),
        ])
    }

    /// The compiled rules, if its schema has any.
    fn rules(&self, node: &Node) -> Option<&Rules> {
        self.rules.get_or_init(|| Rules::of(node, true)).as_ref()
    }

    fn selectors(&self) -> &[(String, JsonPath)] {
        self.selectable.get_or_init(|| {
            let read = |path: &String| {
                let name = path.strip_prefix('.').unwrap_or(path).to_owned();
                Some((name, JsonPath::parse(path).ok()?))
            };
            self.version().selectable_fields.iter().filter_map(|field| read(&field.json_path)).collect()
        })
    }
}

fn custom(object: &dyn Record) -> &CustomObject {
    object.downcast_ref().expect("a row is given objects of its own hub type")
}

fn custom_mut(object: &mut dyn Record) -> &mut CustomObject {
    object.downcast_mut().expect("a row is given objects of its own hub type")
}

impl AnyKind for Row {
    fn resource(&self) -> (&str, &str, &str) {
        let spec = self.spec();
        let stored = spec.versions.iter().find(|version| version.storage);
        (&spec.group, stored.map_or("", |version| &version.name), &spec.names.plural)
    }
    fn schema(&self) -> &'static Schema {
        CustomObject::SCHEMA
    }
    fn new_object(&self) -> Box<dyn Record> {
        Box::new(CustomObject::default())
    }
    fn has_generation(&self) -> bool {
        true
    }
    fn has_status(&self) -> bool {
        self.version().subresources.as_deref().is_some_and(|own| own.status.is_some())
    }
    fn prune(&self, object: &mut dyn Record) -> Result<Vec<String>, FieldError> {
        let node = self.node().map_err(|error| FieldError::internal(&Path::NONE, error))?;
        let object = custom_mut(object);
        let mut unknown = prune(&mut object.fields, node);
        crate::drop_nulls(&mut object.fields, node);
        unknown.extend(crate::coerce(&mut object.fields, node)?);
        Ok(unknown.iter().map(|path| format!("unknown field \"{path}\"")).collect())
    }
    fn view(&self, object: &dyn Record) -> Option<Box<dyn Record>> {
        let Ok(node) = self.node() else { return None };
        let object = custom(object);
        if crate::prune::is_pruned(&object.fields, node) && crate::fill::is_filled(&object.fields, node) {
            return None;
        }
        let mut object = object.clone();
        prune(&mut object.fields, node);
        crate::drop_nulls(&mut object.fields, node);
        fill(&mut object.fields, node);
        Some(Box::new(object))
    }
    fn allows_unconditional_update(&self) -> bool {
        false
    }
    fn allows_create_on_update(&self) -> bool {
        false
    }
    fn grace(&self, _: &dyn Record, _: Option<i64>) -> Option<i64> {
        None
    }
    fn is_held(&self, _: &dyn Record) -> bool {
        false
    }
    fn freezes_metadata(&self) -> bool {
        true
    }
    fn brings_status(&self) -> bool {
        false
    }
    fn allows_any_finalizers(&self) -> bool {
        true
    }
    fn is_bare(&self, _: &str) -> bool {
        false
    }
    fn resets(&self, _: &str) -> Option<Reset> {
        None
    }
    fn name_check(&self) -> NameCheck {
        names::name_is_dns_subdomain
    }
    fn defaults(&self, _: &Ctx<'_>, object: &mut dyn Record) {
        if let Ok(node) = self.node() {
            fill(&mut custom_mut(object).fields, node);
        }
    }
    fn prepare(&self, _: &Ctx<'_>, _: &mut dyn Record, _: Option<&dyn Record>) {}
    fn validate(&self, ctx: &Ctx<'_>, object: &dyn Record, old: Option<&dyn Record>, errors: &mut ErrorList) {
        match self.node() {
            Ok(node) => strategy::validate(self, node, ctx, custom(object), old.map(custom), errors),
            Err(error) => errors.push(FieldError::internal(&Path::NONE, error)),
        }
    }
    fn warnings(&self, _: &Ctx<'_>, object: &dyn Record, old: Option<&dyn Record>) -> Vec<String> {
        let (object, old) = (custom(object), old.map(custom));
        let mut warnings = strategy::warnings(object, old);
        if let (Ok(node), Some(_)) = (self.node(), old) {
            warnings.extend(strategy::judge(self, node, object, old).passed.iter().map(ToString::to_string));
        }
        warnings
    }
    fn columns(&self) -> Vec<Heading<'_>> {
        self.columns.get_or_init(|| Columns::of(self.version())).headings()
    }
    fn cells(&self, object: &dyn Record, now: Time) -> Vec<Cell> {
        self.columns.get_or_init(|| Columns::of(self.version())).cells(custom(object), now)
    }
    fn selectable(&self) -> Vec<&str> {
        self.selectors().iter().map(|(name, _)| name.as_str()).collect()
    }
    fn select<'a>(&self, object: &'a dyn Record, field: &str) -> Option<Cow<'a, str>> {
        let (_, path) = self.selectors().iter().find(|(name, _)| name == field)?;
        let object = custom(object);
        let first = path.first()?;
        // Selectable fields are below one that is not the metadata; only that is copied.
        let value = object.fields.get_key_value(first).map(|(key, value)| (key.clone(), value.clone()));
        let value = serde_json::Value::Object(value.into_iter().collect());
        let found = path.find(&value).map(|value| match value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        Some(found.unwrap_or_default().into())
    }
    fn versions(&self) -> &'static [Version] {
        &[]
    }
}
