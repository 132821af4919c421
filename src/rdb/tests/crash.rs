//! Checks all states of the disk that a power cut may leave during a save.
//!
//! The operations of a save are recorded. A model of the disk computes the possible states after the first n of them.
//! It allows what POSIX allows and file systems have been seen to do (Pillai et al., "All File Systems Are Not Created
//! Equal", OSDI 2014):
//!
//! - content that was not synced may be present in any part: each block of it has the data, zeroes, or old garbage,
//!   and the file may have any length up to the one it had;
//! - changes of names that were not synced may be present or not, each independently of the others, but each as a
//!   whole;
//! - content and names that were synced stay.
//!
//! Every such state must load as the old dump or the new one, and once the save has said that it is done, as the new
//! one.

use std::collections::BTreeMap;

use super::test_disk::{Operation, TestDisk, dump, keys, loaded};

const DUMP: &str = "dump.my_rdb";
const OLD: (u64, &[u8]) = (2, b"old");
const NEW: (u64, &[u8]) = (3, b"new value");
/// The unit in which content gets lost. Small, so that the dump of this test has many.
const BLOCK: usize = 8;
const PIECE: usize = 20;

/// A fault of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Loss {
    /// The dump is missing, or a part of it is.
    Damaged,
    /// The save had been acknowledged, and the old dump is back.
    Undone,
}

/// The model of a disk: the content and names that are durable, and those that are not yet.
#[derive(Clone, Default)]
struct Model {
    files: Vec<ModelFile>,
    /// The durable names.
    names: BTreeMap<String, usize>,
    /// The names as programs see them now.
    seen: BTreeMap<String, usize>,
    /// Changes of names that are not durable.
    changes: Vec<NameChange>,
}

#[derive(Clone, Default)]
struct ModelFile {
    content: Vec<u8>,
    /// The number of bytes of it that are durable.
    synced: usize,
}

#[derive(Clone)]
struct NameChange {
    removed: Option<String>,
    added: Option<(String, usize)>,
}

impl Model {
    fn with_old_dump() -> Model {
        let content = dump(OLD.0, OLD.1);
        let synced = content.len();
        let names = BTreeMap::from([(DUMP.to_string(), 0)]);
        Model {
            files: vec![ModelFile { content, synced }],
            seen: names.clone(),
            names,
            changes: Vec::new(),
        }
    }

    fn apply(&mut self, operation: &Operation) {
        match operation {
            // A file of that name would be emptied. For the model that is equivalent to a new file.
            Operation::Create(name) => {
                self.files.push(ModelFile::default());
                self.change(None, Some((name.clone(), self.files.len() - 1)));
            }
            Operation::Write(bytes) => self.last_file().content.extend_from_slice(bytes),
            Operation::Sync => {
                let file = self.last_file();
                file.synced = file.content.len();
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

    fn last_file(&mut self) -> &mut ModelFile {
        self.files.last_mut().expect("a file was created")
    }

    fn change(&mut self, removed: Option<String>, added: Option<(String, usize)>) {
        let change = NameChange { removed, added };
        change.apply(&mut self.seen);
        self.changes.push(change);
    }

    /// The files that may have the name of the dump after a power cut now, and whether the name may be missing.
    fn dumps(&self) -> Vec<Option<usize>> {
        let mut dumps = Vec::new();
        for subset in 0..1_u32 << self.changes.len() {
            let mut names = self.names.clone();
            let kept = |index: &usize| subset >> index & 1 == 1;
            for index in (0..self.changes.len()).filter(kept) {
                self.changes[index].apply(&mut names);
            }
            dumps.push(names.get(DUMP).copied());
        }
        dumps.sort();
        dumps.dedup();
        dumps
    }

    /// Passes every state of the dump that a power cut now may leave to `visit`; None if the dump is missing.
    fn for_each_state(&self, mut visit: impl FnMut(Option<&[u8]>)) {
        for file in self.dumps() {
            match file {
                None => visit(None),
                Some(index) => {
                    self.files[index].for_each_state(&mut |content| visit(Some(content)))
                }
            }
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
    fn for_each_state(&self, visit: &mut impl FnMut(&[u8])) {
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

/// All losses that power cuts may cause during these operations, and the number of states. `acknowledged` is the number
/// of operations after which the save was reported to be done.
fn losses(operations: &[Operation], acknowledged: usize) -> (Vec<Loss>, usize) {
    let mut model = Model::with_old_dump();
    let mut losses = Vec::new();
    let mut states = 0;
    for done in 0..=operations.len() {
        if done > 0 {
            model.apply(&operations[done - 1]);
        }
        model.for_each_state(|content| {
            states += 1;
            let held = content.and_then(loaded);
            let is = |expected| held.as_ref() == Some(&keys(expected));
            if !is(OLD) && !is(NEW) {
                losses.push(Loss::Damaged);
            } else if done >= acknowledged && !is(NEW) {
                losses.push(Loss::Undone);
            }
        });
        losses.sort();
        losses.dedup();
    }
    (losses, states)
}

/// The operations of `file::replace`, without one of its steps.
fn operations_without(step: &'static str) -> Vec<Operation> {
    let disk = TestDisk::new();
    std::fs::write(disk.dump(), dump(OLD.0, OLD.1)).expect("the directory is writable");
    disk.left_out.set(step);
    disk.save(NEW.0, NEW.1, PIECE).expect("nothing fails");
    std::mem::take(&mut *disk.done.lock().expect("no test panicked"))
}

#[test]
fn a_power_cut_leaves_the_old_dump_or_the_new_one() {
    let operations = operations_without("nothing");
    // 3 keys of 1 + 2 + 10 bytes and a frame of 18: 57 bytes, in 3 writes.
    assert_eq!(operations.len(), 1 + 3 + 1 + 1 + 1);
    let (losses, states) = losses(&operations, operations.len());
    assert_eq!(losses, []);
    // The old dump before the rename, both after it, the new one at the end.
    assert_eq!(states, 6 + 2 + 1);
}

#[test]
fn without_fsync_a_power_cut_can_destroy_the_dump() {
    let operations = operations_without("fsync");
    assert_eq!(operations.len(), 6);
    assert_eq!(losses(&operations, 6).0, [Loss::Damaged]);
}

#[test]
fn without_fsync_of_the_directory_a_power_cut_can_undo_a_save() {
    let operations = operations_without("fsync directory");
    assert_eq!(operations.len(), 6);
    assert_eq!(losses(&operations, 6).0, [Loss::Undone]);
}

#[test]
fn other_wrong_orders_are_found_too() {
    let right = operations_without("nothing");
    // The rename first, then the fsync of the content.
    let mut late = right.clone();
    late.swap(4, 5);
    assert_eq!(losses(&late, late.len()).0, [Loss::Damaged]);
    // The acknowledgement before the directory is synced.
    assert_eq!(losses(&right, right.len() - 1).0, [Loss::Undone]);
    // The dump written in place.
    let in_place: Vec<Operation> = right[..5]
        .iter()
        .map(|operation| match operation {
            Operation::Create(_) => Operation::Create(DUMP.to_string()),
            other => other.clone(),
        })
        .chain([Operation::SyncDirectory])
        .collect();
    assert_eq!(losses(&in_place, in_place.len()).0, [Loss::Damaged]);
    // The old dump removed before the new one takes its name.
    let mut removed = right.clone();
    removed.insert(5, Operation::Remove(DUMP.to_string()));
    assert_eq!(losses(&removed, removed.len()).0, [Loss::Damaged]);
}
