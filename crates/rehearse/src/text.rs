//! An outcome as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use explain::Named;
use serde_json::Value;

use crate::compare::FieldChange;
use crate::limits::{SHOWN_FIELDS, SHOWN_STEPS};
use crate::outcome::{Applied, Outcome, Verdict};

impl Outcome {
    /// The outcome as text. Of long lists only the beginning is shown, unless `all`.
    pub fn text(&self, all: bool) -> String {
        let mut out = String::new();
        for applied in &self.applied {
            show_applied(&mut out, applied, all);
        }
        if !self.changes_something() {
            return out;
        }
        self.show_steps(&mut out, all);
        self.show_end(&mut out, all);
        if !self.settled {
            out.push_str("\nIt had not come to rest after an hour of virtual time.\n");
        }
        out
    }

    fn show_steps(&self, out: &mut String, all: bool) {
        if self.steps.is_empty() {
            return;
        }
        let most = if all { usize::MAX } else { SHOWN_STEPS };
        out.push_str("\nWhat would follow:\n");
        for step in self.steps.iter().take(most) {
            let _ = writeln!(out, "  {:>3}s {}: {} ({})", step.seconds, step.about, step.message, step.by);
        }
        if let more @ 1.. = self.steps.len().saturating_sub(most) {
            let _ = writeln!(out, "  and {more} steps more (--all)");
        }
    }

    fn show_end(&self, out: &mut String, all: bool) {
        let mut lines = Vec::new();
        let mut pods: BTreeMap<(&Named, &str, &str), usize> = BTreeMap::new();
        for placed in &self.pods {
            *pods.entry((&placed.pod, &placed.node, &placed.pending)).or_default() += 1;
        }
        for ((pod, node, pending), count) in pods {
            let times = if count > 1 { format!(" ({count} of them)") } else { String::new() };
            lines.push(match node {
                "" => format!("{pod}{times} stays pending: {pending}"),
                node => format!("{pod}{times} is on node {node}"),
            });
        }
        lines.extend(self.made.iter().map(|named| format!("{named} is made")));
        for (named, changes) in &self.changed {
            lines.push(format!("{named} is changed"));
            lines.extend(changed(changes, all).into_iter().map(|line| format!("  {line}")));
        }
        lines.extend(self.gone.iter().map(|named| format!("{named} is gone")));
        if !lines.is_empty() {
            out.push_str("\nIn the end:\n");
        }
        for line in lines {
            let _ = writeln!(out, "  {line}");
        }
    }
}

fn show_applied(out: &mut String, applied: &Applied, all: bool) {
    let word = match applied.verdict {
        Verdict::Created => "would be created",
        Verdict::Changed => "would be changed",
        Verdict::Unchanged => "is so already",
        Verdict::Refused => "would be refused",
    };
    let _ = writeln!(out, "{} {word}", applied.object);
    for line in changed(&applied.changes, all).into_iter().chain(applied.notes.iter().cloned()) {
        let _ = writeln!(out, "  {line}");
    }
}

fn changed(changes: &[FieldChange], all: bool) -> Vec<String> {
    let most = if all { usize::MAX } else { SHOWN_FIELDS };
    let mut lines: Vec<String> = changes.iter().take(most).map(line).collect();
    if let more @ 1.. = changes.len().saturating_sub(most) {
        lines.push(format!("and {more} fields more (--all)"));
    }
    lines
}

fn line(change: &FieldChange) -> String {
    let shown = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), short);
    format!("{}: {} -> {}", change.path, shown(&change.from), shown(&change.to))
}

/// A value in a few words: whole objects would be pages.
fn short(value: &Value) -> String {
    const MOST: usize = 80;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
