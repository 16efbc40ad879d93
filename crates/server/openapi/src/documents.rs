//! All documents, each made when it is first asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use api_types::Resource;
use serde_json::{Map, Value, json};

use crate::custom::{self, Custom};
use crate::definitions::{Definitions, Dialect};
use crate::descriptions::Descriptions;
use crate::document::Document;
use crate::operations::PathItem;
use crate::others::{Described, Others};
use crate::paths::{self, GroupVersion};
use crate::{convert, media::Form, proto, v2, v3};

/// The documents of a set of resources.
pub struct Documents {
    resources: Arc<BTreeMap<GroupVersion, Vec<&'static Resource>>>,
    custom: Vec<Custom>,
    others: Others,
    v2: Arc<Forms>,
    index: OnceLock<Document>,
    v3: BTreeMap<String, (Part, Arc<Forms>)>,
    /// Those of other servers that are made here.
    converted: BTreeMap<String, (Part, Arc<Forms>)>,
}

/// What a document of version 3 is about.
#[derive(Clone)]
enum Part {
    Core,
    Groups,
    Group(&'static str),
    Version(GroupVersion),
    /// A group and version that only definitions have.
    Custom(Vec<Custom>),
    /// A group and version of another server, which says in version 2 what it serves.
    Converted(Arc<Value>, String),
    Server,
}

/// A document in its forms.
#[derive(Default)]
struct Forms {
    json: OnceLock<Document>,
    proto: OnceLock<Document>,
}

impl Forms {
    fn get(&self, form: Form, make: impl FnOnce() -> Value, encode: fn(&Value) -> Vec<u8>) -> &Document {
        let json = self.json.get_or_init(|| Document::new(make().to_string().as_bytes()));
        match form {
            Form::Json => json,
            Form::Proto => self.proto.get_or_init(|| {
                let value = serde_json::from_slice(&json.bytes()).unwrap_or_default();
                Document::with_hash(&encode(&value), json.hash().to_owned())
            }),
        }
    }
}

impl Documents {
    /// The documents of the resources that are served. This costs nothing; the documents are made when they are asked for.
    pub fn new(served: impl IntoIterator<Item = &'static Resource>) -> Documents {
        let mut resources: BTreeMap<GroupVersion, Vec<_>> = BTreeMap::new();
        for resource in served {
            let key = GroupVersion { group: resource.kind.group, version: resource.kind.version };
            resources.entry(key).or_default().push(resource);
        }
        let mut parts = vec![
            ("api".to_owned(), Part::Core),
            ("apis".to_owned(), Part::Groups),
            ("version".to_owned(), Part::Server),
        ];
        for key in resources.keys() {
            parts.push((key.prefix(), Part::Version(*key)));
            if !key.group.is_empty() {
                parts.push((format!("apis/{}", key.group), Part::Group(key.group)));
            }
        }
        let v3 = parts.into_iter().map(|(name, part)| (name, (part, Arc::default()))).collect();
        let resources = Arc::new(resources);
        let (custom, others, v2) = (Vec::new(), Others::default(), Arc::default());
        Documents { resources, custom, others, v2, index: OnceLock::new(), v3, converted: BTreeMap::new() }
    }

    /// The documents of the same built-in resources and of these versions of definitions. Documents that say the same are shared,
    /// made or not.
    #[must_use]
    pub fn with_custom(&self, custom: Vec<Custom>) -> Documents {
        let kept = |part: &Part| !matches!(part, Part::Custom(_));
        let mut v3: BTreeMap<String, (Part, Arc<Forms>)> = self
            .v3
            .iter()
            .filter(|(_, (part, _))| kept(part))
            .map(|(name, (part, forms))| (name.clone(), (part.clone(), Arc::clone(forms))))
            .collect();
        let mut parts: BTreeMap<String, Vec<Custom>> = BTreeMap::new();
        for one in &custom {
            parts.entry(one.prefix()).or_default().push(one.clone());
        }
        for (name, own) in parts {
            let same = match self.v3.get(&name) {
                Some((Part::Custom(before), forms)) if *before == own => Arc::clone(forms),
                _ => Arc::default(),
            };
            v3.entry(name).or_insert((Part::Custom(own), same));
        }
        let resources = Arc::clone(&self.resources);
        let (others, converted) = (self.others.clone(), self.converted.clone());
        Documents { resources, custom, others, v2: Arc::default(), index: OnceLock::new(), v3, converted }
    }

