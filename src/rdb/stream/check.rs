//! Checks the listpack of a node, so that it can be walked later without checks: the header and every element are
//! whole; the master entry is complete; flags take one byte, counts and differences are integers; each entry ends with
//! the number of its elements; the IDs of live entries ascend.

use crate::rdb::encodings::listpack::Listpack;
use crate::rdb::encodings::{EncodingError, Entry};
use crate::types::listpack::{self, END, Element, HEADER};
use crate::types::stream::{FLAG_DELETED, FLAG_SAME_FIELDS, HEAD_ELEMENTS, StreamId};

/// The order of the IDs: what has been read so far.
#[derive(Debug, Default)]
pub(in crate::rdb) struct Order {
    /// The largest ID of a live entry or a node.
    last: Option<StreamId>,
}

/// Checks the listpack of a node, whose IDs must be larger than those before; returns how many entries it has, and how
/// many of them are deleted besides.
pub(in crate::rdb) fn check_listpack(
    block: &[u8],
    master_id: StreamId,
    order: &mut Order,
) -> Result<(u64, u64), EncodingError> {
    if let Some((counts, last)) = quick_check(block, master_id, order) {
        order.last = Some(last);
        return Ok(counts);
    }
    NodeReader {
        listpack: Listpack::new(block)?,
    }
    .check(master_id, order)
}

/// As [`check_listpack`], but several times faster, because it names no fault: `None` if there is one, or something
/// unusual. Returns the counts and the largest ID.
fn quick_check(block: &[u8], master_id: StreamId, order: &Order) -> Option<((u64, u64), StreamId)> {
    let mut walk = QuickWalk {
        block,
        at: HEADER,
        elements: 0,
    };
    let header = block.get(..HEADER)?;
    let size = u32::from_le_bytes(*header.first_chunk()?) as usize;
    let announced = u16::from_le_bytes(*header.last_chunk()?);
    if size != block.len() || order.last.is_some_and(|last| last >= master_id) {
        return None;
    }
    let (_live, _deleted) = (walk.integer()?, walk.integer()?);
    let master_len = walk.count()?;
    walk.skip(master_len)?;
    if walk.integer()? != 0 {
        return None;
    }
    let (mut live, mut deleted) = (0, 0);
    let mut last = None;
    while *block.get(walk.at)? != END {
        let flags = walk.integer().filter(|_| block[walk.at - 1] == 1)?;
        let id = StreamId {
            ms: master_id.ms.wrapping_add(walk.integer()? as u64),
            seq: master_id.seq.wrapping_add(walk.integer()? as u64),
        };
        let before = walk.elements;
        match flags & FLAG_SAME_FIELDS != 0 {
            true => walk.skip(master_len)?,
            false => {
                let len = walk.count()?;
                walk.skip(2 * len)?;
            }
        }
        let elements = HEAD_ELEMENTS + walk.elements - before;
        if walk.count()? != elements {
            return None;
        }
        if flags & FLAG_DELETED != 0 {
            deleted += 1;
            continue;
        }
        if last.is_some_and(|last| last >= id) || id < master_id {
            return None;
        }
        live += 1;
        last = Some(id);
    }
    let is_whole = walk.at + 1 == block.len() && usize::from(announced) == walk.elements;
    is_whole.then_some(((live, deleted), last.unwrap_or(master_id)))
}

/// Walks a listpack without naming its faults.
struct QuickWalk<'a> {
    block: &'a [u8],
    at: usize,
    /// Elements that were passed.
    elements: usize,
}

impl QuickWalk<'_> {
    #[inline]
    fn integer(&mut self) -> Option<i64> {
        let next = listpack::checked_skip(self.block, self.at)?;
        let Element::Integer(integer) = listpack::read(self.block, self.at).0 else {
            return None;
        };
        self.at = next;
        self.elements += 1;
        Some(integer)
    }

    #[inline]
    fn count(&mut self) -> Option<usize> {
        u32::try_from(self.integer()?)
            .ok()
            .map(|count| count as usize)
    }

    #[inline]
    fn skip(&mut self, elements: usize) -> Option<()> {
        for _ in 0..elements {
            self.at = listpack::checked_skip(self.block, self.at)?;
        }
        self.elements += elements;
        Some(())
    }
}

