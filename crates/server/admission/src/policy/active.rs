//! The policies of one sort that are bound, and what they are bound by, as views show them.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use api_record::{Record, Typed};
use api_types::admissionregistration::v1::{MatchResources, ParamKind, ParamRef};
use arc_swap::ArcSwap;
use client::RawView;

/// A sort of policies.
pub(super) trait Sort: 'static {
    /// What a policy is.
    type Policy: Typed;
    /// What binds one.
    type Binding: Typed;
    /// Its expressions, ready to be evaluated.
    type Compiled: Send + Sync;

    fn name(policy: &Self::Policy) -> &str;
    /// Which requests a policy is about.
    fn constraints(policy: &Self::Policy) -> Option<&MatchResources>;
    /// What its parameters are.
    fn param_kind(policy: &Self::Policy) -> Option<&ParamKind>;
    /// The name of the policy that a binding is about.
    fn bound(binding: &Self::Binding) -> &str;
    /// Which of the policy's requests a binding is about.
    fn limits(binding: &Self::Binding) -> Option<&MatchResources>;
    /// Where a binding's parameters are.
    fn param_ref(binding: &Self::Binding) -> Option<&ParamRef>;
    fn compile(policy: &Self::Policy) -> Self::Compiled;
}

/// A policy with its bindings.
pub(super) struct Active<S: Sort> {
    policy: Arc<dyn Record>,
    pub(super) compiled: Arc<S::Compiled>,
    bindings: Vec<Arc<dyn Record>>,
    sort: PhantomData<fn() -> S>,
}

impl<S: Sort> Active<S> {
    /// Everything in a list of these is of its type.
    pub(super) fn policy(&self) -> Option<&S::Policy> {
        self.policy.downcast_ref()
    }

    pub(super) fn bindings(&self) -> impl Iterator<Item = &S::Binding> {
        self.bindings.iter().filter_map(|binding| binding.downcast_ref())
    }
}

/// All of them, in the order of their names. Policies that nothing binds are none of them.
pub(super) struct Policies<S: Sort>(ArcSwap<Vec<Active<S>>>);

impl<S: Sort> Default for Policies<S> {
    fn default() -> Policies<S> {
        Policies(ArcSwap::default())
    }
}

impl<S: Sort> Policies<S> {
    /// Those of now.
    pub(super) fn load(&self) -> Arc<Vec<Active<S>>> {
        self.0.load_full()
    }

    /// Follows policies and bindings until their views end.
    pub(super) async fn follow(&self, policies: RawView, bindings: RawView) {
        let (mut first, mut second) = (policies.changed(), bindings.changed());
        loop {
            first.mark_unchanged();
            second.mark_unchanged();
            self.update(policies.snapshot().iter().cloned(), bindings.snapshot().iter().cloned());
            let changed =
                futures_util::future::select(Box::pin(first.changed()), Box::pin(second.changed())).await;
            if changed.factor_first().0.is_err() {
                return;
            }
        }
    }

    /// Takes over what there is; a policy that is still the same is not compiled again.
    pub(super) fn update(
        &self,
        policies: impl Iterator<Item = Arc<dyn Record>>,
        bindings: impl Iterator<Item = Arc<dyn Record>>,
    ) {
        let before = self.0.load_full();
        let mut bound: BTreeMap<String, Vec<Arc<dyn Record>>> = BTreeMap::new();
        for binding in bindings {
            if let Some(own) = binding.downcast_ref::<S::Binding>() {
                bound.entry(S::bound(own).to_owned()).or_default().push(binding);
            }
        }
        let mut active = Vec::new();
        for policy in policies {
            let Some(own) = policy.downcast_ref::<S::Policy>() else { continue };
            let Some(bindings) = bound.remove(S::name(own)) else { continue };
            let same = before.iter().find(|before| Arc::ptr_eq(&before.policy, &policy));
            let compiled = same.map(|same| Arc::clone(&same.compiled));
            let compiled = compiled.unwrap_or_else(|| Arc::new(S::compile(own)));
            active.push(Active { policy, compiled, bindings, sort: PhantomData });
        }
        self.0.store(Arc::new(active));
    }
}
