//! Containers that are processes of a Windows node.

use api_types::core::v1::WindowsSecurityContextOptions;

use super::{Fault, Subject, fault, sayers, those};

pub(super) fn judge(subject: Subject<'_>) -> Option<Fault> {
    let is_host = |options: Option<&WindowsSecurityContextOptions>| {
        options.and_then(|options| options.host_process).unwrap_or(false)
    };
    let of_pod = is_host(subject.security().and_then(|own| own.windows_options.as_deref()));
    let names = those(subject, |container| {
        is_host(container.security.and_then(|own| own.windows_options.as_deref()))
    });
    let who = sayers(of_pod, &names);
    fault(
        "hostProcess",
        who.map(|who| format!("{who} must not set securityContext.windowsOptions.hostProcess=true")),
    )
}
