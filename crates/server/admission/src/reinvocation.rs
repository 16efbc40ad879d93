//! Asking again: what webhooks and policies change in an object is shown to all that changed it before, once.
//! (`apiserver/pkg/admission/reinvocation.go`, `plugin/webhook/mutating/reinvocationcontext.go`.)

use std::collections::{BTreeMap, BTreeSet};

use api_record::Record;

/// A request's two rounds, of which the second is only there if somebody wants it.
#[derive(Default)]
pub struct Reinvocation {
    second: bool,
    wanted: bool,
    plugins: BTreeMap<&'static str, Invoked>,
}

impl Reinvocation {
    /// Whether this is the second round.
    pub(crate) fn is_second(&self) -> bool {
        self.second
    }

    /// Has all be asked again after this round.
    pub(crate) fn want(&mut self) {
        self.wanted = true;
    }

    /// Begins the second round, if somebody wants it.
    pub(crate) fn begin_second(&mut self) -> bool {
        self.second = self.wanted;
        self.second
    }

    /// What a plugin keeps.
    pub(crate) fn of(&mut self, plugin: &'static str) -> &mut Invoked {
        self.plugins.entry(plugin).or_default()
    }
}

/// Whom a plugin has asked, and who is to be asked again.
#[derive(Default)]
pub(crate) struct Invoked {
    output: Option<Box<dyn Record>>,
    before: BTreeSet<String>,
    again: BTreeSet<String>,
}

impl Invoked {
    /// Has those asked again who were, if others have changed the object since the plugin last saw it.
    pub(crate) fn resume(&mut self, object: Option<&dyn Record>) {
        let same = match (&self.output, object) {
            (Some(output), Some(object)) => **output == *object,
            (None, None) => true,
            _ => false,
        };
        if !same {
            self.ask_again();
        }
    }

    /// Keeps what the plugin made of the object.
    pub(crate) fn end(&mut self, object: Option<&dyn Record>) {
        self.output = object.map(Record::boxed_clone);
    }

    /// Somebody has changed the object: all who were asked before are to see it.
    pub(crate) fn ask_again(&mut self) {
        self.again.append(&mut self.before);
    }

    /// Somebody was asked who wants to see later changes.
    pub(crate) fn asked(&mut self, who: &str) {
        self.before.insert(who.to_owned());
    }

    /// Whether somebody is to be asked in the second round. Whoever was not in the first is not.
    pub(crate) fn is_asked_again(&self, who: &str) -> bool {
        self.again.contains(who)
    }
}
