//! An answer as text: short, in the tone of `kubectl describe`, the most decisive first.

use std::fmt::Write as _;

use api_kind::span;
use api_record::scalar::Time as Stamp;
use base::time::Time;

use crate::answer::{Answer, Branch, Change, Link, Told};
use crate::changes::folded;
use crate::finding::{Finding, few};
use crate::limits::{SHOWN, SHOWN_FIELDS};

const INDENT: &str = "  ";

impl Answer {
    /// The answer as text. Of long lists only the beginning is shown, unless `all`.
    pub fn text(&self, now: Time, all: bool) -> String {
        let mut page = Page { out: String::new(), now, most: if all { usize::MAX } else { SHOWN } };
        let state = if self.state.is_empty() { "as it was asked for" } else { &self.state };
        page.line(0, &format!("{}: {state}", self.subject));
        if !self.findings.is_empty() {
            page.out.push('\n');
        }
        for finding in &self.findings {
            page.finding(0, finding);
        }
        page.section("Owned by", &self.owners, |page, link| page.line(1, &owner(link)));
        page.section("Owns", &self.owned, |page, branch| page.branch(1, branch));
        page.section("Changed", &self.changes, Page::change);
        page.section("Events", &self.events, Page::told);
        let unread = unread(&self.unread);
        page.section("Not read, so nothing is said of it", &unread, |page, line| page.line(1, line));
        page.out
    }
}

struct Page {
    out: String,
    now: Time,
    /// How many of a list are shown.
    most: usize,
}

impl Page {
    fn line(&mut self, depth: usize, text: &str) {
        let indent = INDENT.repeat(depth);
        // Messages of others may be of several lines, which stay together.
        for line in text.lines() {
            let _ = writeln!(self.out, "{indent}{line}");
        }
    }

    fn section<T>(&mut self, title: &str, items: &[T], show: impl Fn(&mut Page, &T)) {
        if items.is_empty() {
            return;
        }
        let _ = writeln!(self.out, "\n{title}:");
        for item in items {
            show(self, item);
        }
    }

    fn ago(&self, time: Option<Stamp>) -> Option<String> {
        let seconds = self.now.unix_seconds() - time?.seconds;
        Some(if seconds < 0 { format!("in {}", span(-seconds)) } else { format!("{} ago", span(seconds)) })
    }

    fn finding(&mut self, depth: usize, finding: &Finding) {
        let mut text = String::new();
        if let Some(about) = &finding.about {
            let _ = write!(text, "{about}: ");
        }
        text.push_str(&finding.message);
        if let Some(since) = self.ago(finding.since) {
            let _ = write!(text, " ({since})");
        }
        self.line(depth, &text);
        for remedy in &finding.remedies {
            self.line(depth + 1, &format!("-> {remedy}"));
        }
        for why in finding.because.iter().take(self.most) {
            self.finding(depth + 1, why);
        }
        if let more @ 1.. = finding.because.len().saturating_sub(self.most) {
            self.line(depth + 1, &format!("and {more} more (--all)"));
        }
    }

    fn branch(&mut self, depth: usize, branch: &Branch) {
        let state = if branch.state.is_empty() { String::new() } else { format!(": {}", branch.state) };
        self.line(depth, &format!("{}{state}", branch.object));
        for own in &branch.owned {
            self.branch(depth + 1, own);
        }
    }

    fn change(&mut self, change: &Change) {
        let Change { manager, operation, subresource, time, fields } = change;
        let how = if operation == "Apply" { "applied" } else { "wrote" };
        let part = if subresource.is_empty() { String::new() } else { format!(" through {subresource}") };
        let ago = self.ago(*time).unwrap_or_else(|| "some time ago".to_owned());
        let fields = if self.most == usize::MAX {
            fields.join(", ")
        } else {
            few(folded(fields, SHOWN_FIELDS), SHOWN_FIELDS)
        };
        self.line(1, &format!("{ago}, {manager} {how}{part} {fields}"));
    }

    fn told(&mut self, told: &Told) {
        let ago = self.ago(told.time).unwrap_or_else(|| "some time ago".to_owned());
        let often = if told.count > 1 { format!(", {} times", told.count) } else { String::new() };
        self.line(1, &format!("{ago}{often}, {} by {}: {}", told.reason, told.by, told.message));
    }
}

/// What could not be read: what one may not read in one line, as all of it is for one reason.
fn unread(all: &[String]) -> Vec<String> {
    let (forbidden, other): (Vec<&String>, Vec<&String>) =
        all.iter().partition(|line| line.contains(" is forbidden: "));
    let mut names: Vec<&str> = forbidden.iter().filter_map(|line| line.split(": ").next()).collect();
    names.sort_unstable();
    names.dedup();
    let mut lines: Vec<String> = other.into_iter().cloned().collect();
    if !names.is_empty() {
        lines.push(format!("you may not read {}", names.join(", ")));
    }
    lines
}

fn owner(link: &Link) -> String {
    let what = if link.controller { "" } else { ", which does not control it" };
    let note = if link.note.is_empty() { String::new() } else { format!(" ({})", link.note) };
    format!("{}{what}{note}", link.owner)
}
