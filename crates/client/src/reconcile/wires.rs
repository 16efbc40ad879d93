//! What a controller looks at, and which keys a change there is about.

use api_meta::owners;
use api_record::{Record, Typed};
use api_types::object_meta;

use super::kinds::resource_of;
use super::{Name, World};
use crate::{Resource, Scope};

type Keys<K> = Box<dyn Fn(&dyn Record, &World) -> Vec<K> + Send + Sync>;
type Comparison = Box<dyn Fn(&dyn Record, &dyn Record) -> bool + Send + Sync>;

/// A view that a controller reads.
pub struct Source<K> {
    /// What it shows.
    pub scope: Scope,
    mappings: Vec<Mapping<K>>,
}

/// What changes are about.
struct Mapping<K> {
    keys: Keys<K>,
    /// Whether a change from the one to the other is any; every change is if there is none.
    matters: Option<Comparison>,
}

impl<K> Source<K> {
    /// The keys that a change is about, of an object as it was and as it is.
    pub fn about(&self, old: Option<&dyn Record>, new: Option<&dyn Record>, world: &World) -> Vec<K> {
        let is_any = |mapping: &&Mapping<K>| match (old, new, &mapping.matters) {
            (Some(old), Some(new), Some(matters)) => matters(old, new),
            _ => true,
        };
        let objects = || old.into_iter().chain(new);
        let mappings = self.mappings.iter().filter(is_any);
        mappings.flat_map(|mapping| objects().flat_map(|object| (mapping.keys)(object, world))).collect()
    }
}

/// All that a controller looks at.
pub struct Wires<K> {
    sources: Vec<Source<K>>,
}

impl<K> Default for Wires<K> {
    fn default() -> Self {
        Wires { sources: Vec::new() }
    }
}

impl<K: 'static> Wires<K> {
    /// Looks at all objects of a type; each is about the keys that `keys` names.
    pub fn maps<T: Typed>(&mut self, keys: impl Fn(&T, &World) -> Vec<K> + Send + Sync + 'static) {
        self.scoped(Scope::all(resource_of::<T>().clone()), move |object, world| {
            object.downcast_ref().map(|object| keys(object, world)).unwrap_or_default()
        });
    }

    /// The same, but changes of an object that make no difference are about nothing.
    pub fn maps_changed<T: Typed>(
        &mut self,
        matters: impl Fn(&T, &T) -> bool + Send + Sync + 'static,
        keys: impl Fn(&T, &World) -> Vec<K> + Send + Sync + 'static,
    ) {
        let matters = move |old: &dyn Record, new: &dyn Record| {
            old.downcast_ref().zip(new.downcast_ref()).is_none_or(|(old, new)| matters(old, new))
        };
        let keys = move |object: &dyn Record, world: &World| {
            object.downcast_ref().map(|object| keys(object, world)).unwrap_or_default()
        };
        let mapping = Mapping { keys: Box::new(keys), matters: Some(Box::new(matters)) };
        self.add(Scope::all(resource_of::<T>().clone()), mapping);
    }

    /// Looks at all objects of a type without being woken by them.
    pub fn reads<T: Typed>(&mut self) {
        self.maps::<T>(|_, _| Vec::new());
    }

    /// Looks at the objects of a scope, whatever they are.
    pub fn scoped(
        &mut self,
        scope: Scope,
        keys: impl Fn(&dyn Record, &World) -> Vec<K> + Send + Sync + 'static,
    ) {
        self.add(scope, Mapping { keys: Box::new(keys), matters: None });
    }

    /// One view for each scope, however many things its changes are about.
    fn add(&mut self, scope: Scope, mapping: Mapping<K>) {
        match self.sources.iter_mut().find(|source| source.scope == scope) {
            Some(source) => source.mappings.push(mapping),
            None => self.sources.push(Source { scope, mappings: vec![mapping] }),
        }
    }

    /// The views in the order in which they were named.
    pub fn into_sources(self) -> Vec<Source<K>> {
        self.sources
    }
}

impl Wires<Name> {
    /// Looks at all objects of a type; each is its own key.
    pub fn primary<T: Typed>(&mut self) {
        self.maps::<T>(|object, _| {
            object_meta(object).map(|meta| name(&meta.namespace, &meta.name)).into_iter().collect()
        });
    }

    /// Looks at all objects of a type; each is about its controller, if that is of a kind. Others are about what `orphan`
    /// names.
    pub fn owned<T: Typed>(
        &mut self,
        group: &'static str,
        kind: &'static str,
        orphan: impl Fn(&T, &World) -> Vec<Name> + Send + Sync + 'static,
    ) {
        self.maps::<T>(move |object, world| {
            let Some(meta) = object_meta(object) else { return Vec::new() };
            match owners::controller_of(meta) {
                Some(reference) => {
                    let named = owners::kind_of(reference);
                    let own = named.is_some_and(|named| named.group == group && named.kind == kind);
                    if own { vec![name(&meta.namespace, &reference.name)] } else { Vec::new() }
                }
                None => orphan(object, world),
            }
        });
    }
}

/// The usual key of a namespace and a name.
pub fn name(namespace: &str, name: &str) -> Name {
    (namespace.to_owned(), name.to_owned())
}

/// Whether a source shows objects of a resource.
impl<K> Source<K> {
    /// The resource that it shows.
    pub fn resource(&self) -> &Resource {
        &self.scope.resource
    }
}
