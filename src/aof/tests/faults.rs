//! Every operation on the disk fails once, in every possible way. What was acknowledged is there all the time, in its
//! order, and the next attempt succeeds.

use super::life::{Life, load_from};
use crate::util::test_disk::{EIO, ENOSPC, Fault, TestDisk};
use std::io;
use std::sync::Arc;

/// Some numbers, a rewrite during which more are added, and one that begins anew. As in the server, nothing is added
/// before one that begins anew has succeeded, and an fsync that has failed makes it begin anew.
fn live(disk: &Arc<TestDisk>) -> (Life, usize) {
    let mut life = Life::new(disk.clone());
    let mut failures = 0;
    type Step = dyn Fn(&mut Life) -> io::Result<()>;
    let steps: [&Step; 7] = [
        &Life::begin_anew,
        &Life::add,
        &Life::add,
        &|life| life.rewrite(2),
        &Life::add,
        &Life::begin_anew,
        &Life::add,
    ];
    for step in steps {
        if let Err(error) = step(&mut life) {
            let code = error.raw_os_error();
            let words = error.to_string();
            assert!(
                code.is_some() || words.contains("No space") || words.contains("Input/output"),
                "{words}"
            );
            failures += 1;
            check(&life);
            if life.is_beginning || disk.failed.get() == "fsync" {
                life.begin_anew().expect("nothing fails any more");
            }
        }
        check(&life);
    }
    (life, failures)
}

/// The folder now holds all numbers that were acknowledged, and none that was not added.
#[track_caller]
fn check(life: &Life) {
    let found = load_from(&life.disk.directory).expect("it can be loaded");
    let expected: Vec<u64> = (1..=found.len() as u64).collect();
    assert_eq!(found, expected);
    let count = found.len() as u64;
    assert!(
        (life.acknowledged..=life.last).contains(&count),
        "{count} of {}, {} acknowledged",
        life.last,
        life.acknowledged
    );
}

#[test]
fn after_any_fault_everything_acknowledged_is_there() {
    let disk = Arc::new(TestDisk::new());
    let (life, failures) = live(&disk);
    assert_eq!((failures, life.last, life.acknowledged), (0, 6, 6));
    let operations = disk.count.get();
    assert!(operations > 50, "{operations}");
    let mut failed = 0;
    for at in 0..operations {
        for fault in [
            Fault::Error(EIO),
            Fault::Error(ENOSPC),
            Fault::ShortWrite(ENOSPC),
            Fault::OnlyShort,
        ] {
            let disk = Arc::new(TestDisk::new());
            disk.fault.set(Some((at, fault)));
            let (mut life, failures) = live(&disk);
            failed += failures;
            assert!(failures <= 1, "operation {at}");
            disk.fault.set(None);
            life.rewrite(1).expect("nothing fails any more");
            life.add().expect("nothing fails any more");
            check(&life);
            assert_eq!(life.acknowledged, life.last);
            // Nothing that was given up is left behind but what the next start removes.
            let temporary = |name: &String| name.starts_with("temp-");
            let names = disk.names();
            assert!(
                names.iter().filter(|name| !temporary(name)).count() <= 5,
                "{names:?}"
            );
        }
    }
    // Else the faults would show nothing: some operations may fail without harm.
    assert!(failed > operations, "{failed}");
}