    /// The documents of the same resources, beside what other API servers say of theirs.
    #[must_use]
    pub fn with_others(&self, others: Others) -> Documents {
        let v2 = if others.is_same_v2(&self.others) { Arc::clone(&self.v2) } else { Arc::default() };
        let (resources, custom, v3) = (Arc::clone(&self.resources), self.custom.clone(), self.v3.clone());
        let of = |(name, own): (&String, &Described)| {
            let Described::InV2(source) = own else { return None };
            let forms = match self.converted.get(name) {
                Some((Part::Converted(before, _), forms)) if Arc::ptr_eq(before, source) => Arc::clone(forms),
                _ => Arc::default(),
            };
            Some((name.clone(), (Part::Converted(Arc::clone(source), format!("/{name}")), forms)))
        };
        let converted = others.v3.iter().filter_map(of).collect();
        Documents { resources, custom, others, v2, index: OnceLock::new(), v3, converted }
    }

    /// `/openapi/v2`.
    pub fn v2(&self, form: Form) -> &Document {
        self.v2.get(form, || self.make_v2(), proto::v2)
    }

    /// `/openapi/v3`: where each document is, and its hash. Makes all of them the first time.
    pub fn v3_index(&self) -> &Document {
        self.index.get_or_init(|| {
            let descriptions = Descriptions::unpack();
            let own = self.v3.iter().filter(|(name, _)| !self.others.v3.contains_key(*name));
            let own = own.chain(&self.converted);
            let mut paths: Map<String, Value> = own
                .map(|(name, (part, forms))| {
                    let json = forms.get(Form::Json, || self.make_v3(part, &descriptions), proto::v3);
                    (name.clone(), json!({ "serverRelativeURL": location(name, json.hash()) }))
                })
                .collect();
            for (name, url) in &self.others.v3 {
                if let Described::At(url) = url {
                    paths.insert(name.clone(), json!({ "serverRelativeURL": url }));
                }
            }
            paths.sort_keys();
            Document::new(json!({ "paths": paths }).to_string().as_bytes())
        })
    }

    /// `/openapi/v3/<name>`, such as `apis/apps/v1`.
    pub fn v3(&self, name: &str, form: Form) -> Option<&Document> {
        let own = || self.v3.get(name).filter(|_| !self.others.v3.contains_key(name));
        let (part, forms) = self.converted.get(name).or_else(own)?;
        Some(forms.get(form, || self.make_v3(part, &Descriptions::unpack()), proto::v3))
    }

    /// What `/openapi/v3/<name>` can be asked for.
    pub fn v3_names(&self) -> impl Iterator<Item = &str> {
        self.v3.keys().map(String::as_str)
    }

    fn make_v2(&self) -> Value {
        let descriptions = Descriptions::unpack();
        let built_in = self.v3.values().filter(|(part, _)| !matches!(part, Part::Custom(_)));
        let mut items: Vec<PathItem> =
            built_in.flat_map(|(part, _)| self.paths(part, &descriptions)).collect();
        items.extend(custom::paths(&self.custom, &descriptions));
        let everywhere = self.resources.keys().map(|key| (key.group, key.version)).collect();
        let bodies = custom::bodies(&self.custom, Dialect::V2, &descriptions);
        let definitions = Definitions::new(Dialect::V2, &descriptions, everywhere).with_custom(bodies);
        let mut document = v2::document(&items, definitions);
        self.others.add_to(&mut document);
        document
    }

    fn make_v3(&self, part: &Part, descriptions: &Descriptions) -> Value {
        if let Part::Converted(source, root) = part {
            return convert::to_v3(source, root);
        }
        let mut everywhere = BTreeSet::from([("", "v1")]);
        if let Part::Version(key) = part {
            everywhere.insert((key.group, key.version));
        }
        let mut definitions = Definitions::new(Dialect::V3, descriptions, everywhere.into_iter().collect());
        if let Part::Custom(own) = part {
            definitions = definitions.with_custom(custom::bodies(own, Dialect::V3, descriptions));
        }
        v3::document(&self.paths(part, descriptions), definitions)
    }

    fn paths(&self, part: &Part, descriptions: &Descriptions) -> Vec<PathItem> {
        match part {
            Part::Core => vec![paths::core()],
            Part::Groups => vec![paths::groups()],
            Part::Group(group) => vec![paths::group(group)],
            Part::Server => vec![paths::version()],
            Part::Custom(own) => custom::paths(own, descriptions),
            Part::Converted(..) => Vec::new(),
            Part::Version(key) => {
                let resources = self.resources.get(key).map_or(&[] as &[_], Vec::as_slice);
                paths::group_version(*key, resources, descriptions)
            }
        }
    }
}

/// Where a document of version 3 is, for as long as it says the same.
pub fn location(name: &str, hash: &str) -> String {
    format!("/openapi/v3/{name}?hash={hash}")
}
