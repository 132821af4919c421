//! Checks all states of the disk that a power cut may leave during a save.
//!
//! The operations of a save are recorded. A [model](crate::util::test_disk::power_cut) of the disk computes the
//! possible states after the first n of them.
//!
//! Every such state must load as the old dump or the new one, and once the save has said that it is done, as the new
//! one.

use super::saved::{dump, keys, loaded, path, save};
use crate::util::test_disk::power_cut::Model;
use crate::util::test_disk::{Operation, TestDisk};

const DUMP: &str = "dump.my_rdb";
const OLD: (u64, &[u8]) = (2, b"old");
const NEW: (u64, &[u8]) = (3, b"new value");
const PIECE: usize = 20;

/// A fault of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Loss {
    /// The dump is missing, or a part of it is.
    Damaged,
    /// The save had been acknowledged, and the old dump is back.
    Undone,
}

/// All losses that power cuts may cause during these operations, and the number of states. `acknowledged` is the number
/// of operations after which the save was reported to be done.
fn losses(operations: &[Operation], acknowledged: usize) -> (Vec<Loss>, usize) {
    let mut model = Model::with_file(DUMP, dump(OLD.0, OLD.1));
    let mut losses = Vec::new();
    let mut states = 0;
    for done in 0..=operations.len() {
        if done > 0 {
            model.apply(&operations[done - 1], 1);
        }
        for_each_state(&model, |content| {
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

/// Passes every state of the dump that a power cut now may leave to `visit`; None if the dump is missing.
fn for_each_state(model: &Model, mut visit: impl FnMut(Option<&[u8]>)) {
    let mut seen = Vec::new();
    for directory in model.directories() {
        let dump = directory.get(DUMP).copied();
        let pointer = dump.map(std::ptr::from_ref);
        if seen.contains(&pointer) {
            continue;
        }
        seen.push(pointer);
        match dump {
            None => visit(None),
            Some(dump) => dump.for_each_state(&mut |content| visit(Some(content))),
        }
    }
}

/// The operations of `file::replace`, without one of its steps.
fn operations_without(step: &'static str) -> Vec<Operation> {
    let disk = TestDisk::new();
    std::fs::write(path(&disk), dump(OLD.0, OLD.1)).expect("the directory is writable");
    disk.left_out.set(step);
    save(&disk, NEW.0, NEW.1, PIECE).expect("nothing fails");
    disk.take_done()
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
