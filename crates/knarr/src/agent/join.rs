//! The cluster's authority: learned once from what the server presents, if the token vouches for it, and kept.

use anyhow::Context as _;
use cli::arguments::value::ServerUrl;
use cli::config::Place;
use server_authn::bootstrap::join::{JoinToken, authority_file};
use server_authn::pki::directory::{Directory, Files as _};

/// The file that keeps the authority's certificate.
const FILE: &str = "server-ca.crt";

/// The authority's certificate, PEM.
pub async fn authority(
    place: &Place,
    server: &ServerUrl,
    files: &Directory,
    token: &JoinToken,
) -> anyhow::Result<String> {
    if let Some(kept) = files.read(FILE).context("reading the authority of the cluster")? {
        let kept = String::from_utf8(kept).context("the kept authority is no text")?;
        token.check(kept.as_bytes()).with_context(|| {
            format!(
                "this node belongs to another cluster already: give it another --data-dir than {}, or run `knarr down --purge{}` first",
                place.data_dir.display(),
                place.flag()
            )
        })?;
        return Ok(kept);
    }
    let (host, port) = (&server.host, server.port);
    let presented = client_remote::presented(host, port)
        .await
        .with_context(|| format!("{host}:{port} cannot be reached: is the server running there?"))?;
    let last = presented.last().context("the server presents no certificate")?;
    let text = authority_file(last);
    token.check(text.as_bytes())?;
    if !token.names_cluster() {
        tracing::warn!("the token does not say which cluster it is for: whoever answered is trusted");
    }
    files.replace(FILE, text.as_bytes(), false).context("keeping the authority of the cluster")?;
    Ok(text)
}
