//! One run at a time: two in the same place would end each other's clusters.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// Takes a place, as long as what is answered is open, or the process that has it is there. A file beside the place says who that is.
///
/// # Errors
/// When another run has it, or the file cannot be written.
pub fn take(place: &Path) -> Result<File> {
    let path = place.with_extension("lock");
    let named = || path.display().to_string();
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(named)?;
    }
    let mut options = File::options();
    let mut file =
        options.read(true).write(true).create(true).truncate(false).open(&path).with_context(named)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            file.read_to_string(&mut pid).with_context(named)?;
            bail!("another run has {} (pid {})", place.display(), pid.trim());
        }
        Err(TryLockError::Error(error)) => return Err(error).with_context(named),
    }
    file.rewind().and_then(|()| file.set_len(0)).with_context(named)?;
    writeln!(file, "{}", std::process::id()).with_context(named)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_one_runs_until_that_run_is_over() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = directory.path().join("swap/knarr");
        let turn = take(&place).expect("nobody has it");
        let error = take(&place).expect_err("it is taken").to_string();
        let wanted = format!("another run has {} (pid {})", place.display(), std::process::id());
        assert_eq!(error, wanted);
        assert!(take(&directory.path().join("swap/stock")).is_ok(), "other places are free");
        drop(turn);
        assert!(take(&place).is_ok(), "it is free again");
    }
}
