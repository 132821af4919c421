//! Tests of the folder as a whole: faults of the disk, and power cuts.

mod faults;
mod life;
mod power_cuts;

use super::{Item, Manifest, ReadError, Reader, is_torn};
use std::path::Path;

/// The commands that a folder holds, as the server reads it: `read` gives the content of a file, if it is there.
///
/// # Errors
/// The server would not start.
pub(crate) fn commands<'a>(
    manifest: &str,
    read: impl Fn(&Path) -> Option<&'a [u8]>,
) -> Result<Vec<Vec<Vec<u8>>>, String> {
    let Some(manifest) = read(Path::new(manifest)) else {
        return Ok(Vec::new());
    };
    let manifest = Manifest::parse(manifest).map_err(|error| error.to_string())?;
    let files: Option<Vec<&[u8]>> = manifest.files().map(|file| read(file.path())).collect();
    let files = files.ok_or("a file is missing")?;
    let last = files.iter().rposition(|file| !file.is_empty()).unwrap_or(0);
    let mut commands = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let mut reader = Reader::new(*file, 0);
        loop {
            match reader.next_item() {
                Ok(Some(Item::Command(words))) => commands.push(words),
                Ok(Some(Item::Annotation(_))) => {}
                Ok(None) => break,
                Err(ReadError::Truncated) if index >= last => break,
                Err(ReadError::Format)
                    if index >= last && is_torn(&file[reader.whole_bytes() as usize..]) =>
                {
                    break;
                }
                Err(error) => return Err(format!("{error:?}")),
            }
        }
    }
    Ok(commands)
}
