//! Where the append-only file lies.

use crate::aof::Folder;
use crate::state::config::Config;
use crate::util::disk::{Disk, RealDisk};
use std::path::{self, Path, PathBuf};
use std::sync::Arc;

/// The folder that the directives name, which need not exist. Its path is absolute: the working directory may change,
/// by CONFIG SET dir.
///
/// # Errors
/// The line for the log.
pub fn folder(config: &Config) -> Result<Folder, String> {
    let path = path::absolute(Path::new(&*config.appenddirname.get()));
    let path = path.map_err(|error| format!("Can't find the working directory: {error}"))?;
    let prefix = config.appendfilename.get();
    Ok(Folder::new(Arc::new(RealDisk), path, &prefix))
}

/// The append-only file that the directives mean, if it is there: a folder, or a file of the form before Redis 7. It is
/// only read.
///
/// # Errors
/// The manifest cannot be read.
pub fn found_folder(config: &Config) -> Result<Option<Folder>, String> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let prefix = config.appendfilename.get();
    let path = PathBuf::from(&*config.appenddirname.get());
    let mut folder = Folder::new(disk.clone(), path, &prefix);
    let has_manifest = folder.read().map_err(|error| error.to_string())?;
    if folder.may_adopt(Path::new(&*prefix), has_manifest) {
        let directory = PathBuf::from(".");
        return Ok(Some(Folder::of_old_form(disk, directory, &prefix)));
    }
    Ok(has_manifest.then_some(folder))
}
