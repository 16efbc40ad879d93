//! Rules in few words, for the message about an escalation.

use std::collections::BTreeMap;

use api_meta::quote;
use api_types::rbac::v1::PolicyRule;

/// The missing actions, those on one resource joined, each rule in upstream's words, sorted, none twice.
pub(super) fn describe(missing: &[PolicyRule]) -> Vec<String> {
    let mut simple: BTreeMap<(&str, &str, Option<&str>), PolicyRule> = BTreeMap::new();
    let mut lines = Vec::new();
    for rule in missing {
        match simple_resource(rule) {
            None => lines.push(line(rule)),
            Some(key) => match simple.get_mut(&key) {
                Some(joined) => joined.verbs.extend(rule.verbs.iter().cloned()),
                None => {
                    simple.insert(key, rule.clone());
                }
            },
        }
    }
    lines.extend(simple.values().map(line));
    lines.sort();
    lines.dedup();
    lines
}

/// Quoted strings between spaces and brackets, as `%q` writes a list.
pub(super) fn quoted_list(list: &[String]) -> String {
    let quoted: Vec<_> = list.iter().map(|text| quote::go(text)).collect();
    format!("[{}]", quoted.join(" "))
}

fn simple_resource(rule: &PolicyRule) -> Option<(&str, &str, Option<&str>)> {
    let ([group], [resource]) = (rule.api_groups.as_slice(), rule.resources.as_slice()) else { return None };
    if rule.resource_names.len() > 1 || !rule.non_resource_urls.is_empty() {
        return None;
    }
    Some((group, resource, rule.resource_names.first().map(String::as_str)))
}

fn line(rule: &PolicyRule) -> String {
    let parts: [(&str, &[String]); 5] = [
        ("APIGroups", &rule.api_groups),
        ("Resources", &rule.resources),
        ("NonResourceURLs", &rule.non_resource_urls),
        ("ResourceNames", &rule.resource_names),
        ("Verbs", &rule.verbs),
    ];
    let parts: Vec<_> = parts
        .into_iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(name, list)| format!("{name}:{}", quoted_list(list)))
        .collect();
    format!("{{{}}}", parts.join(", "))
}
