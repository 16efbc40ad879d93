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
use crate::reinvocation::Reinvocation;
use crate::{
    DefaultIngressClass, DefaultStorageClass, DefaultTolerationSeconds, Devices, LimitRanger, Lookup,
    NamespaceLifecycle, NodeDeclaredFeatures, NodeRestriction, PersistentVolumeClaimResize, Plugin,
    PodResize, PodSecurity, PodTopologyLabels, Priority, Quotas, RuntimeClasses, ServiceAccounts,
    StorageObjectInUseProtection, TaintNodesByCondition,
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
    /// Quotas: asked last, since what they let pass is charged.
    last: Option<Arc<dyn Plugin>>,
}

impl Chain {
    /// A chain of plugins.
    pub fn new(plugins: Vec<Arc<dyn Plugin>>) -> Chain {
        Chain { plugins, last: None }
    }

    /// The built-in plugins, in upstream's order (`AllOrderedPlugins`).
    pub fn standard(parts: Parts) -> Chain {
        let Parts { lookup, authorizer, clock, random } = parts;
        let look = || Arc::clone(&lookup);
        let mut chain = Chain::new(vec![
            Arc::new(NamespaceLifecycle::new(look())),
            Arc::new(LimitRanger::new(look())),
            Arc::new(ServiceAccounts::new(look(), Arc::clone(&clock), random)),
            Arc::new(NodeRestriction::new(look(), Arc::clone(&authorizer))),
            Arc::new(TaintNodesByCondition),
            Arc::new(PodSecurity::new(look(), Arc::clone(&clock))),
            Arc::new(Priority::new(look())),
            Arc::new(DefaultTolerationSeconds::default()),
            Arc::new(DefaultStorageClass::new(look())),
            Arc::new(StorageObjectInUseProtection),
            Arc::new(PersistentVolumeClaimResize::new(look())),
            Arc::new(RuntimeClasses::new(look())),
            Arc::new(CertificateApproval::new(Arc::clone(&authorizer))),
            Arc::new(CertificateSigning::new(Arc::clone(&authorizer))),
            Arc::new(CertificateSubjectRestriction),
            Arc::new(DefaultIngressClass::new(look())),
            Arc::new(PodTopologyLabels::new(look())),
            Arc::new(NodeDeclaredFeatures::new(look())),
            Arc::new(PodResize::new(look())),
            Arc::new(Devices::new(look(), authorizer, Arc::clone(&clock))),
        ]);
        chain.last = Some(Arc::new(Quotas::new(lookup, clock)));
        chain
    }

    /// The same with one more plugin before all others.
    #[must_use]
    pub fn after(mut self, plugin: Arc<dyn Plugin>) -> Chain {
        self.plugins.insert(0, plugin);
        self
    }

    /// The same with one more plugin behind all others but quotas, where policies and webhooks belong.
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
            let mut rounds = Reinvocation::default();
            loop {
                for plugin in self.plugins.iter().chain(&self.last) {
                    plugin.mutate_again(attributes, object, old, &mut rounds).await?;
                }
                if rounds.is_second() || !rounds.begin_second() {
                    return Ok(());
                }
            }
        })
    }

    fn validate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: Option<&'a dyn Record>,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            for plugin in self.plugins.iter().chain(&self.last) {
                plugin.validate(attributes, object, old).await?;
            }
            Ok(())
        })
    }
}