/// Walks the listpack of a node.
struct NodeReader<'a> {
    listpack: Listpack<'a>,
}

impl<'a> NodeReader<'a> {
    fn check(
        &mut self,
        master_id: StreamId,
        order: &mut Order,
    ) -> Result<(u64, u64), EncodingError> {
        const OUT_OF_ORDER: &str = "entries that are not in the order of their ids";
        if order.last.is_some_and(|last| last >= master_id) {
            return Err(self.bad(OUT_OF_ORDER));
        }
        let _count = self.integer()?;
        let _deleted = self.integer()?;
        let master_len = self.count()?;
        self.skip(master_len)?;
        if self.integer()? != 0 {
            return Err(self.bad("the master entry does not end with 0"));
        }
        let (mut live, mut deleted) = (0, 0);
        let mut last = None;
        while let Some(flags) = self.flags()? {
            let id = StreamId {
                ms: master_id.ms.wrapping_add(self.integer()? as u64),
                seq: master_id.seq.wrapping_add(self.integer()? as u64),
            };
            let elements = match flags & FLAG_SAME_FIELDS != 0 {
                true => {
                    self.skip(master_len)?;
                    HEAD_ELEMENTS + master_len
                }
                false => {
                    let len = self.count()?;
                    self.skip(2 * len)?;
                    HEAD_ELEMENTS + 1 + 2 * len
                }
            };
            if self.count()? != elements {
                return Err(self.bad("an entry whose size backwards is not its size forwards"));
            }
            if flags & FLAG_DELETED != 0 {
                deleted += 1;
                continue;
            }
            if last.is_some_and(|last| last >= id) || id < master_id {
                return Err(self.bad(OUT_OF_ORDER));
            }
            live += 1;
            last = Some(id);
        }
        order.last = last.or(Some(master_id));
        Ok((live, deleted))
    }

    /// The flags of the next entry, None at the end.
    fn flags(&mut self) -> Result<Option<i64>, EncodingError> {
        // One byte and its backlen: an entry is deleted by setting a bit of this byte.
        const SIZE: usize = 2;
        let at = self.listpack.position();
        match self.listpack.next().transpose()? {
            None => Ok(None),
            Some(Entry::Integer(flags)) if self.listpack.position() - at == SIZE => Ok(Some(flags)),
            Some(Entry::Integer(_)) => Err(self.bad("flags of an entry that cannot be")),
            Some(Entry::Text(_)) => Err(self.bad("text where the flags of an entry must stand")),
        }
    }

    fn skip(&mut self, elements: usize) -> Result<(), EncodingError> {
        (0..elements).try_for_each(|_| self.entry().map(drop))
    }

    fn entry(&mut self) -> Result<Entry<'a>, EncodingError> {
        match self.listpack.next() {
            Some(entry) => entry,
            None => Err(self.bad("the listpack ends within an entry")),
        }
    }

    fn integer(&mut self) -> Result<i64, EncodingError> {
        match self.entry()? {
            Entry::Integer(number) => Ok(number),
            Entry::Text(_) => Err(self.bad("text where an integer must stand")),
        }
    }

    fn count(&mut self) -> Result<usize, EncodingError> {
        // A listpack has at most u32::MAX entries, because its size is a u32.
        let number = self.integer()?;
        u32::try_from(number)
            .map(|count| count as usize)
            .map_err(|_| self.bad("a count that cannot be"))
    }

    fn bad(&self, what: &'static str) -> EncodingError {
        EncodingError {
            at: self.listpack.position(),
            what,
        }
    }
}
