//! Writes the keys and the functions of one moment as an RDB file, to the disk or to a client.
//!
//! Several threads encode. Each takes a shard, encodes its keys into a buffer of its own, and appends the buffer to the
//! output when it is full. Only for that it locks the output. No keyspace lock is held meanwhile.

use crate::REDIS_VERSION;
use crate::command::execute::Engine;
use crate::keyspace::access::Access;
use crate::keyspace::entry::Entry;
use crate::keyspace::evict::Order;
use crate::keyspace::kept::ShardImage;
use crate::keyspace::snapshot::Snapshot;
use crate::keyspace::space::Keyspace;
use crate::rdb::file::Counts;
use crate::rdb::format::VERSION_FOR_SERVERS;
use crate::rdb::{Encoder, Usage, Writer, WriterOptions};
use crate::state::replication::Place;
use crate::state::scripts::libraries::{Library, Table};
use crate::state::{Server, values};
use crate::util::clock;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Threads that encode, including the caller's. While clients keep all processors busy, the second one nearly halves
/// the time of a save, and with it the memory for entries that change meanwhile (copy-on-write).
const ENCODERS: usize = 2;
/// Bytes that a thread encodes before it offers its processor to other threads and then locks the output: a quarter of
/// a millisecond of work. Without the offer, a client whose request comes now waits for a whole time slice of the
/// system. The offer reduced 28 waits a second of more than 3 ms to 2; without a save there is 1 (`tools/bench.sh
/// saves`).
const BUFFER_BYTES: usize = 64 * 1024;

/// What a dump is to hold.
#[derive(Debug)]
pub struct Image<'a> {
    /// The keys.
    pub snapshot: Snapshot<'a>,
    /// The functions of that moment, or of a moment later.
    libraries: Arc<Table>,
    /// The place in the replication stream, if the dump is to have it.
    place: Option<Place>,
}

impl Image<'_> {
    /// The data as they are now. `at_the_moment` is called while all keys are locked, with the end of the change log.
    pub fn take(engine: &Engine, at_the_moment: impl FnOnce(&Keyspace, u64)) -> Image<'_> {
        Image {
            snapshot: engine.locks.snapshot(at_the_moment),
            // After the snapshot: a change of functions is counted when it is made. So the table has all changes that
            // the snapshot's count says are saved, and all that a closed gate does not hold back.
            libraries: engine.scripts.libraries.table(),
            place: None,
        }
    }

    /// The data as they are now, with the place in the replication stream: so that a server that loads the dump can go
    /// on from there.
    pub fn take_with_place(engine: &Engine, at_the_moment: impl FnOnce(&Keyspace)) -> Image<'_> {
        let (image, place) = engine.replication.with_place(|divide| {
            Image::take(engine, |keyspace, end| {
                at_the_moment(keyspace);
                divide(end);
            })
        });
        Image { place, ..image }
    }

    /// The image has this place in the replication stream.
    pub fn with_place(self, place: Place) -> Self {
        Image {
            place: Some(place),
            ..self
        }
    }

    /// The function libraries.
    pub fn libraries(&self) -> impl Iterator<Item = &Library> {
        self.libraries.libraries.values().map(|library| &**library)
    }

    /// How much the dump will hold. The written file is checked against this.
    pub fn counts(&self) -> Counts {
        let sizes = &self.snapshot.sizes;
        Counts {
            keys: sizes.iter().map(|size| size.keys as u64).sum(),
            expires: sizes.iter().map(|size| size.deadlines as u64).sum(),
            libraries: self.libraries.libraries.len() as u64,
        }
    }
}

/// The manner in which a dump is written.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    options: WriterOptions,
    /// Whether it is the base of an append-only file.
    is_base: bool,
}

impl Form {
    /// A dump for tools, as the directives want it.
    pub fn of_dump(server: &Server) -> Form {
        Form {
            options: values::writer_options(&server.config),
            is_base: false,
        }
    }

