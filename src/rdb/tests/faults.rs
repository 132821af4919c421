//! Every operation of a save fails once, in every possible way: the old dump stays, and no other file.

use std::fs;

use super::saved::{Keys, keys, loaded, path, save};
use crate::util::test_disk::{EIO, ENOSPC, Fault, TestDisk};

const OLD: (u64, &[u8]) = (3, b"old");
const NEW: (u64, &[u8]) = (7, b"the new value");
/// The size of a write, so small that a save takes several.
const PIECE: usize = 40;

fn holds(disk: &TestDisk) -> Keys {
    loaded(&fs::read(path(disk)).expect("there is a dump")).expect("it is whole")
}

/// A disk with the old dump.
fn disk_with_old_dump() -> TestDisk {
    let disk = TestDisk::new();
    save(&disk, OLD.0, OLD.1, PIECE).expect("nothing fails");
    disk.count.set(0);
    disk
}

/// The number of operations of a save without a fault.
fn operations() -> usize {
    let disk = disk_with_old_dump();
    save(&disk, NEW.0, NEW.1, PIECE).expect("nothing fails");
    disk.count.get()
}

#[test]
fn after_any_fault_the_old_dump_stands_and_the_next_save_succeeds() {
    // First the directory is opened. 7 keys of 1 + 2 + 14 bytes and a frame of 18 make 137 bytes: 4 writes. The second
    // read finds the end.
    let steps = [
        "open",
        "create",
        "write",
        "write",
        "write",
        "write",
        "fsync",
        "open",
        "read back",
        "read back",
        "rename",
        "fsync directory",
    ];
    assert_eq!(operations(), steps.len());
    for (at, step) in steps.into_iter().enumerate() {
        let mut faults = vec![Fault::Error(EIO), Fault::Error(ENOSPC)];
        if step == "write" {
            faults.extend([Fault::ShortWrite(EIO), Fault::ShortWrite(ENOSPC)]);
        }
        for fault in faults {
            check(at, step, fault);
        }
    }
}

fn check(at: usize, step: &str, fault: Fault) {
    let disk = disk_with_old_dump();
    disk.fault.set(Some((at, fault)));
    let error = save(&disk, NEW.0, NEW.1, PIECE)
        .expect_err("a step has failed")
        .to_string();
    assert_eq!(disk.failed.get(), step);

    let temporary = format!("temp-{}.dump.my_rdb", std::process::id());
    let at_fault = match (at, step) {
        (0, _) | (_, "fsync directory") => disk.directory.clone(),
        _ => disk.directory.join(temporary),
    };
    let words = match fault {
        Fault::Error(EIO) | Fault::ShortWrite(EIO) => "Input/output error",
        _ => "No space left on device",
    };
    let expected = match step {
        // The first read returns 137 bytes, the second one the end of the file.
        "read back" => {
            let offset = if at == 8 { 0 } else { 137 };
            format!(
                "read back {}: [offset {offset}] Cannot read on: {words}",
                at_fault.display()
            )
        }
        _ => format!(
            "{} {}: {words}",
            step.split(' ').next().expect("a word"),
            at_fault.display()
        ),
    };
    assert_eq!(error, expected);

    // The new dump can be present only after the rename.
    let expected = if step == "fsync directory" { NEW } else { OLD };
    assert_eq!(holds(&disk), keys(expected), "{step}");
    assert_eq!(disk.names(), ["dump.my_rdb"], "{step}");

    disk.fault.set(None);
    save(&disk, NEW.0, NEW.1, PIECE).expect("nothing fails any more");
    assert_eq!(holds(&disk), keys(NEW));
    assert_eq!(disk.names(), ["dump.my_rdb"]);
}

/// A write that takes only a part of the bytes is no fault: the rest follows.
#[test]
fn a_short_write_is_continued() {
    let disk = disk_with_old_dump();
    for write in 2..=5 {
        disk.count.set(0);
        disk.fault.set(Some((write, Fault::OnlyShort)));
        save(&disk, NEW.0, NEW.1, PIECE).expect("nothing fails");
        assert_eq!(disk.count.get(), operations() + 1);
        assert_eq!(holds(&disk), keys(NEW));
    }
}
