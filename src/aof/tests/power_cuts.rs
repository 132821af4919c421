//! Every state of the disk that a power cut may leave at any point, under `appendfsync always`, can be loaded, and
//! holds everything that was acknowledged before, in its order.
//!
//! The operations are recorded with what was acknowledged after each, and a [model](power_cut) computes the states. Of
//! the content it assumes less than for the dump, which has a checksum: a block that was lost is not followed by one
//! that was not, as with any file system that keeps a journal.

use super::life::{Life, load};
use crate::util::test_disk::power_cut::{Model, for_each_state};
use crate::util::test_disk::{Operation, TestDisk};
use std::path::Path;
use std::sync::Arc;

type Step = dyn Fn(&mut Life) -> std::io::Result<()>;

/// The operations of a life, each with the last number that was acknowledged when it was done.
fn record(left_out: &'static str, steps: &[&Step]) -> Vec<(Operation, u64)> {
    let disk = Arc::new(TestDisk::new());
    disk.left_out.set(left_out);
    let mut life = Life::new(disk.clone());
    let mut recorded = Vec::new();
    for step in steps {
        let before = life.acknowledged;
        step(&mut life).expect("nothing fails");
        let done = disk.take_done();
        // What a step acknowledges, it acknowledges at its end.
        recorded.extend(done.into_iter().map(|operation| (operation, before)));
        if let Some((_, acknowledged)) = recorded.last_mut() {
            *acknowledged = life.acknowledged;
        }
    }
    recorded
}

/// What is wrong with the states after some operation, each kind once; and the number of states.
fn faults(recorded: &[(Operation, u64)]) -> (Vec<String>, usize) {
    let mut model = Model::default();
    let mut faults = Vec::new();
    let mut states = 0;
    let mut acknowledged = 0;
    for (operation, then_acknowledged) in recorded {
        model.apply(operation, 0);
        acknowledged = *then_acknowledged.max(&acknowledged);
        for directory in model.directories() {
            for_each_state(&directory, &mut |files| {
                states += 1;
                let read = |path: &Path| {
                    let name = path.to_str().expect("an ASCII name");
                    files.get(name).map(|content| &content[..])
                };
                let fault = match load(read) {
                    Err(reason) => reason,
                    Ok(found) if !found.iter().copied().eq(1..=found.len() as u64) => {
                        "another order".to_string()
                    }
                    Ok(found) if (found.len() as u64) < acknowledged => {
                        "an acknowledged number is lost".to_string()
                    }
                    Ok(_) => return,
                };
                if !faults.contains(&fault) {
                    faults.push(fault);
                }
            });
        }
    }
    (faults, states)
}

#[test]
fn nothing_acknowledged_is_lost() {
    let recorded = record(
        "nothing",
        &[
            &Life::begin_anew,
            &Life::add,
            &Life::add,
            &|life| life.rewrite(0),
            &Life::add,
            &Life::begin_anew,
            &Life::add,
        ],
    );
    let (faults, states) = faults(&recorded);
    assert!(faults.is_empty(), "{faults:?}");
    assert!(states > 1000, "{states}");
}

/// The test would see it.
#[test]
fn without_fsync_it_would_be() {
    for left_out in ["fsync", "fsync directory"] {
        // Few steps: without an fsync of the directory, the states are very many.
        let (faults, _) = faults(&record(left_out, &[&Life::begin_anew, &Life::add]));
        assert!(!faults.is_empty(), "{left_out}");
    }
}
