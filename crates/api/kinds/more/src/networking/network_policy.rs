//! Network policies.

use api_kind::checks::supported;
use api_kind::{Column, Ctx, Kind};
use api_kinds_core::pod::probe;
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::labels::{Selector, SelectorLeniency, validate_label_selector};
use api_meta::names::{self, Cidr};
use api_record::scalar::IntOrString;
use api_types::meta::v1::LabelSelector;
use api_types::networking::v1::{IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort};

/// The row.
pub const KIND: Kind<NetworkPolicy> = Kind::<NetworkPolicy>::of("networking.k8s.io", "v1", "networkpolicies")
    .generation()
    .defaults(defaults)
    .validate(validate)
    .columns(&[
        Column::<NetworkPolicy>::name(),
        Column::<NetworkPolicy>::text(
            "Pod-Selector",
            "podSelector selects the pods to which this NetworkPolicy object applies.",
            |own, _| match Selector::from_api(Some(&own.spec.pod_selector)) {
                Ok(selector) if selector.is_everything() => "<none>".into(),
                Ok(selector) => selector.to_string().into(),
                Err(_) => "<error>".into(),
            },
        ),
        Column::<NetworkPolicy>::age(),
    ]);

fn defaults(_: &Ctx<'_>, own: &mut NetworkPolicy) {
    let spec = &mut own.spec;
    let ports = spec.ingress.iter_mut().flat_map(|rule| &mut rule.ports);
    for port in ports.chain(spec.egress.iter_mut().flat_map(|rule| &mut rule.ports)) {
        port.protocol.get_or_insert_with(|| "TCP".into());
    }
    if spec.policy_types.is_empty() {
        spec.policy_types.push("Ingress".into());
        if !spec.egress.is_empty() {
            spec.policy_types.push("Egress".into());
        }
    }
}

fn validate(_: &Ctx<'_>, own: &NetworkPolicy, _: Option<&NetworkPolicy>, errors: &mut ErrorList) {
    let (path, spec) = (Path::new("spec"), &own.spec);
    selector(errors, &path.child("podSelector"), Some(&spec.pod_selector));
    for (index, rule) in spec.ingress.iter().enumerate() {
        let at = path.child("ingress").index(index);
        ports(errors, &at.child("ports"), &rule.ports);
        peers(errors, &at.child("from"), &rule.from);
    }
    for (index, rule) in spec.egress.iter().enumerate() {
        let at = path.child("egress").index(index);
        ports(errors, &at.child("ports"), &rule.ports);
        peers(errors, &at.child("to"), &rule.to);
    }
    let at = path.child("policyTypes");
    if spec.policy_types.len() > 2 {
        errors.push(FieldError::invalid(
            &at,
            &spec.policy_types,
            "may not specify more than two policyTypes",
        ));
        return;
    }
    for (index, type_) in spec.policy_types.iter().enumerate() {
        supported(errors, &at.index(index), type_, &["Ingress", "Egress"]);
    }
}

fn selector(errors: &mut ErrorList, path: &Path, selector: Option<&LabelSelector>) {
    errors.extend(validate_label_selector(selector, SelectorLeniency::default(), path));
}

fn ports(errors: &mut ErrorList, path: &Path, ports: &[NetworkPolicyPort]) {
    for (index, port) in ports.iter().enumerate() {
        let at = path.index(index);
        if let Some(protocol) = &port.protocol {
            supported(errors, &at.child("protocol"), protocol, &["TCP", "UDP", "SCTP"]);
        }
        if let Some(port) = &port.port {
            probe::port(errors, &at.child("port"), port);
        }
        let Some(end) = port.end_port else { continue };
        let at_end = at.child("endPort");
        match &port.port {
            None => {
                let why = "may not be specified when `port` is not specified";
                errors.push(FieldError::invalid(&at_end, end, why));
            }
            Some(IntOrString::String(_)) => {
                let why = "may not be specified when `port` is non-numeric";
                errors.push(FieldError::invalid(&at_end, end, why));
            }
            Some(IntOrString::Int(first)) => {
                if end < *first {
                    let why = "must be greater than or equal to `port`";
                    errors.push(FieldError::invalid(&at_end, end, why));
                }
                for message in names::is_valid_port_num(end.into()) {
                    errors.push(FieldError::invalid(&at_end, end, message));
                }
            }
        }
    }
}

fn peers(errors: &mut ErrorList, path: &Path, peers: &[NetworkPolicyPeer]) {
    for (index, peer) in peers.iter().enumerate() {
        let at = path.index(index);
        selector(errors, &at.child("podSelector"), peer.pod_selector.as_deref());
        selector(errors, &at.child("namespaceSelector"), peer.namespace_selector.as_deref());
        let selects = peer.pod_selector.is_some() || peer.namespace_selector.is_some();
        if let Some(own) = &peer.ip_block {
            block(errors, &at.child("ipBlock"), own);
            if selects {
                let why = "may not specify both ipBlock and another peer";
                errors.push(FieldError::forbidden(&at, why));
            }
        } else if !selects {
            errors.push(FieldError::required(&at, "must specify a peer"));
        }
    }
}

fn block(errors: &mut ErrorList, path: &Path, block: &IPBlock) {
    if block.cidr.is_empty() {
        return;
    }
    errors.extend(names::is_valid_cidr_for_legacy_field(&path.child("cidr"), &block.cidr, true, &[]));
    let Some(whole) = names::parse_cidr_sloppy(&block.cidr) else { return };
    for (place, except) in block.except.iter().enumerate() {
        let at = path.child("except").index(place);
        errors.extend(names::is_valid_cidr_for_legacy_field(&at, except, true, &[]));
        let Some(part) = names::parse_cidr_sloppy(except) else { continue };
        let same_family = whole.address.is_ipv4() == part.address.is_ipv4();
        let within = Cidr { address: part.address, bits: whole.bits }.network() == whole.network();
        if !same_family || !within || whole.bits >= part.bits {
            errors.push(FieldError::invalid(&at, except, "must be a strict subset of `cidr`"));
        }
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    #[test]
    fn a_policy_is_filled_in_and_checked() {
        let made = create(&KIND, "spec: {podSelector: {}, egress: [{ports: [{port: 53}]}]}");
        assert_eq!(made.errors, [""; 0]);
        assert!(made.body().contains(r#""policyTypes":["Ingress","Egress"]"#));
        assert_eq!(made.cells(&KIND), "x|<none>|<unknown>");
        let bad = create(&KIND, "spec: {podSelector: {}, ingress: [{from: [{}]}]}");
        assert_eq!(bad.errors, ["spec.ingress[0].from[0]: Required value: must specify a peer"]);
    }
}