    /// A snapshot for replicas: what is said of the [base](Self::of_base) of an append-only file is true of it too.
    pub fn of_sync(server: &Server) -> Form {
        Form {
            is_base: false,
            ..Form::of_base(server)
        }
    }

    /// The base of an append-only file. Servers read it, not tools: so it has the version that all servers since Redis
    /// 7.0 read, with all that streams have.
    pub fn of_base(server: &Server) -> Form {
        Form {
            options: WriterOptions {
                version: VERSION_FOR_SERVERS,
                ..values::writer_options(&server.config)
            },
            is_base: true,
        }
    }
}

/// Writes the whole file, counting the keys in `written`, and gives the output back. The snapshot is dropped shard by
/// shard, each as soon as it is written.
pub fn write<W: Write + Send>(
    server: &Server,
    image: &Image,
    form: Form,
    output: W,
    written: &AtomicU64,
) -> io::Result<W> {
    let mut writer = Writer::new(output, form.options)?;
    write_facts(server, form, image.place.as_ref(), &mut writer)?;
    write_libraries(&image.libraries, &mut writer)?;
    let snapshot = &image.snapshot;
    let task = Task {
        snapshot,
        writer: Mutex::new(writer),
        options: form.options,
        order: server.config.eviction_policy().map(|policy| policy.order),
        access: server.keyspace.access_rules.access(clock::unix_ms()),
        key_delay: Duration::from_micros(server.config.rdb_key_save_delay.get().max(0) as u64),
        written,
    };
    for (database, size) in snapshot.sizes.iter().enumerate() {
        if size.keys > 0 {
            let (keys, deadlines) = (size.keys as u64, size.deadlines as u64);
            task.lock().select_db(database as u64, keys, deadlines)?;
            task.write_database(database)?;
        }
    }
    let writer = task.writer.into_inner();
    writer.unwrap_or_else(PoisonError::into_inner).finish()
}

/// Writes a dump with the functions and without keys.
pub fn write_without_keys<W: Write>(server: &Server, output: W) -> io::Result<W> {
    let form = Form::of_dump(server);
    let mut writer = Writer::new(output, form.options)?;
    write_facts(server, form, None, &mut writer)?;
    write_libraries(&server.scripts.libraries.table(), &mut writer)?;
    writer.finish()
}

/// Writes the facts about the file (AUX fields), in Redis' order.
fn write_facts<W: Write>(
    server: &Server,
    form: Form,
    place: Option<&Place>,
    writer: &mut Writer<W>,
) -> io::Result<()> {
    let time_s = clock::unix_ms() / 1000;
    let used_bytes = server.memory_peak.measure().allocated;
    writer.aux(b"redis-ver", REDIS_VERSION.as_bytes())?;
    writer.aux(b"redis-bits", b"64")?;
    writer.aux(b"ctime", time_s.to_string().as_bytes())?;
    writer.aux(b"used-mem", used_bytes.to_string().as_bytes())?;
    if let Some(place) = place {
        writer.aux(b"repl-stream-db", place.database.to_string().as_bytes())?;
        writer.aux(b"repl-id", place.id.as_bytes())?;
        writer.aux(b"repl-offset", place.offset.to_string().as_bytes())?;
    }
    writer.aux(b"aof-base", if form.is_base { b"1" } else { b"0" })
}

/// Writes the function libraries. If there is none, every tool reads the file; with one, only those of Redis 7 and
/// later do.
fn write_libraries<W: Write>(table: &Table, writer: &mut Writer<W>) -> io::Result<()> {
    let mut libraries = table.libraries.values();
    libraries.try_for_each(|library| writer.library(&library.text))
}

/// The data that the encoding threads share.
struct Task<'a, W: Write> {
    snapshot: &'a Snapshot<'a>,
    writer: Mutex<Writer<W>>,
    options: WriterOptions,
    /// Which keys are evicted first, if any are.
    order: Option<Order>,
    /// For the usage of keys: the time and the rules.
    access: Access<'a>,
    /// A pause after each key, for tests of what happens during a save.
    key_delay: Duration,
    written: &'a AtomicU64,
}

