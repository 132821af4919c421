//! Writes a stream.

use std::io::{self, Write};
use std::sync::mpsc;
use std::thread;

use byteorder::{LittleEndian, WriteBytesExt};

use super::{BATCH, BATCHES_AHEAD, MANY_NODES, UNKNOWN};
use crate::rdb::encoder::{Encoder, write_length};
use crate::rdb::format::value_type;
use crate::types::stream::{ConsumerGroup, Entries, Stream, StreamId};

/// Writes a stream as the value of this type.
pub(in crate::rdb) fn write(
    encoder: &mut Encoder,
    output: &mut impl Write,
    stream: &Stream,
    type_code: u8,
) -> io::Result<()> {
    let entries = &stream.entries;
    write_length(output, entries.block_count() as u64)?;
    match encoder.has_helper && entries.block_count() as u64 >= MANY_NODES {
        true => write_many_nodes(encoder, output, entries)?,
        false => write_nodes(encoder, output, entries.listpacks())?,
    }
    let history = entries.history();
    write_length(output, entries.len())?;
    write_id(output, history.last_id)?;
    if type_code >= value_type::STREAM_LISTPACKS_2 {
        write_id(output, history.first_id)?;
        write_id(output, history.max_deleted_id)?;
        write_length(output, history.entries_added)?;
    }
    write_length(output, stream.groups.len() as u64)?;
    for (name, group) in stream.groups.iter() {
        encoder.string(output, name)?;
        write_group(encoder, output, group, type_code)?;
    }
    Ok(())
}

fn write_nodes<'a>(
    encoder: &mut Encoder,
    output: &mut impl Write,
    nodes: impl Iterator<Item = (StreamId, &'a [u8])>,
) -> io::Result<()> {
    for (id, listpack) in nodes {
        encoder.string(output, &id.to_bytes())?;
        encoder.string(output, listpack)?;
    }
    Ok(())
}

/// Writes nodes while a second thread encodes every other batch of them.
fn write_many_nodes(
    encoder: &mut Encoder,
    output: &mut impl Write,
    entries: &Entries,
) -> io::Result<()> {
    let nodes: &[_] = &entries.listpacks().collect::<Vec<_>>();
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel::<Vec<u8>>(BATCHES_AHEAD);
        let mut second_encoder = encoder.for_another_thread();
        let encode = move || {
            for batch in nodes.chunks(BATCH).skip(1).step_by(2) {
                let mut encoded = Vec::new();
                let written = write_nodes(&mut second_encoder, &mut encoded, batch.iter().copied());
                // Without a receiver, writing has failed.
                if written
                    .and_then(|()| sender.send(encoded).map_err(io::Error::other))
                    .is_err()
                {
                    break;
                }
            }
        };
        if thread::Builder::new().spawn_scoped(scope, encode).is_err() {
            return write_nodes(encoder, output, nodes.iter().copied());
        }
        for (number, batch) in nodes.chunks(BATCH).enumerate() {
            if number.is_multiple_of(2) {
                write_nodes(encoder, output, batch.iter().copied())?;
            } else {
                output.write_all(&receiver.recv().map_err(io::Error::other)?)?;
            }
        }
        Ok(())
    })
}

fn write_group(
    encoder: &mut Encoder,
    output: &mut impl Write,
    group: &ConsumerGroup,
    type_code: u8,
) -> io::Result<()> {
    write_id(output, group.last_id)?;
    if type_code >= value_type::STREAM_LISTPACKS_2 {
        write_length(output, group.entries_read.unwrap_or(UNKNOWN))?;
    }
    write_length(output, group.pending().len() as u64)?;
    for (id, pending) in group.pending().iter() {
        output.write_all(&id.to_bytes())?;
        output.write_i64::<LittleEndian>(pending.delivered_at_ms)?;
        write_length(output, pending.deliveries)?;
    }
    write_length(output, group.consumers().len() as u64)?;
    for (name, consumer) in group.consumers().iter() {
        encoder.string(output, name)?;
        output.write_i64::<LittleEndian>(consumer.seen_at_ms)?;
        if type_code >= value_type::STREAM_LISTPACKS_3 {
            output.write_i64::<LittleEndian>(consumer.active_at_ms)?;
        }
        write_length(output, consumer.pending().len() as u64)?;
        for (id, ()) in consumer.pending().iter() {
            output.write_all(&id.to_bytes())?;
        }
    }
    Ok(())
}

fn write_id(output: &mut impl Write, id: StreamId) -> io::Result<()> {
    write_length(output, id.ms)?;
    write_length(output, id.seq)
}
