//! The token that nodes join with: given, or made once and kept beside the server's state.

use std::path::Path;

use anyhow::Context as _;
use base::random::Random;
use server_authn::bootstrap::BootstrapToken;
use server_authn::bootstrap::join::JoinToken;
use server_authn::pki::directory::{Directory, Files as _};

/// The file, as K3s names it.
const FILE: &str = "token";

/// The token that is given, or kept, or made now; the file says it in the form that nodes take.
pub fn token(
    server_dir: &Path,
    given: Option<&str>,
    authority_pem: &str,
    random: &dyn Random,
) -> anyhow::Result<BootstrapToken> {
    let files = Directory::new(server_dir);
    let path = server_dir.join(FILE);
    let kept = files.read(FILE).with_context(|| format!("reading {}", path.display()))?;
    let kept = kept.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let wanted = match (given, &kept) {
        (Some(given), _) => {
            let token = JoinToken::parse(given).context("--token")?;
            token.check(authority_pem.as_bytes()).context("--token")?;
            token.token().clone()
        }
        (None, Some(kept)) => JoinToken::parse(kept)
            .with_context(|| format!("{}: delete it, and a new one is made", path.display()))?
            .token()
            .clone(),
        (None, None) => BootstrapToken::generate(random),
    };
    let text = format!("{}\n", JoinToken::new(authority_pem.as_bytes(), wanted.clone()));
    if kept.as_deref() != Some(&text) {
        files.replace(FILE, text.as_bytes(), true).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use base::random::SystemRandom;

    use super::*;

    const AUTHORITY: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    #[test]
    fn a_token_is_made_once_and_given_ones_take_its_place() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let token = |given| token(dir.path(), given, AUTHORITY, &SystemRandom);
        let made = token(None).expect("it is made");
        assert_eq!(token(None).expect("it is kept"), made);
        let given = "abcdef.0123456789abcdef";
        assert_eq!(token(Some(given)).expect("it is taken").to_string(), given);
        assert_eq!(token(None).expect("it is kept").to_string(), given);
        let text = std::fs::read_to_string(dir.path().join(FILE)).expect("the file");
        assert!(text.starts_with("K10") && text.ends_with("::abcdef.0123456789abcdef\n"), "{text}");
        assert_eq!(token(Some(text.trim())).expect("it is taken").to_string(), given);
    }

    #[test]
    fn a_token_that_is_none_is_refused_with_its_form() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let error = token(dir.path(), Some("secret"), AUTHORITY, &SystemRandom).expect_err("it is none");
        assert_eq!(
            format!("{error:#}"),
            "--token: a join token has the form K10<digest of the authority>::<id>.<secret>"
        );
    }
}
