//! The link of a replica to its primary, as all threads see it: which primary it is to be, and how far the link is.
//!
//! ```text
//! Connect ──▶ Connecting ──▶ Handshake ──▶ Transfer ──▶ Connected
//!                                │   a snapshot           ▲
//!                                └────────────────────────┘ what it lacks is in the primary's backlog
//! ```
//!
//! Every stage falls back to Connect: a second after a failure, and at once when any thread sets another primary.
//!
//! # Thread safety
//! Any thread may ask, or set another primary. The link's own thread looks at the number of its target before each step
//! that others see: when another target has been set, its number is an old one, and the thread begins anew. The mutex
//! is a leaf.

use std::fmt;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The link.
#[derive(Debug)]
pub struct Link {
    target: Mutex<Target>,
    changed: Condvar,
    stage: AtomicU8,
    /// Whether PSYNC says FAILOVER.
    is_handing_over: AtomicBool,
    /// What INFO says.
    pub figures: Figures,
}

/// Which primary it is to be.
#[derive(Debug, Default)]
struct Target {
    address: Option<Address>,
    /// Whether the link waits for the change of the role to be over.
    is_held: bool,
    /// Counts up with each change.
    number: u64,
    /// The connection, so that it can be cut.
    socket: Option<TcpStream>,
}

/// The address of a primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A name or an IP address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Address {
    /// An address as the directive `replicaof` has it: host and port.
    pub fn parse(text: &str) -> Option<Address> {
        let (host, port) = text.split_once(' ')?;
        Some(Address {
            host: host.to_string(),
            port: port.parse().ok()?,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.host, self.port)
    }
}

/// The stages of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is to be connected.
    Connect,
    /// It is being connected.
    Connecting,
    /// The servers exchange who they are.
    Handshake,
    /// A snapshot is received and loaded.
    Transfer,
    /// The stream is received.
    Connected,
}

/// Where a replica loads a snapshot: `repl-diskless-load`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisklessLoad {
    /// From a file, when that has arrived as a whole and the old data have been dropped.
    Disabled,
    /// From the connection, if there are no data.
    OnEmptyDb,
    /// From the connection, beside the old data. They are dropped when the new ones are whole.
    SwapDb,
}

impl DisklessLoad {
    /// The value of the directive.
    pub(in crate::state) fn from_directive(number: i64) -> DisklessLoad {
        match number {
            0 => DisklessLoad::Disabled,
            1 => DisklessLoad::OnEmptyDb,
            _ => DisklessLoad::SwapDb,
        }
    }
}

/// The figures of the link.
#[derive(Debug)]
pub struct Figures {
    /// Unix time of the last bytes from the primary, in milliseconds; 0 for none.
    pub heard_at_ms: AtomicI64,
    /// Unix time in milliseconds since which the link is down; 0 while it is up, or never was.
    pub down_since_ms: AtomicI64,
    /// Bytes of the snapshot that is received; 0 if that is not known.
    pub total_bytes: AtomicU64,
    /// Bytes of it that have been received.
    pub read_bytes: AtomicU64,
}

impl Default for Link {
    fn default() -> Link {
        Link {
            target: Mutex::default(),
            changed: Condvar::new(),
            stage: AtomicU8::new(Stage::Connect as u8),
            is_handing_over: AtomicBool::new(false),
            figures: Figures {
                heard_at_ms: AtomicI64::new(0),
                down_since_ms: AtomicI64::new(0),
                total_bytes: AtomicU64::new(0),
                read_bytes: AtomicU64::new(0),
            },
        }
    }
}

impl Figures {
    /// Notes that the primary has been heard at this Unix time, in milliseconds.
    pub fn note_heard(&self, now_ms: i64) {
        self.heard_at_ms.store(now_ms, Relaxed);
    }

    /// Notes that the link is down at this Unix time, in milliseconds.
    pub fn note_down(&self, now_ms: i64) {
        let since = &self.down_since_ms;
        let _ = since.compare_exchange(0, now_ms, Relaxed, Relaxed);
    }

    /// Notes that the link is up.
    pub fn note_up(&self) {
        self.down_since_ms.store(0, Relaxed);
    }
}

impl Link {
    /// The primary. There is one as long as the server is a replica, and for a moment more.
    pub fn primary(&self) -> Option<Address> {
        self.lock().address.clone()
    }

    /// Cuts the connection, because the role is about to change, and names the next primary, if there is one. The link
    /// connects to it when it is let [go](Self::go_on).
    pub fn hold(&self, next: Option<Address>) {
        self.begin_anew(|target| {
            target.is_held = true;
            if next.is_some() {
                target.address = next;
            }
        });
    }

    /// The role has changed: the link connects to the primary that was named.
    pub fn go_on(&self) {
        self.begin_anew(|target| target.is_held = false);
    }

    /// The role has changed: there is no primary.
    pub fn end(&self) {
        self.begin_anew(|target| {
            *target = Target {
                number: target.number,
                ..Target::default()
            }
        });
    }

    fn begin_anew(&self, change: impl FnOnce(&mut Target)) {
        let mut target = self.lock();
        target.cut();
        target.number += 1;
        change(&mut target);
        self.stage.store(Stage::Connect as u8, Relaxed);
        self.changed.notify_all();
    }

    /// Sets whether PSYNC says FAILOVER: the primary is a replica still, which is to take the role over.
    pub fn set_handing_over(&self, is_handing_over: bool) {
        self.is_handing_over.store(is_handing_over, Relaxed);
    }

    /// Whether PSYNC says FAILOVER.
    pub fn is_handing_over(&self) -> bool {
        self.is_handing_over.load(Relaxed)
    }

    /// Cuts the connection: the link begins anew. `false` if there is none.
    pub fn cut(&self) -> bool {
        self.lock().cut()
    }

    /// Waits until there is a primary, and gives it with the number of the target. For the link's thread.
    pub fn wait_for_primary(&self) -> (u64, Address) {
        let mut target = self.lock();
        loop {
            if let Some(address) = &target.address
                && !target.is_held
            {
                return (target.number, address.clone());
            }
            let waited = self.changed.wait(target);
            target = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits this long, or until another target is set. For the link's thread.
    pub fn rest(&self, number: u64, longest: Duration) {
        let is_same = |target: &mut Target| target.number == number;
        drop(
            self.changed
                .wait_timeout_while(self.lock(), longest, is_same),
        );
    }

    /// Whether this is the number of the present target.
    pub fn is_current(&self, number: u64) -> bool {
        self.lock().number == number
    }

    /// Notes the connection to the target of this number; `false` if it is not the present one any more.
    pub fn set_socket(&self, number: u64, socket: Option<TcpStream>) -> bool {
        let mut target = self.lock();
        let is_current = target.number == number;
        if is_current {
            target.socket = socket;
        }
        is_current
    }

    /// How far the link is.
    pub fn stage(&self) -> Stage {
        match self.stage.load(Relaxed) {
            0 => Stage::Connect,
            1 => Stage::Connecting,
            2 => Stage::Handshake,
            3 => Stage::Transfer,
            _ => Stage::Connected,
        }
    }

    /// Notes how far the link to the target of this number is.
    pub fn set_stage(&self, number: u64, stage: Stage) {
        let target = self.lock();
        if target.number == number {
            self.stage.store(stage as u8, Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Target> {
        self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target {
    fn cut(&mut self) -> bool {
        let socket = self.socket.take();
        // The other side may have closed it already.
        socket.is_some_and(|socket| socket.shutdown(Shutdown::Both).is_ok())
    }
}
