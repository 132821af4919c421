//! The replicas of this server, and how far each has come.
//!
//! # Thread safety
//! Any thread may ask. A replica's figures are written by the two threads that serve it: one sends the stream, one
//! receives acknowledgements. The mutex of the list is a leaf.

use super::link::Address;
use crate::state::clients::Client;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The replicas.
#[derive(Debug, Default)]
pub struct Replicas {
    list: Mutex<Vec<Arc<Replica>>>,
    /// Replicas that have acknowledged lately: `min-replicas-max-lag`.
    good: AtomicU64,
}

/// What a replica acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// It has carried out the stream.
    Applied,
    /// The effects are on its disk.
    OnDisk,
}

/// How far the synchronisation of a replica has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It waits for the snapshot.
    Waits,
    /// It is being sent the snapshot.
    Snapshot,
    /// It is being sent the stream.
    Online,
}

impl Stage {
    /// Its name in INFO.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Waits => "wait_bgsave",
            Stage::Snapshot => "send_bulk",
            Stage::Online => "online",
        }
    }
}

/// One replica.
#[derive(Debug)]
pub struct Replica {
    /// Its connection.
    pub client: Arc<Client>,
    /// The port at which it serves clients; 0 if it has not said so.
    pub port: u16,
    /// The address that it wants to be known by; empty if it has not said so.
    pub address: String,
    stage: AtomicU8,
    /// Whether the stream waits for the first acknowledgement.
    pub awaits_ack: AtomicBool,
    /// The offset up to which it has been sent the stream; the greatest one while it waits for the snapshot, so that
    /// it leaves nothing unread.
    sent: AtomicU64,
    /// Whether its socket takes no more at the moment.
    is_stalled: AtomicBool,
    /// The offset up to which it has carried out the stream.
    applied: AtomicU64,
    /// The offset up to which the effects are on its disk.
    on_disk: AtomicU64,
    /// Unix time of its last acknowledgement, in milliseconds.
    acked_at_ms: AtomicI64,
}

impl Replica {
    /// A replica that asks for synchronisation at this Unix time, in milliseconds.
    pub fn new(client: Arc<Client>, port: u16, address: String, now_ms: i64) -> Replica {
        Replica {
            client,
            port,
            address,
            stage: AtomicU8::new(Stage::Waits as u8),
            awaits_ack: AtomicBool::new(false),
            sent: AtomicU64::new(u64::MAX),
            is_stalled: AtomicBool::new(false),
            applied: AtomicU64::new(0),
            on_disk: AtomicU64::new(0),
            acked_at_ms: AtomicI64::new(now_ms),
        }
    }

    /// How far its synchronisation has come.
    pub fn stage(&self) -> Stage {
        match self.stage.load(Relaxed) {
            0 => Stage::Waits,
            1 => Stage::Snapshot,
            _ => Stage::Online,
        }
    }

    /// Notes how far its synchronisation has come.
    pub fn set_stage(&self, stage: Stage) {
        self.stage.store(stage as u8, Relaxed);
    }

    /// Its address and port, for the log.
    pub fn name(&self) -> String {
        match self.port {
            0 => format!("client id #{}", self.client.id),
            port => format!("{}:{port}", self.shown_address()),
        }
    }

    /// Notes that it has been sent the stream up to this offset.
    pub fn note_sent(&self, offset: u64) {
        self.sent.store(offset, Relaxed);
    }

    /// Notes whether its socket takes no more at the moment.
    pub fn set_stalled(&self, is_stalled: bool) {
        self.is_stalled.store(is_stalled, Relaxed);
    }

    /// Bytes of the stream up to `end` that wait to be sent.
    pub fn unsent(&self, end: u64) -> u64 {
        end.saturating_sub(self.sent.load(Relaxed))
    }

    /// Counts its silence from this Unix time on, in milliseconds.
    pub fn note_ack_time(&self, now_ms: i64) {
        self.acked_at_ms.store(now_ms, Relaxed);
    }

    /// Notes what it has acknowledged at this Unix time, in milliseconds.
    pub fn acknowledge(&self, applied: u64, on_disk: Option<u64>, now_ms: i64) {
        self.applied.fetch_max(applied, Relaxed);
        if let Some(on_disk) = on_disk {
            self.on_disk.fetch_max(on_disk, Relaxed);
        }
        self.note_ack_time(now_ms);
    }

    /// The offset that it has acknowledged.
    pub fn acked(&self, kind: Ack) -> u64 {
        match kind {
            Ack::Applied => self.applied.load(Relaxed),
            Ack::OnDisk => self.on_disk.load(Relaxed),
        }
    }

    /// Milliseconds since its last acknowledgement.
    pub fn lag_ms(&self, now_ms: i64) -> i64 {
        (now_ms - self.acked_at_ms.load(Relaxed)).max(0)
    }

    /// The address at which it serves clients.
    pub fn serving_address(&self) -> Address {
        Address {
            host: self.shown_address().to_string(),
            port: self.port,
        }
    }

    /// The host by which INFO and ROLE name it.
    pub fn shown_address(&self) -> &str {
        match self.address.is_empty() {
            true => {
                let address = &self.client.address;
                let host = address
                    .rsplit_once(':')
                    .map_or(&**address, |(host, _)| host);
                // IPv6: `[::1]:6380`.
                host.trim_start_matches('[').trim_end_matches(']')
            }
            false => &self.address,
        }
    }
}

impl Replicas {
    /// All replicas, in the order in which they came.
    pub fn all(&self) -> Vec<Arc<Replica>> {
        self.lock().clone()
    }

    /// Whether there is one.
    pub fn are_any(&self) -> bool {
        !self.lock().is_empty()
    }

    /// Adds a replica.
    pub fn add(&self, replica: &Arc<Replica>) {
        self.lock().push(replica.clone());
    }

    /// Removes a replica: its connection has ended.
    pub fn remove(&self, replica: &Arc<Replica>) {
        self.lock().retain(|other| !Arc::ptr_eq(other, replica));
    }

    /// How many replicas have acknowledged this offset.
    pub fn count(&self, kind: Ack, offset: u64) -> usize {
        let has_acked = |replica: &&Arc<Replica>| {
            replica.stage() == Stage::Online && replica.acked(kind) >= offset
        };
        self.lock().iter().filter(has_acked).count()
    }

    /// Whether the stream up to this offset has been sent to all replicas that take it. WAIT asks for it: if the
    /// primary fails then, the write is also on its way to the replicas that have not acknowledged it, as it is in
    /// Redis. So it is not lost if one of those is promoted.
    pub fn have_been_sent(&self, offset: u64) -> bool {
        let is_sent = |replica: &Arc<Replica>| {
            replica.stage() != Stage::Online
                || replica.awaits_ack.load(Relaxed)
                || replica.is_stalled.load(Relaxed)
                || replica.sent.load(Relaxed) >= offset
        };
        self.lock().iter().all(is_sent)
    }

    /// Replicas that have acknowledged lately, as they were last counted.
    pub fn good(&self) -> u64 {
        self.good.load(Relaxed)
    }

    /// Counts the replicas that are online and have acknowledged within this time.
    pub fn count_good(&self, most_lag_s: i64, now_ms: i64) {
        let list = self.lock();
        let is_good = |replica: &&Arc<Replica>| {
            replica.stage() == Stage::Online && replica.lag_ms(now_ms) / 1000 <= most_lag_s
        };
        let good = list.iter().filter(is_good).count();
        self.good.store(good as u64, Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Replica>>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
