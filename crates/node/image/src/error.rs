//! Everything that can go wrong with an image, worded for the event of a pod, and the reason that kubelet would give.

use std::path::PathBuf;

use crate::digest::Digest;
use crate::reference::ReferenceError;
use crate::tape::TapeError;

/// What an operation of this crate returns.
pub type Result<T> = std::result::Result<T, ImageError>;

/// Why an operation on an image failed. [`ImageError::message`] gives it with all of its causes.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The reference cannot be read.
    #[error("couldn't parse image name {name:?}")]
    InvalidName {
        /// As it was given.
        name: String,
        /// What is wrong with it.
        #[source]
        source: ReferenceError,
    },
    /// The store does not have it.
    #[error("no such image: {0}")]
    NotPresent(String),
    /// A shortened id that fits several images.
    #[error("image id {0} is ambiguous")]
    Ambiguous(String),
    /// The registry does not have it.
    #[error("failed to resolve reference {reference:?}: {reference}: not found")]
    NotFound {
        /// What was asked for.
        reference: String,
    },
    /// The registry does not give it to these credentials.
    #[error(
        "failed to resolve reference {reference:?}: pull access denied, repository does not exist or may require \
         authorization: {message}"
    )]
    Denied {
        /// What was asked for.
        reference: String,
        /// What the registry said.
        message: String,
    },
    /// The registry asks to slow down.
    #[error("failed to pull {reference:?}: 429 Too Many Requests: {message}")]
    TooManyRequests {
        /// What was asked for.
        reference: String,
        /// What the registry said.
        message: String,
    },
    /// The registry cannot be reached, or answers with a server error.
    #[error("RegistryUnavailable: {registry}: {message}")]
    RegistryUnavailable {
        /// Its host.
        registry: String,
        /// What happened.
        message: String,
    },
    /// The registry answered something else than an image.
    #[error("failed to pull {reference:?}: {message}")]
    Registry {
        /// What was asked for.
        reference: String,
        /// What happened.
        message: String,
    },
    /// An index without an image for this machine.
    #[error("no match for platform in manifest: {platform} of {reference}: not found")]
    NoPlatform {
        /// What was asked for.
        reference: String,
        /// What this machine is.
        platform: String,
    },
    /// A manifest, index or configuration that cannot be used.
    #[error("invalid {what}: {message}")]
    Malformed {
        /// Which document.
        what: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// Content that is not what its digest promises.
    #[error("unexpected digest {actual} of {what}, expected {expected}")]
    DigestMismatch {
        /// Which content.
        what: &'static str,
        /// The digest by which it was asked for.
        expected: Digest,
        /// The digest that it has.
        actual: Digest,
    },
    /// Content of another length than its descriptor says.
    #[error("unexpected size {actual} of {digest}, expected {expected}")]
    SizeMismatch {
        /// Which content.
        digest: Digest,
        /// Bytes that its descriptor promises.
        expected: u64,
        /// Bytes that came.
        actual: u64,
    },
    /// A layer that cannot be unpacked.
    #[error("failed to extract layer {layer}")]
    Layer {
        /// The digest of the layer as it travels.
        layer: Digest,
        /// What is wrong with it.
        #[source]
        source: LayerError,
    },
    /// An archive that holds no image, or a damaged one.
    #[error("failed to import {path}: {message}", path = .path.display())]
    Archive {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A layer whose compressed form was not kept cannot be exported.
    #[error("content {0} is not in the store; pull the image again to export it")]
    ContentAbsent(Digest),
    /// A user or group that the image does not know.
    #[error(transparent)]
    User(#[from] crate::user::UserError),
    /// The disk is full, or a quota reached.
    #[error("failed to {doing}: no space left on device")]
    DiskFull {
        /// What was being done.
        doing: String,
    },
    /// The operating system refused.
    #[error("failed to {doing}")]
    Io {
        /// What was being done.
        doing: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The operation was given up while it ran: its caller went away, or the process is stopping.
    #[error("interrupted")]
    Interrupted,
}

/// Why a layer cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// Not a tar archive, or a damaged one.
    #[error("invalid tar: {0}")]
    Tar(#[from] TapeError),
    /// A path that leads out of the layer.
    #[error("path {0:?} escapes the layer")]
    Escape(String),
    /// An entry that cannot be made.
    #[error("entry {path:?}: {message}")]
    Entry {
        /// Its path.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// Larger than a named bound of this crate.
    #[error("exceeds the limit of {limit} {what}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// The bound.
        limit: u64,
    },
    /// A file operation failed.
    #[error("{doing} {path:?}")]
    Io {
        /// The system call, roughly.
        doing: &'static str,
        /// The path within the layer.
        path: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
}

/// The reason that kubelet gives for a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The general one.
    ErrImagePull,
    /// The image is there but cannot be read.
    ImageInspectError,
    /// The reference cannot be parsed.
    InvalidImageName,
    /// The image is not there and must not be pulled.
    ErrImageNeverPull,
    /// The registry cannot be reached.
    RegistryUnavailable,
}

impl Reason {
    /// As it appears in a container's waiting state.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::ErrImagePull => "ErrImagePull",
            Reason::ImageInspectError => "ImageInspectError",
            Reason::InvalidImageName => "InvalidImageName",
            Reason::ErrImageNeverPull => "ErrImageNeverPull",
            Reason::RegistryUnavailable => "RegistryUnavailable",
        }
    }
}

impl ImageError {
    /// Wraps an error of the operating system; a full disk becomes [`ImageError::DiskFull`].
    pub(crate) fn io(doing: impl Into<String>, source: impl Into<std::io::Error>) -> ImageError {
        let (doing, source) = (doing.into(), source.into());
        if is_full(&source) { ImageError::DiskFull { doing } } else { ImageError::Io { doing, source } }
    }

    /// Wraps an error of unpacking a layer; a full disk becomes [`ImageError::DiskFull`].
    pub(crate) fn layer(layer: &Digest, source: LayerError) -> ImageError {
        match &source {
            LayerError::Io { source: cause, .. } | LayerError::Tar(TapeError::Read(cause))
                if is_full(cause) =>
            {
                ImageError::DiskFull { doing: format!("extract layer {layer}") }
            }
            _ => ImageError::Layer { layer: layer.clone(), source },
        }
    }

    /// The reason for a container's waiting state when this came from pulling or finding its image.
    pub fn reason(&self) -> Reason {
        match self {
            ImageError::InvalidName { .. } => Reason::InvalidImageName,
            ImageError::NotPresent(_) => Reason::ErrImageNeverPull,
            ImageError::Ambiguous(_) => Reason::ImageInspectError,
            ImageError::RegistryUnavailable { .. } => Reason::RegistryUnavailable,
            _ => Reason::ErrImagePull,
        }
    }

    /// This error and its causes, on one line.
    pub fn message(&self) -> String {
        base::error::Chain(self).to_string()
    }

    /// The message of the pod's event, as kubelet words it, for `image` as the pod names it.
    pub fn event(&self, image: &str) -> String {
        let message = self.message();
        match self.reason() {
            Reason::InvalidImageName => format!("Failed to apply default image tag {image:?}: {message}"),
            Reason::ErrImageNeverPull => {
                format!("Container image {image:?} is not present with pull policy of Never")
            }
            Reason::ImageInspectError => format!("Failed to inspect image {image:?}: {message}"),
            Reason::ErrImagePull | Reason::RegistryUnavailable => {
                format!("Failed to pull image {image:?}: {message}")
            }
        }
    }

    /// The message of the container's waiting state, as kubelet words it, for `image` as the pod names it.
    pub fn waiting(&self, image: &str) -> String {
        match self {
            ImageError::RegistryUnavailable { registry, message } => {
                format!(
                    "image pull failed for {image} because the registry is unavailable: {registry}: {message}"
                )
            }
            _ if self.reason() == Reason::ErrImagePull => self.message(),
            _ => self.event(image),
        }
    }
}

fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_and_waiting_messages_are_kubelets() {
        let source = "Foo".parse::<crate::reference::Reference>().unwrap_err();
        let invalid = ImageError::InvalidName { name: "Foo".into(), source };
        let away = ImageError::RegistryUnavailable { registry: "r.io".into(), message: "refused".into() };
        let absent = ImageError::NotPresent("a".into());
        let lost = ImageError::NotFound { reference: "docker.io/library/a:1".into() };
        let invalid_message = "Failed to apply default image tag \"Foo\": couldn't parse image name \"Foo\": invalid \
                               reference format: repository name (library/Foo) must be lowercase";
        let lost_message =
            "failed to resolve reference \"docker.io/library/a:1\": docker.io/library/a:1: not found";
        let cases = [
            (&invalid, "Foo", "InvalidImageName", invalid_message.to_owned(), invalid_message.to_owned()),
            (
                &away,
                "r.io/a",
                "RegistryUnavailable",
                "Failed to pull image \"r.io/a\": RegistryUnavailable: r.io: refused".into(),
                "image pull failed for r.io/a because the registry is unavailable: r.io: refused".into(),
            ),
            (
                &absent,
                "a",
                "ErrImageNeverPull",
                "Container image \"a\" is not present with pull policy of Never".into(),
                "Container image \"a\" is not present with pull policy of Never".into(),
            ),
            (
                &lost,
                "a:1",
                "ErrImagePull",
                format!("Failed to pull image \"a:1\": {lost_message}"),
                lost_message.into(),
            ),
        ];
        for (error, image, reason, event, waiting) in cases {
            assert_eq!(error.reason().as_str(), reason);
            assert_eq!(error.event(image), event);
            assert_eq!(error.waiting(image), waiting);
        }
    }
}