impl<W: Write + Send> Task<'_, W> {
    fn write_database(&self, database: usize) -> io::Result<()> {
        let encode = || {
            let result = self.encode_shards(database);
            if result.is_err() {
                // The other threads get no more shards.
                self.snapshot.abandon();
            }
            result
        };
        thread::scope(|scope| {
            // If the system has no thread to give, the caller's thread does all the work.
            let spawn = |_| thread::Builder::new().spawn_scoped(scope, encode).ok();
            let others: Vec<_> = (1..ENCODERS).filter_map(spawn).collect();
            let results = others.into_iter().map(|thread| {
                let joined = thread.join();
                joined.unwrap_or_else(|_| Err(io::Error::other("an encoding thread panicked")))
            });
            encode().and(results.collect())
        })
    }

    /// Encodes shards until none is left.
    fn encode_shards(&self, database: usize) -> io::Result<()> {
        let mut encoder =
            Encoder::new(self.options.compression, self.options.version).with_helper();
        let mut output = KeyOutput {
            buffer: Vec::with_capacity(BUFFER_BYTES),
            task: self,
            held: None,
            direct_bytes: 0,
        };
        while let Some(shard) = self.snapshot.next_shard(database) {
            let keys = encode_shard(&shard, self, &mut encoder, &mut output)?;
            self.written.fetch_add(keys, Relaxed);
        }
        self.lock().encoded(&output.buffer)
    }
}

impl<W: Write> Task<'_, W> {
    /// What the dump says of the usage of a key: what `maxmemory-policy` goes by.
    fn usage_of(&self, entry: Entry<'_>) -> Usage {
        match self.order {
            Some(Order::LeastRecent) => {
                Usage::IdleSeconds(entry.clock().idle_s(self.access.now_ms()))
            }
            Some(Order::LeastFrequent) => Usage::Frequency(entry.clock().frequency(self.access)),
            _ => Usage::Unknown,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Writer<W>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Encodes the keys of a shard, and returns their number.
fn encode_shard<W: Write>(
    shard: &ShardImage,
    task: &Task<'_, W>,
    encoder: &mut Encoder,
    output: &mut KeyOutput<'_, W>,
) -> io::Result<u64> {
    let mut keys = 0;
    for entry in shard.iter() {
        write_entry(encoder, output, entry, task.usage_of(entry))?;
        output.end_key();
        if task.key_delay > Duration::ZERO {
            thread::sleep(task.key_delay);
        }
        keys += 1;
    }
    Ok(keys)
}

fn write_entry(
    encoder: &mut Encoder,
    output: &mut impl Write,
    entry: Entry<'_>,
    usage: Usage,
) -> io::Result<()> {
    values::with_value_ref(entry.value(), |value| {
        encoder.key_with_usage(output, entry.key(), entry.expires_at_ms(), usage, value)
    })
}

/// The output of one thread: its buffer, and when that is full, the file. If a key does not fit into the buffer, the
/// file stays locked until the end of the key, so that a large value is never copied as a whole.
struct KeyOutput<'a, W: Write> {
    buffer: Vec<u8>,
    task: &'a Task<'a, W>,
    held: Option<MutexGuard<'a, Writer<W>>>,
    /// Bytes that went directly to the file since the processor was last offered to other threads.
    direct_bytes: usize,
}

impl<W: Write> KeyOutput<'_, W> {
    /// Unlocks the file for the other threads.
    fn end_key(&mut self) {
        self.held = None;
    }
}

impl<W: Write> Write for KeyOutput<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(writer) = &mut self.held {
            self.direct_bytes += bytes.len();
            if self.direct_bytes > BUFFER_BYTES {
                self.direct_bytes = 0;
                thread::yield_now();
            }
            return writer.encoded(bytes);
        }
        if self.buffer.len() + bytes.len() <= BUFFER_BYTES {
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        thread::yield_now();
        let writer = self.held.insert(self.task.lock());
        writer.encoded(&self.buffer)?;
        self.buffer.clear();
        writer.encoded(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
