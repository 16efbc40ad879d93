//! What an autoscaler's references name.

use api_types::apiextensions::v1::CustomResourceDefinition;
use client::Resource;
use client::reconcile::World;
use control_base::resources::{self, Served};

/// The kinds that are served: those built in, and those that definitions bring.
pub(crate) struct Kinds<'a> {
    pub(crate) built_in: &'a [Served],
    pub(crate) world: &'a World,
}

impl Kinds<'_> {
    /// The resources of a kind in a group.
    ///
    /// # Errors
    /// In upstream's words, if there are none.
    pub(crate) fn find(&self, group: &str, kind: &str) -> Result<Vec<Resource>, String> {
        let is_it = |own: &&Served| own.kind == kind && own.resource.group == group;
        let mut found: Vec<Resource> =
            self.built_in.iter().filter(is_it).map(|own| own.resource.clone()).collect();
        if found.is_empty() {
            let of_group = |own: &&CustomResourceDefinition| own.spec.group == group;
            let custom =
                resources::of_definitions(self.world.all::<CustomResourceDefinition>().filter(of_group));
            found.extend(custom.iter().filter(is_it).map(|own| own.resource.clone()));
        }
        if found.is_empty() {
            return Err(format!("no matches for kind {kind:?} in group {group:?}"));
        }
        Ok(found)
    }
}
