//! Scripts and functions: what is cached, what is loaded, what runs for too long.
//!
//! Thread safety: an interpreter belongs to the thread that has taken it from its [`Pool`]. Locks are taken in this
//! order: the shards of a script, `changing` (while libraries change), and one of those that are held for a few lines:
//! of the cache, the table of libraries, the idle interpreters, the busy scripts.

pub mod busy;
pub mod libraries;
pub mod memory;
pub mod pool;

use crate::lua::flags::ScriptFlags;
use crate::lua::interpreter::Kind;
use crate::lua::random::Generator;
use crate::util::number::hex;
use busy::BusyScripts;
use foldhash::HashMap;
use libraries::Libraries;
use pool::Pool;
use sha1::{Digest, Sha1};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

/// The SHA-1 of a script.
pub type ScriptDigest = [u8; 20];

/// All that the server knows of scripts.
#[derive(Debug)]
pub struct Scripts {
    cached: RwLock<HashMap<ScriptDigest, Arc<Script>>>,
    /// The random numbers of scripts and functions.
    pub random: Arc<Generator>,
    /// The interpreters of scripts.
    pub interpreters: Pool,
    /// The libraries of functions, with their interpreters.
    pub libraries: Libraries,
    /// What has run for longer than clients are to wait.
    pub busy: BusyScripts,
}

/// A script that was loaded, or has run.
#[derive(Debug)]
pub struct Script {
    /// Of the whole text.
    pub digest: ScriptDigest,
    /// The digest in hexadecimal digits: the name of the script.
    pub name: String,
    /// The whole text.
    pub text: Vec<u8>,
    /// What its shebang says; `None` if it has none.
    pub flags: Option<ScriptFlags>,
    /// Where in the text the code begins.
    code_at: usize,
    /// Whether it has reached for a key that it did not declare.
    strays: AtomicBool,
}

impl Default for Scripts {
    fn default() -> Scripts {
        let generator = Arc::new(Generator::default());
        Scripts {
            cached: RwLock::default(),
            interpreters: Pool::new(Kind::Scripts, generator.clone()),
            libraries: Libraries::new(Pool::new(Kind::Functions, generator.clone())),
            random: generator,
            busy: BusyScripts::default(),
        }
    }
}

impl Scripts {
    /// A script in the cache.
    pub fn find(&self, digest: &ScriptDigest) -> Option<Arc<Script>> {
        let cached = self.cached.read().unwrap_or_else(PoisonError::into_inner);
        cached.get(digest).cloned()
    }

    /// Puts a script into the cache, unless another thread has done so. Returns the one that is there.
    pub fn add(&self, script: Script) -> Arc<Script> {
        let mut cached = self.cached.write().unwrap_or_else(PoisonError::into_inner);
        let entry = cached.entry(script.digest);
        entry.or_insert_with(|| Arc::new(script)).clone()
    }

    /// Empties the cache, and forgets what interpreters have compiled.
    pub fn flush(&self) {
        let mut cached = self.cached.write().unwrap_or_else(PoisonError::into_inner);
        drop(std::mem::take(&mut *cached));
        drop(cached);
        self.interpreters.renew();
    }

    /// How many scripts are in the cache, and bytes of memory that they take.
    pub fn size(&self) -> (usize, usize) {
        let cached = self.cached.read().unwrap_or_else(PoisonError::into_inner);
        let own = size_of::<(ScriptDigest, Arc<Script>)>() + size_of::<Script>();
        let bytes = |script: &Arc<Script>| own + script.text.capacity() + script.name.capacity();
        (cached.len(), cached.values().map(bytes).sum())
    }
}

impl Script {
    /// A script with this text, which has the digest. `code_at` is where the code begins, behind a shebang.
    pub fn new(
        digest: ScriptDigest,
        text: &[u8],
        code_at: usize,
        flags: Option<ScriptFlags>,
    ) -> Script {
        Script {
            digest,
            name: hex(&digest),
            text: text.to_vec(),
            flags,
            code_at,
            strays: AtomicBool::new(false),
        }
    }

    /// The code, without a shebang.
    pub fn code(&self) -> &[u8] {
        &self.text[self.code_at..]
    }

    /// Whether it has reached for a key that it did not declare.
    pub fn strays(&self) -> bool {
        self.strays.load(Relaxed)
    }

    /// Notes that it has.
    pub fn note_stray(&self) {
        self.strays.store(true, Relaxed);
    }
}

/// The digest of a script's text.
pub fn digest_of(text: &[u8]) -> ScriptDigest {
    Sha1::digest(text).into()
}
