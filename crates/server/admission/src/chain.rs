//! The plugins in their order.

use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use base::random::Random;
use base::time::Clock;
use client::BoxFuture;
use server_registry::admit::{Admission, Attributes};

use crate::certificates::{
    Authorizer, CertificateApproval, CertificateSigning, CertificateSubjectRestriction,
};
use crate::{
    DefaultTolerationSeconds, Lookup, NamespaceLifecycle, NodeRestriction, Plugin, Priority, ServiceAccounts,
    TaintNodesByCondition,
};

/// What the built-in plugins work with.
pub struct Parts {
    /// How other objects are looked up.
    pub lookup: Arc<dyn Lookup>,
    /// Who may do what.
    pub authorizer: Authorizer,
    /// To wait for what is about to be there.
    pub clock: Arc<dyn Clock>,
    /// Where generated names come from.
    pub random: Arc<dyn Random>,
}

/// Plugins, asked one after the other; the first refusal ends it.
#[derive(Default)]
pub struct Chain {
    plugins: Vec<Arc<dyn Plugin>>,
}

impl Chain {
    /// A chain of plugins.
    pub fn new(plugins: Vec<Arc<dyn Plugin>>) -> Chain {
        Chain { plugins }
    }

    /// The built-in plugins, in upstream's order (`AllOrderedPlugins`).
    pub fn standard(parts: Parts) -> Chain {
        let Parts { lookup, authorizer, clock, random } = parts;
        Chain::new(vec![
            Arc::new(NamespaceLifecycle::new(Arc::clone(&lookup))),
            Arc::new(ServiceAccounts::new(Arc::clone(&lookup), clock, random)),
            Arc::new(NodeRestriction::new(Arc::clone(&lookup), Arc::clone(&authorizer))),
            Arc::new(TaintNodesByCondition),
            Arc::new(Priority::new(lookup)),
            Arc::new(DefaultTolerationSeconds::default()),
            Arc::new(CertificateApproval::new(Arc::clone(&authorizer))),
            Arc::new(CertificateSigning::new(authorizer)),
            Arc::new(CertificateSubjectRestriction),
        ])
    }

    /// The same with one more plugin at the end, where webhooks and quotas belong.
    #[must_use]
    pub fn then(mut self, plugin: Arc<dyn Plugin>) -> Chain {
        self.plugins.push(plugin);
        self
    }
}

impl Admission for Chain {
    fn mutate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: &'a mut dyn Record,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            for plugin in &self.plugins {
                plugin.mutate(attributes, object, old).await?;
            }
            Ok(())
        })
    }

    fn validate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: Option<&'a dyn Record>,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            for plugin in &self.plugins {
                plugin.validate(attributes, object, old).await?;
            }
            Ok(())
        })
    }
}
