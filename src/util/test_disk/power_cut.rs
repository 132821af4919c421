//! A model of a disk that computes all states that a power cut may leave after some operations.
//!
//! It allows what POSIX allows and file systems have been seen to do (Pillai et al., "All File Systems Are Not Created
//! Equal", OSDI 2014):
//!
//! - content that was not synced may be present in any part: each block of it has the data, zeroes, or old garbage,
//!   and the file may have any length up to the one it had;
//! - changes of names that were not synced may be present or not, each independently of the others, but each as a
//!   whole;
//! - content and names that were synced stay.

use super::Operation;
use std::collections::BTreeMap;

/// The unit in which content gets lost. Small, so that small files have many.
const BLOCK: usize = 8;

/// The content and names that are durable, and those that are not yet.
#[derive(Clone, Debug, Default)]
pub struct Model {
    files: Vec<ModelFile>,
    /// The durable names.
    names: BTreeMap<String, usize>,
    /// The names as programs see them now.
    seen: BTreeMap<String, usize>,
    /// Changes of names that are not durable.
    changes: Vec<NameChange>,
}

/// A file of the model.
#[derive(Clone, Debug, Default)]
pub struct ModelFile {
    content: Vec<u8>,
    /// The number of bytes of it that are durable.
    synced: usize,
}

#[derive(Clone, Debug)]
struct NameChange {
    removed: Option<String>,
    added: Option<(String, usize)>,
}

impl Model {
    /// A disk with one file. Files that operations create have the numbers from 1.
    pub fn with_file(name: &str, content: Vec<u8>) -> Model {
        let synced = content.len();
        let names = BTreeMap::from([(name.to_string(), 0)]);
        Model {
            files: vec![ModelFile { content, synced }],
            seen: names.clone(),
            names,
            changes: Vec::new(),
        }
    }

    /// Carries out an operation. `before` is the number of files that were there before the first operation.
    pub fn apply(&mut self, operation: &Operation, before: usize) {
        match operation {
            // A file of that name would be emptied. For the model that is equivalent to a new file.
            Operation::Create(name) => {
                self.files.push(ModelFile::default());
                self.change(None, Some((name.clone(), self.files.len() - 1)));
            }
            Operation::Write(file, bytes) => self.files[before + file].content.extend(bytes),
            Operation::Sync(file) => {
                let file = &mut self.files[before + file];
                file.synced = file.content.len();
            }
            Operation::Truncate(file, len) => {
                let file = &mut self.files[before + file];
                file.content.truncate(*len as usize);
                file.synced = file.synced.min(*len as usize);
            }
            Operation::Rename(from, to) => {
                let file = self.seen[from];
                self.change(Some(from.clone()), Some((to.clone(), file)));
            }
            Operation::SyncDirectory => {
                self.names = self.seen.clone();
                self.changes.clear();
            }
            Operation::Remove(name) => self.change(Some(name.clone()), None),
        }
    }

    fn change(&mut self, removed: Option<String>, added: Option<(String, usize)>) {
        let change = NameChange { removed, added };
        change.apply(&mut self.seen);
        self.changes.push(change);
    }

    /// The names that files may have after a power cut now, in all ways.
    pub fn directories(&self) -> Vec<BTreeMap<String, &ModelFile>> {
        let mut all = Vec::new();
        for subset in 0..1_u32 << self.changes.len() {
            let mut names = self.names.clone();
            let kept = |index: &usize| subset >> index & 1 == 1;
            for index in (0..self.changes.len()).filter(kept) {
                self.changes[index].apply(&mut names);
            }
            all.push(names);
        }
        all.sort();
        all.dedup();
        let files = |names: BTreeMap<String, usize>| {
            let file = |(name, number)| (name, &self.files[number]);
            names.into_iter().map(file).collect()
        };
        all.into_iter().map(files).collect()
    }
}

/// Passes the states of a directory to `visit`, if the file system keeps a journal: each file in all its states, while
/// the others are as they were seen, and as they are at least.
pub fn for_each_state(
    directory: &BTreeMap<String, &ModelFile>,
    visit: &mut impl FnMut(&BTreeMap<&str, Vec<u8>>),
) {
    for others in [ModelFile::content, ModelFile::synced_content] {
        let mut files: BTreeMap<&str, Vec<u8>> = directory
            .iter()
            .map(|(name, file)| (name.as_str(), others(file).to_vec()))
            .collect();
        visit(&files);
        for (name, file) in directory {
            let unchanged = files[name.as_str()].clone();
            file.for_each_journaled_state(&mut |content| {
                files.insert(name, content.to_vec());
                visit(&files);
            });
            files.insert(name, unchanged);
        }
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        if let Some(name) = &self.removed {
            names.remove(name);
        }
        if let Some((name, file)) = &self.added {
            names.insert(name.clone(), *file);
        }
    }
}

impl ModelFile {
    /// The content as programs see it before the power cut.
    fn content(&self) -> &[u8] {
        &self.content
    }

    /// What of it is durable.
    fn synced_content(&self) -> &[u8] {
        &self.content[..self.synced]
    }

    /// Passes every content that a power cut now may leave to `visit`, if the file was only appended to and the file
    /// system keeps a journal: it is cut off anywhere, or has zeroes from there on.
    fn for_each_journaled_state(&self, visit: &mut impl FnMut(&[u8])) {
        for len in self.synced..=self.content.len() {
            visit(&self.content[..len]);
            let mut content = self.content.clone();
            content[len..].fill(0);
            visit(&content);
        }
    }

    /// Passes every content that a power cut now may leave to `visit`.
    pub fn for_each_state(&self, visit: &mut impl FnMut(&[u8])) {
        // The file cut at any byte.
        for len in self.synced..=self.content.len() {
            visit(&self.content[..len]);
        }
        let blocks = (self.content.len() - self.synced).div_ceil(BLOCK);
        // Any blocks missing, and the file of any length.
        for (subset, filler) in
            (0..1_u32 << blocks).flat_map(|subset| [(subset, 0), (subset, 0xA5)])
        {
            let mut content = self.content.clone();
            for (index, block) in content[self.synced..].chunks_mut(BLOCK).enumerate() {
                if subset >> index & 1 == 0 {
                    block.fill(filler);
                }
            }
            for kept in 1..=blocks {
                let len = (self.synced + kept * BLOCK).min(content.len());
                visit(&content[..len]);
            }
        }
    }
}
