//! `knarr kubeconfig`: prints the cluster's kubeconfig, or merges it into the user's. Used by the binary.

use std::io::{self, Write};
use std::path::PathBuf;

use super::file::{self, KubeconfigFileError};
use super::owner::{Owner, users_kubeconfig};
use super::{KubeconfigError, read};
use crate::config::Place;
use crate::surroundings::Surroundings;

/// Why a kubeconfig cannot be shown or merged.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// The cluster has none yet.
    #[error("there is no kubeconfig at {0}: start a cluster first (knarr up)")]
    None(PathBuf),
    /// Its file cannot be used.
    #[error(transparent)]
    File(#[from] KubeconfigFileError),
    /// It is not as Knarr writes it.
    #[error("{path} is not as knarr wrote it; the next start writes it anew")]
    Content {
        /// The cluster's kubeconfig.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: KubeconfigError,
    },
    /// There is no home.
    #[error("which kubeconfig? Neither KUBECONFIG nor HOME is set")]
    NoHome,
    /// The output is closed.
    #[error("cannot print the kubeconfig")]
    Print(#[source] io::Error),
}

/// Prints the kubeconfig, as it was written.
///
/// # Errors
/// When there is none, or it cannot be read or printed.
pub fn print(place: &Place, out: &mut dyn Write) -> Result<(), ShowError> {
    out.write_all(text(place)?.as_bytes()).map_err(ShowError::Print)
}

/// Merges it into the user's kubeconfig, makes it the current context, and says so.
///
/// # Errors
/// When there is none, or the user's cannot be changed.
pub fn merge(place: &Place, around: &dyn Surroundings, out: &mut dyn Write) -> Result<(), ShowError> {
    let path = place.kubeconfig.clone();
    let access =
        read(&text(place)?, &place.context()).map_err(|source| ShowError::Content { path, source })?;
    let target = users_kubeconfig(around).ok_or(ShowError::NoHome)?;
    if file::is_same(&target, &place.kubeconfig) {
        let now = if file::select_in(&target, &access.name)? { "now" } else { "already" };
        return writeln!(
            out,
            "There is nothing to merge: your kubeconfig is the cluster's own, {}; {} is {now} its current context",
            target.display(),
            access.name
        )
        .map_err(ShowError::Print);
    }
    file::merge_into(&target, &access, Owner::of_invoker(around))?;
    writeln!(out, "Added {} to {}; it is the current context", access.name, target.display())
        .map_err(ShowError::Print)
}

fn text(place: &Place) -> Result<String, ShowError> {
    match file::text(&place.kubeconfig) {
        Err(KubeconfigFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Err(ShowError::None(place.kubeconfig.clone()))
        }
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Access, select};
    use super::*;

    /// A user with this KUBECONFIG.
    struct User(PathBuf);

    impl Surroundings for User {
        fn variable(&self, name: &str) -> Option<String> {
            (name == "KUBECONFIG").then(|| self.0.display().to_string())
        }
        fn variables(&self) -> Vec<String> {
            Vec::new()
        }
        fn read(&self, _: &Path) -> io::Result<Option<String>> {
            Ok(None)
        }
        fn list(&self, _: &Path) -> io::Result<Vec<PathBuf>> {
            Ok(Vec::new())
        }
        fn current_dir(&self) -> PathBuf {
            "/".into()
        }
        fn host_name(&self) -> String {
            "box".to_owned()
        }
    }

    fn merged(place: &Place, user: &User) -> String {
        let mut out = Vec::new();
        merge(place, user, &mut out).expect("it can be merged");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_kubeconfig_is_not_merged_into_itself() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(dir.path().to_owned(), None);
        let name = place.context();
        let pem = |text: &str| format!("{text}\n");
        let access = Access {
            name: name.clone(),
            server: "https://127.0.0.1:6443".to_owned(),
            authority_pem: pem("authority"),
            certificate_pem: pem("certificate"),
            key_pem: pem("key"),
        };
        file::write(&place.kubeconfig, &access, 0o600, None).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&place.kubeconfig, &link).unwrap();
        for path in [&place.kubeconfig, &link] {
            let text = merged(&place, &User(path.clone()));
            assert!(text.starts_with("There is nothing to merge"), "{text}");
            assert!(text.ends_with(&format!("{name} is already its current context\n")), "{text}");
        }

        // Somebody added another cluster to it, and chose that.
        let other = Access { name: "other".to_owned(), ..access };
        file::merge_into(&place.kubeconfig, &other, None).unwrap();
        let text = merged(&place, &User(link.clone()));
        assert!(text.ends_with(&format!("{name} is now its current context\n")), "{text}");
        let now = file::text(&place.kubeconfig).unwrap();
        assert_eq!(select(&now, &name).unwrap(), None);
        assert!(now.contains("name: other"), "nothing is lost: {now}");

        let text = merged(&place, &User(dir.path().join("mine")));
        assert!(text.starts_with(&format!("Added {name} to ")), "{text}");
    }
}
