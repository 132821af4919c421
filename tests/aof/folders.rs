//! Folders with an append-only file, as the tests look at them while no server runs there.

use crate::common::{Folder, redis_tool};
use my_redis_server::aof::Manifest;
use std::fs;
use std::path::PathBuf;

fn files(folder: &Folder) -> PathBuf {
    folder.path().join("appendonlydir")
}

fn manifest_path(folder: &Folder) -> PathBuf {
    files(folder).join("appendonly.aof.manifest")
}

/// The manifest, which must be whole.
pub fn manifest(folder: &Folder) -> Manifest {
    let text = fs::read(manifest_path(folder)).expect("a manifest");
    Manifest::parse(&text).expect("a whole manifest")
}

/// The names of all files, in their order.
pub fn names(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(files(folder)).expect("the folder is there");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("a readable entry").file_name())
        .map(|name| name.into_string().expect("an ASCII name"))
        .collect();
    names.sort();
    names
}

/// Has redis-check-aof look at all files of the manifest.
pub fn check_by_redis(folder: &Folder) {
    let checked = redis_tool("redis-check-aof")
        .arg(manifest_path(folder))
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{text}");
    assert!(
        text.contains("All AOF files and manifest are valid"),
        "{text}"
    );
}

/// A folder with the same append-only file.
pub fn copy(folder: &Folder) -> Folder {
    let copy = Folder::new();
    fs::create_dir(files(&copy)).expect("a folder can be made");
    for name in names(folder) {
        let copied = fs::copy(files(folder).join(&name), files(&copy).join(&name));
        copied.expect("the file can be copied");
    }
    copy
}
