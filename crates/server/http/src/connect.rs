//! What admission says of a stream before it is opened: upstream's `ConnectResource`, with the options as the object.

use api_meta::Status;
use api_record::Record;
use api_types::core::v1::{
    NodeProxyOptions, PodAttachOptions, PodExecOptions, PodPortForwardOptions, PodProxyOptions,
    ServiceProxyOptions,
};
use client::Target;
use server_registry::admit::{Attributes, Notes, Operation, Options};

use crate::handler::Handler;
use crate::options::Query;
use crate::resource::Asked;

/// Lets a stream be opened, or not. `path` is that of a proxy's other end.
pub(crate) async fn admit(handler: &Handler, asked: &Asked<'_>, path: &str) -> Result<(), Status> {
    let Asked { caller, target, query, .. } = asked;
    let Some(mut options) = options(target, query, path) else { return Ok(()) };
    let attributes = Attributes {
        caller,
        operation: Operation::Connect,
        resource: target.resource.clone(),
        subresource: &target.subresource,
        namespace: &target.namespace,
        name: &target.name,
        dry_run: false,
        options: Options::None,
        notes: Notes::default(),
    };
    handler.local.direct().registry().admit(&attributes, &mut *options, None).await
}

/// What is asked of the stream; `None` for parts of objects that are no streams.
fn options(target: &Target, query: &Query, path: &str) -> Option<Box<dyn Record>> {
    let flag = |key| query.flag(key);
    let path = path.to_owned();
    Some(match (&*target.resource.plural, target.subresource.as_str()) {
        ("pods", "exec") => Box::new(PodExecOptions {
            stdin: flag("stdin"),
            stdout: flag("stdout"),
            stderr: flag("stderr"),
            tty: flag("tty"),
            container: query.get("container").to_owned(),
            command: query.all("command").map(str::to_owned).collect(),
        }),
        ("pods", "attach") => Box::new(PodAttachOptions {
            stdin: flag("stdin"),
            stdout: flag("stdout"),
            stderr: flag("stderr"),
            tty: flag("tty"),
            container: query.get("container").to_owned(),
        }),
        ("pods", "portforward") => Box::new(PodPortForwardOptions {
            ports: query.all("ports").filter_map(|port| port.parse().ok()).collect(),
        }),
        ("pods", "proxy") => Box::new(PodProxyOptions { path }),
        ("services", "proxy") => Box::new(ServiceProxyOptions { path }),
        ("nodes", "proxy") => Box::new(NodeProxyOptions { path }),
        _ => return None,
    })
}
