//! What names, keys and values may look like.
//!
//! Each `check` returns upstream's messages, none if the text is fine; whoever calls wraps them into field errors with
//! [`crate::field::ErrorList::invalid`]. Upstream has two generations of some checks that differ in one word (`characters`
//! in `pkg/util/validation`, `bytes` in `pkg/api/validate/content`); those of the second are in [`content`].

pub mod content;
mod dns;
mod generate;
mod ip;
#[cfg(test)]
mod tests;
mod values;

pub use content::{is_label_key, is_label_value, is_path_segment_name, is_path_segment_prefix};
pub use dns::{
    is_dns1035_label, is_dns1123_label, is_dns1123_subdomain, is_dns1123_subdomain_with_underscore,
    is_domain_prefixed_key, is_domain_prefixed_path, is_fully_qualified_domain_name, is_fully_qualified_name,
    is_wildcard_dns1123_subdomain,
};
pub use generate::{SUFFIX_ALPHABET, generate_name, safe_encode};
pub use ip::{
    Cidr, cidr_warnings, ip_warnings, is_interface_address, is_valid_cidr, is_valid_cidr_for_legacy_field,
    is_valid_ip, is_valid_ip_for_legacy_field, parse_cidr_sloppy, parse_ip_sloppy,
};
pub use values::{
    is_c_identifier, is_config_map_key, is_env_var_name, is_http_header_name, is_in_range,
    is_relaxed_env_var_name, is_valid_group_id, is_valid_percent, is_valid_port_name, is_valid_port_num,
    is_valid_user_id,
};

/// How a kind's names are checked: the name, and whether more will be appended to it (`generateName`).
pub type NameCheck = fn(name: &str, prefix: bool) -> Vec<String>;

/// Names that are DNS subdomains (most kinds, service accounts too).
pub fn name_is_dns_subdomain(name: &str, prefix: bool) -> Vec<String> {
    is_dns1123_subdomain(&masked(name, prefix))
}

/// Names that are DNS labels (namespaces).
pub fn name_is_dns_label(name: &str, prefix: bool) -> Vec<String> {
    is_dns1123_label(&masked(name, prefix))
}

/// Names that are DNS labels starting with a letter (services).
pub fn name_is_dns1035_label(name: &str, prefix: bool) -> Vec<String> {
    is_dns1035_label(&masked(name, prefix))
}

/// Names that only have to fit into a path (roles and their bindings).
pub fn name_is_path_segment(name: &str, prefix: bool) -> Vec<String> {
    if prefix { is_path_segment_prefix(name) } else { is_path_segment_name(name) }
}

/// A prefix may end in a dash, which upstream hides by putting an `a` in the place of the last two bytes.
fn masked(name: &str, prefix: bool) -> String {
    let kept = name.strip_suffix('-').filter(|rest| prefix && rest.ends_with(|last: char| last.is_ascii()));
    kept.map_or_else(|| name.to_owned(), |rest| format!("{}a", &rest[..rest.len() - 1]))
}

/// `must be no more than … characters`.
pub fn max_len_error(length: usize) -> String {
    format!("must be no more than {length} characters")
}

/// `must be between … and …, inclusive`.
pub fn inclusive_range_error(low: i64, high: i64) -> String {
    format!("must be between {low} and {high}, inclusive")
}

/// The message of a text that does not match a regular expression.
pub fn regex_error(message: &str, regex: &str, examples: &[&str]) -> String {
    if examples.is_empty() {
        return format!("{message} (regex used for validation is '{regex}')");
    }
    let examples: Vec<String> = examples.iter().map(|example| format!("'{example}', ")).collect();
    format!("{message} (e.g. {}regex used for validation is '{regex}')", examples.join(" or "))
}
