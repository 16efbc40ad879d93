//! Counting the objects of a resource: `count/deployments.apps`, and the older names of four core resources.

/// The resource by which a quota counts the objects of a resource.
pub fn count_name(group: &str, plural: &str) -> String {
    if group.is_empty() { format!("count/{plural}") } else { format!("count/{plural}.{group}") }
}

/// The name that quotas had for it before there were counts of everything.
pub(crate) fn alias<'a>(group: &str, plural: &'a str) -> Option<&'a str> {
    let old = matches!(plural, "configmaps" | "resourcequotas" | "replicationcontrollers" | "secrets");
    (group.is_empty() && old).then_some(plural)
}
