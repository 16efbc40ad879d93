//! `knarr image`: the node's images, worked on directly; no server need be running.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use cli::arguments::ImageCommand;
use cli::config::Place;
use node_image::build::BuildConfig;
use node_image::config::ImageConfig;
use node_image::import::ImportOptions;
use node_image::store::{Image, Store, StoreOptions};

use super::output::Out;

/// Where a cluster's images are.
pub fn folder(place: &Place) -> PathBuf {
    place.data_dir.join("agent").join(node_agent::STORE)
}

/// Carries the command out.
pub fn run(place: &Place, command: ImageCommand) -> anyhow::Result<()> {
    let folder = folder(place);
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let store = Store::open(&folder, StoreOptions::default())?;
    match command {
        ImageCommand::Build { from, tag, entrypoint, cmd, env, user, workdir, .. } => {
            let config = ImageConfig {
                entrypoint,
                cmd,
                env,
                user: user.unwrap_or_default(),
                workdir: workdir.unwrap_or_default(),
                ..ImageConfig::default()
            };
            let build = BuildConfig { config, ..BuildConfig::default() };
            let image = store.build(&from, &tag.parse()?, &build)?;
            writeln!(Out, "{} {}", tag, image.id)?;
        }
        ImageCommand::Import { files, .. } => {
            for file in files {
                for image in store.import(&file, &ImportOptions::default())? {
                    writeln!(Out, "{} {}", image.references.join(", "), image.id)?;
                }
            }
        }
        ImageCommand::List { json, .. } => list(&store.list()?, json)?,
        ImageCommand::Remove { names, .. } => {
            for name in names {
                let removed = store.remove(&name)?;
                for reference in removed.references {
                    writeln!(Out, "untagged {reference}")?;
                }
                if let Some(image) = removed.image {
                    writeln!(Out, "removed {image}")?;
                }
            }
        }
        ImageCommand::Export { name, output, .. } => match output {
            Some(path) => {
                // What is not there must not cost a file that is.
                store.inspect(&name)?;
                let mut file =
                    File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
                store.export(&name, &mut file)?;
                file.sync_all()?;
            }
            None => {
                anyhow::ensure!(
                    !io::stdout().is_terminal(),
                    "an archive is nothing for a terminal: name a file with -o, or redirect the output"
                );
                store.export(&name, &mut Out)?;
                Out.flush()?;
            }
        },
    }
    Ok(())
}

fn list(images: &[Image], json: bool) -> anyhow::Result<()> {
    let mut out = Out;
    if json {
        let rows: Vec<serde_json::Value> = images
            .iter()
            .map(|image| {
                serde_json::json!({
                    "id": image.id.to_string(),
                    "references": image.references,
                    "digests": image.digests,
                    "sizeBytes": image.size_bytes,
                    "created": image.created,
                })
            })
            .collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?;
        return Ok(());
    }
    let width = images.iter().flat_map(|image| &image.references).map(String::len).max().unwrap_or(0).max(4);
    writeln!(out, "{:width$}  {:12}  SIZE", "NAME", "ID")?;
    for image in images {
        let id: String = image.id.to_string().trim_start_matches("sha256:").chars().take(12).collect();
        let names =
            if image.references.is_empty() { vec!["<none>".to_owned()] } else { image.references.clone() };
        for name in names {
            writeln!(out, "{name:width$}  {id:12}  {:.1} MB", image.size_bytes as f64 / 1e6)?;
        }
    }
    Ok(())
}
