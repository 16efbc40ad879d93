//! Turns Go names into Rust names.

const KEYWORDS: [&str; 12] =
    ["as", "const", "continue", "default", "enum", "for", "in", "match", "ref", "static", "type", "use"];

/// `PodIPs` becomes `pod_ips`, `APIVersion` becomes `api_version`.
pub fn snake(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (i, &c) in chars.iter().enumerate() {
        let upper = c.is_ascii_uppercase();
        let after_lower = i > 0 && !chars[i - 1].is_ascii_uppercase() && chars[i - 1] != '_';
        let ends_acronym = i > 0
            && chars[i - 1].is_ascii_uppercase()
            && chars.get(i + 1).is_some_and(char::is_ascii_lowercase)
            && !plural(&chars, i);
        if upper && (after_lower || ends_acronym) {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    if KEYWORDS.contains(&out.as_str()) { format!("{out}_") } else { out }
}

/// Whether the upper-case letter at `i` ends an acronym in the plural, as the P of `PodIPs` does.
fn plural(chars: &[char], i: usize) -> bool {
    chars.get(i + 1) == Some(&'s') && chars.get(i + 2).is_none_or(char::is_ascii_uppercase)
}

/// `PodSpec` becomes `POD_SPEC`.
pub fn screaming(name: &str) -> String {
    snake(name).trim_end_matches('_').to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acronyms_stay_together() {
        for (go, rust) in [
            ("PodIPs", "pod_ips"),
            ("APIVersion", "api_version"),
            ("ClusterIP", "cluster_ip"),
            ("PodCIDRs", "pod_cidrs"),
            ("Type", "type_"),
            ("FSType", "fs_type"),
            ("TargetWWNs", "target_wwns"),
            ("LastTransitionTime", "last_transition_time"),
            ("XPreserveUnknownFields", "x_preserve_unknown_fields"),
        ] {
            assert_eq!(snake(go), rust);
        }
        assert_eq!(screaming("CSIDriverSpec"), "CSI_DRIVER_SPEC");
    }
}
