//! A container's confinement from its own security context and its pod's.

use api_types::core::v1::{Container, Pod, PodSecurityContext, SeccompProfile, SecurityContext};
use node_runtime::spec::{DEFAULT_CAPABILITIES, DEFAULT_MASKED_PATHS, DEFAULT_READONLY_PATHS, User};

/// How a container is confined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confinement {
    /// Whether it has all devices and powers.
    pub privileged: bool,
    /// Its capabilities.
    pub capabilities: Vec<String>,
    /// Whether it can never gain privileges.
    pub no_new_privileges: bool,
    /// Whether its root is read-only.
    pub read_only_rootfs: bool,
    /// Who runs it.
    pub user: User,
    /// Paths hidden from it.
    pub masked_paths: Vec<String>,
    /// Paths read-only for it.
    pub readonly_paths: Vec<String>,
    /// Which system calls it may make.
    pub seccomp: Profile,
    /// Which AppArmor profile confines it, if one was asked for.
    pub apparmor: Option<String>,
}

/// Which system calls a container may make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Profile {
    /// All.
    Unconfined,
    /// Those of the runtime's default profile.
    RuntimeDefault,
    /// Those of a profile in the node's directory of profiles, by its path there.
    Localhost(String),
}

/// Why a container must not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecurityError {
    /// It would run as root.
    #[error("container has runAsNonRoot and image will run as root (pod: {pod:?}, container: {container})")]
    ImageIsRoot {
        /// The pod, as messages name it.
        pod: String,
        /// The container.
        container: String,
    },
    /// Its own settings say root.
    #[error("container's runAsUser breaks non-root policy (pod: {pod:?}, container: {container})")]
    UserIsRoot {
        /// The pod, as messages name it.
        pod: String,
        /// The container.
        container: String,
    },
    /// Nobody can tell whether it would.
    #[error(
        "container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is non-root (pod: {pod:?}, container: {container})"
    )]
    UserIsName {
        /// The image's user.
        user: String,
        /// The pod, as messages name it.
        pod: String,
        /// The container.
        container: String,
    },
    /// A profile without a name.
    #[error("localhostProfile must be set if seccompProfile type is Localhost.")]
    NoProfile,
    /// An id that the kernel does not have.
    #[error("id {0} is out of range")]
    Id(i64),
}

fn small(id: Option<i64>) -> Result<Option<u32>, SecurityError> {
    id.map(|id| u32::try_from(id).map_err(|_| SecurityError::Id(id))).transpose()
}

/// How a container of an image that runs as `image_user` is confined.
///
/// # Errors
/// When `runAsNonRoot` or a profile keeps it from starting.
pub fn confinement(pod: &Pod, container: &Container, image_user: &str) -> Result<Confinement, SecurityError> {
    let (no_pod, none) = (PodSecurityContext::default(), SecurityContext::default());
    let shared = pod.spec.security_context.as_deref().unwrap_or(&no_pod);
    let own = container.security_context.as_deref().unwrap_or(&none);
    let privileged = own.privileged == Some(true);
    let user = User {
        image: image_user.to_owned(),
        uid: small(own.run_as_user.or(shared.run_as_user))?,
        gid: small(own.run_as_group.or(shared.run_as_group))?,
        supplemental_groups: shared
            .fs_group
            .iter()
            .chain(&shared.supplemental_groups)
            .map(|id| u32::try_from(*id).map_err(|_| SecurityError::Id(*id)))
            .collect::<Result<_, _>>()?,
        strict_groups: shared.supplemental_groups_policy.as_deref() == Some("Strict"),
    };
    if own.run_as_non_root.or(shared.run_as_non_root) == Some(true) {
        not_root(pod, container, &user)?;
    }
    let unmasked = privileged || own.proc_mount.as_deref() == Some("Unmasked");
    let paths = |paths: &[&str]| match unmasked {
        true => Vec::new(),
        false => paths.iter().map(|path| (*path).to_owned()).collect(),
    };
    let seccomp = own.seccomp_profile.as_deref().or(shared.seccomp_profile.as_deref());
    let apparmor = own.app_armor_profile.as_deref().or(shared.app_armor_profile.as_deref());
    Ok(Confinement {
        privileged,
        capabilities: capabilities(own, privileged),
        no_new_privileges: own.allow_privilege_escalation == Some(false),
        read_only_rootfs: own.read_only_root_filesystem == Some(true),
        user,
        masked_paths: paths(DEFAULT_MASKED_PATHS),
        readonly_paths: paths(DEFAULT_READONLY_PATHS),
        seccomp: if privileged { Profile::Unconfined } else { profile(seccomp)? },
        apparmor: apparmor
            .filter(|profile| profile.type_ == "Localhost")
            .and_then(|profile| profile.localhost_profile.clone()),
    })
}

