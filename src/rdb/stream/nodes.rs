//! Reads the nodes of a stream.

use std::io::Read;
use std::panic::resume_unwind;
use std::sync::mpsc;
use std::thread;

use super::check::{Order, check_listpack};
use super::{BATCH, BATCHES_AHEAD};
use crate::rdb::encodings::Encoding;
use crate::rdb::error::RdbError;
use crate::rdb::source::Source;
use crate::rdb::value::bad_block;
use crate::types::stream::{Entries, StreamId};

pub(super) const LISTPACK: &str = "a stream listpack";

/// A node that has not been checked.
struct RawNode {
    id: StreamId,
    /// The offset of the listpack.
    at: u64,
    listpack: Vec<u8>,
}

impl RawNode {
    fn read<R: Read>(source: &mut Source<R>) -> Result<RawNode, RdbError> {
        Ok(RawNode {
            id: read_master_id(source)?,
            at: source.offset(),
            listpack: source.string(LISTPACK)?,
        })
    }

    /// Checks the node, which comes after those in `entries`, and adds it.
    fn append_to(self, entries: &mut Entries, order: &mut Order) -> Result<(), RdbError> {
        let (live, deleted) = check_listpack(&self.listpack, self.id, order)
            .map_err(|error| bad_block(self.at, Encoding::Listpack, error))?;
        entries.append_listpack(self.id, self.listpack, live, deleted);
        Ok(())
    }
}

pub(super) fn read_master_id<R: Read>(source: &mut Source<R>) -> Result<StreamId, RdbError> {
    let at = source.offset();
    let master_id = source.string("a stream node key")?;
    let Ok(master_id) = <[u8; 16]>::try_from(master_id.as_slice()) else {
        let what = "Stream node key entry is not the size of a stream ID";
        return Err(RdbError::bad(at, what));
    };
    Ok(StreamId::from_bytes(&master_id))
}

pub(super) fn read_nodes<R: Read>(source: &mut Source<R>, count: u64) -> Result<Entries, RdbError> {
    let (mut entries, mut order) = (Entries::default(), Order::default());
    for _ in 0..count {
        RawNode::read(source)?.append_to(&mut entries, &mut order)?;
    }
    Ok(entries)
}

/// Reads and decompresses nodes while a second thread checks those that came before.
pub(super) fn read_many_nodes<R: Read>(
    source: &mut Source<R>,
    count: u64,
) -> Result<Entries, RdbError> {
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel::<Vec<RawNode>>(BATCHES_AHEAD);
        let check = move || {
            let (mut entries, mut order) = (Entries::default(), Order::default());
            for node in receiver.iter().flatten() {
                node.append_to(&mut entries, &mut order)?;
            }
            Ok(entries)
        };
        let Ok(checker) = thread::Builder::new().spawn_scoped(scope, check) else {
            return read_nodes(source, count);
        };
        let mut unread = count;
        let mut send_all = || {
            while unread > 0 {
                let mut batch = Vec::with_capacity(BATCH);
                let mut read = Ok(());
                while unread > 0 && batch.len() < BATCH && read.is_ok() {
                    read = RawNode::read(source).map(|node| batch.push(node));
                    unread -= 1;
                }
                // A checker that has found a fault takes no more nodes.
                let is_taken = sender.send(batch).is_ok();
                read?;
                if !is_taken {
                    break;
                }
            }
            Ok(())
        };
        let sent = send_all();
        drop(sender);
        let entries = checker.join().unwrap_or_else(|panic| resume_unwind(panic));
        // Of two faults, that of the checker comes first in the file.
        entries.and_then(|entries| sent.map(|()| entries))
    })
}
