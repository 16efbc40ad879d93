//! What is wrong with probes and lifecycle hooks.

use api_kind::checks::{non_negative, required, supported};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_record::scalar::IntOrString;
use api_types::core::v1::{
    Container, ExecAction, GRPCAction, HTTPGetAction, LifecycleHandler, Probe, SleepAction, TCPSocketAction,
};

/// The probes and hooks of a container that may have them.
pub fn of_container(errors: &mut ErrorList, path: &Path, container: &Container, grace: Option<i64>) {
    if let Some(lifecycle) = &container.lifecycle {
        let at = path.child("lifecycle");
        for (name, hook) in [("postStart", &lifecycle.post_start), ("preStop", &lifecycle.pre_stop)] {
            if let Some(hook) = hook {
                Handler::of_hook(hook).check(errors, &at.child(name), grace);
            }
        }
    }
    let at = path.child("livenessProbe");
    check(errors, &at, container.liveness_probe.as_deref(), grace, true);
    let at = path.child("readinessProbe");
    check(errors, &at, container.readiness_probe.as_deref(), grace, false);
    if let Some(seconds) = container.readiness_probe.as_ref().and_then(|p| p.termination_grace_period_seconds)
    {
        let why = "must not be set for readinessProbes";
        errors.push(FieldError::invalid(&at.child("terminationGracePeriodSeconds"), seconds, why));
    }
    check(errors, &path.child("startupProbe"), container.startup_probe.as_deref(), grace, true);
}

fn check(errors: &mut ErrorList, path: &Path, probe: Option<&Probe>, grace: Option<i64>, once: bool) {
    let Some(probe) = probe else { return };
    Handler::of_probe(probe).check(errors, path, grace);
    for (name, value) in [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ] {
        non_negative(errors, &path.child(name), value.into());
    }
    if let Some(seconds) = probe.termination_grace_period_seconds.filter(|seconds| *seconds <= 0) {
        let at = path.child("terminationGracePeriodSeconds");
        errors.push(FieldError::invalid(&at, seconds, "must be greater than 0"));
    }
    if once && probe.success_threshold != 1 {
        errors.push(FieldError::invalid(
            &path.child("successThreshold"),
            probe.success_threshold,
            "must be 1",
        ));
    }
}

struct Handler<'a> {
    exec: Option<&'a ExecAction>,
    http_get: Option<&'a HTTPGetAction>,
    tcp_socket: Option<&'a TCPSocketAction>,
    grpc: Option<&'a GRPCAction>,
    sleep: Option<&'a SleepAction>,
}

impl<'a> Handler<'a> {
    fn of_probe(probe: &'a Probe) -> Handler<'a> {
        let handler = &probe.probe_handler;
        Handler {
            exec: handler.exec.as_deref(),
            http_get: handler.http_get.as_deref(),
            tcp_socket: handler.tcp_socket.as_deref(),
            grpc: handler.grpc.as_deref(),
            sleep: None,
        }
    }

    fn of_hook(hook: &'a LifecycleHandler) -> Handler<'a> {
        Handler {
            exec: hook.exec.as_deref(),
            http_get: hook.http_get.as_deref(),
            tcp_socket: hook.tcp_socket.as_deref(),
            grpc: None,
            sleep: hook.sleep.as_deref(),
        }
    }

    fn check(&self, errors: &mut ErrorList, path: &Path, grace: Option<i64>) {
        let mut found = false;
        let mut first = |errors: &mut ErrorList, name: &'static str, given: bool| {
            if given && found {
                let why = "may not specify more than 1 handler type";
                errors.push(FieldError::forbidden(&path.child(name), why));
                return false;
            }
            found |= given;
            given
        };
        if first(errors, "exec", self.exec.is_some()) && self.exec.is_some_and(|exec| exec.command.is_empty())
        {
            errors.push(FieldError::required(&path.child("exec").child("command"), ""));
        }
        if first(errors, "httpGet", self.http_get.is_some())
            && let Some(action) = self.http_get
        {
            http_get(errors, &path.child("httpGet"), action);
        }
        if first(errors, "tcpSocket", self.tcp_socket.is_some())
            && let Some(action) = self.tcp_socket
        {
            port(errors, &path.child("tcpSocket").child("port"), &action.port);
        }
        if first(errors, "grpc", self.grpc.is_some())
            && let Some(action) = self.grpc
        {
            port(errors, &path.child("grpc").child("port"), &IntOrString::Int(action.port));
        }
        if first(errors, "sleep", self.sleep.is_some())
            && let (Some(action), Some(grace)) = (self.sleep, grace)
            && !(0..=grace).contains(&action.seconds)
        {
            let why = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
            errors.push(FieldError::invalid(&path.child("sleep"), action.seconds, why));
        }
        if !found {
            errors.push(FieldError::required(path, "must specify a handler type"));
        }
    }
}

fn http_get(errors: &mut ErrorList, path: &Path, action: &HTTPGetAction) {
    required(errors, &path.child("path"), &action.path);
    port(errors, &path.child("port"), &action.port);
    supported(errors, &path.child("scheme"), &action.scheme, &["HTTP", "HTTPS"]);
    for header in &action.http_headers {
        for message in names::is_http_header_name(&header.name) {
            errors.push(FieldError::invalid(&path.child("httpHeaders"), &header.name, message));
        }
    }
}

/// A port by number or by name.
pub fn port(errors: &mut ErrorList, path: &Path, port: &IntOrString) {
    match port {
        IntOrString::Int(number) => {
            for message in names::is_valid_port_num((*number).into()) {
                errors.push(FieldError::invalid(path, *number, message));
            }
        }
        IntOrString::String(name) => {
            for message in names::is_valid_port_name(name) {
                errors.push(FieldError::invalid(path, name, message));
            }
        }
    }
}