fn profile(profile: Option<&SeccompProfile>) -> Result<Profile, SecurityError> {
    // Kubelet without seccompDefault runs containers that ask for nothing unconfined.
    let Some(profile) = profile else { return Ok(Profile::Unconfined) };
    Ok(match profile.type_.as_str() {
        "RuntimeDefault" => Profile::RuntimeDefault,
        "Localhost" => Profile::Localhost(profile.localhost_profile.clone().ok_or(SecurityError::NoProfile)?),
        _ => Profile::Unconfined,
    })
}

fn not_root(pod: &Pod, container: &Container, user: &User) -> Result<(), SecurityError> {
    let (pod, container) = (crate::container::pod_text(pod), container.name.clone());
    match user.uid {
        Some(0) => return Err(SecurityError::UserIsRoot { pod, container }),
        Some(_) => return Ok(()),
        None => {}
    }
    let image = user.image.split(':').next().unwrap_or_default();
    match image.parse::<i64>() {
        _ if image.is_empty() => Err(SecurityError::ImageIsRoot { pod, container }),
        Ok(0) => Err(SecurityError::ImageIsRoot { pod, container }),
        Ok(_) => Ok(()),
        Err(_) => Err(SecurityError::UserIsName { user: image.to_owned(), pod, container }),
    }
}

/// Every capability of Linux up to 6.x, which a privileged container and `ALL` mean.
const ALL: &[&str] = &[
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

fn capabilities(own: &SecurityContext, privileged: bool) -> Vec<String> {
    let full = |name: &str| {
        let name = name.to_ascii_uppercase();
        if name.starts_with("CAP_") { name } else { format!("CAP_{name}") }
    };
    let all = || ALL.iter().map(|name| full(name)).collect::<Vec<_>>();
    if privileged {
        return all();
    }
    let mut set: Vec<String> = DEFAULT_CAPABILITIES.iter().map(|name| (*name).to_owned()).collect();
    let Some(wanted) = &own.capabilities else { return set };
    let has_all = |list: &[String]| list.iter().any(|name| name.eq_ignore_ascii_case("ALL"));
    if has_all(&wanted.add) {
        set = all();
    }
    if has_all(&wanted.drop) {
        set.clear();
    }
    for name in wanted.add.iter().filter(|name| !name.eq_ignore_ascii_case("ALL")).map(|name| full(name)) {
        if !set.contains(&name) {
            set.push(name);
        }
    }
    let dropped: Vec<String> = wanted.drop.iter().map(|name| full(name)).collect();
    set.retain(|name| !dropped.contains(name));
    set
}

#[cfg(test)]
mod tests {
    use api_types::core::v1::Capabilities;

    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn capabilities_are_added_and_dropped() {
        let cases: &[(&[&str], &[&str], &[&str])] = &[
            (&[], &["ALL"], &[]),
            (&["NET_BIND_SERVICE"], &["ALL"], &["CAP_NET_BIND_SERVICE"]),
            (&["cap_net_admin"], &["all"], &["CAP_NET_ADMIN"]),
            (&["ALL"], &["ALL"], &[]),
        ];
        for (add, drop, want) in cases {
            let own = SecurityContext {
                capabilities: Some(Box::new(Capabilities { add: names(add), drop: names(drop) })),
                ..SecurityContext::default()
            };
            assert_eq!(capabilities(&own, false), names(want), "{add:?} {drop:?}");
        }
        assert_eq!(capabilities(&SecurityContext::default(), false).len(), DEFAULT_CAPABILITIES.len());
        assert_eq!(capabilities(&SecurityContext::default(), true).len(), 41);
    }

    #[test]
    fn root_is_kept_out_where_it_must_be() {
        let mut pod = Pod::default();
        let cases = [
            (None, "", false),
            (None, "0", false),
            (None, "app", false),
            (None, "5:6", true),
            (Some(0), "5", false),
            (Some(7), "", true),
        ];
        for (uid, image, fine) in cases {
            pod.spec.security_context = Some(Box::new(PodSecurityContext {
                run_as_non_root: Some(true),
                run_as_user: uid,
                ..PodSecurityContext::default()
            }));
            assert_eq!(confinement(&pod, &Container::default(), image).is_ok(), fine, "{uid:?} {image:?}");
        }
    }
}
