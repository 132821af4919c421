//! Files that are replaced as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The permissions of a new file, before the process' `umask`.
const NEW_MODE: u32 = 0o644;

/// Replaces a file in one step, or creates it. When this returns, `content` is on the disk. A file that is replaced
/// keeps its permissions.
///
/// # Errors
/// It cannot be written. Then it holds its old content, unless only the folder could not be written to the disk.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".tmp-{}-{}", std::process::id(), fastrand::u32(..)));
    let temporary = PathBuf::from(temporary);
    let written = write(&temporary, path, content);
    written.inspect_err(|_| {
        // The first error is returned.
        let _ = fs::remove_file(&temporary);
    })
}

fn write(temporary: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    let old = fs::metadata(path).map(|metadata| metadata.permissions());
    let mode = old.as_ref().map_or(NEW_MODE, |old| old.mode());
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    let mut file = options.open(temporary)?;
    if let Ok(old) = old {
        file.set_permissions(old)?;
    }
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(temporary, path)?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    sync_folder(&File::open(folder.unwrap_or(Path::new(".")))?)
}

/// Waits until the names in a folder are on the disk.
pub fn sync_folder(folder: &File) -> io::Result<()> {
    /// Bad file descriptor, invalid argument: the file system does not support this operation; some network file
    /// systems do not. As in Redis, that is no error.
    const UNKNOWN_HERE: [i32; 2] = [9, 22];
    let is_unknown = |error: &io::Error| {
        error
            .raw_os_error()
            .is_some_and(|code| UNKNOWN_HERE.contains(&code))
    };
    match folder.sync_all() {
        Err(error) if is_unknown(&error) => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_replaced_keeps_its_permissions() {
        let name = format!("files_test_{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("users.acl");
        replace(&path, b"one").unwrap();
        for mode in [0o600, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            replace(&path, b"two").unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"two");
            let metadata = fs::metadata(&path).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o777, mode);
        }
        assert!(replace(&folder.join("nothing/users.acl"), b"").is_err());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }
}
