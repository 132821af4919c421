//! Interpreters that wait for work. A thread takes one for a script and gives it back; so there are as many as scripts
//! have run at the same time.

use crate::lua::interpreter::{Interpreter, Kind};
use crate::lua::random::Generator;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Interpreters that may be idle. There are more than processors, because the system takes the processor from threads
/// in the middle of a script. One takes 78 KiB (`used_memory_vm_eval` of INFO after `EVAL "return 1" 0`), and to make
/// it takes far longer than to run a short script.
const MOST_IDLE: usize = 32;

/// Interpreters of one kind.
pub struct Pool {
    kind: Kind,
    generator: Arc<Generator>,
    idle: Mutex<IdleList>,
    /// How many may be idle.
    most_idle: usize,
}

#[derive(Default)]
struct IdleList {
    /// The one that was given back last is the next to be taken: its memory is still in the processor's caches.
    interpreters: Vec<Idle>,
    /// Changes when all interpreters are to be replaced by new ones.
    generation: u64,
}

struct Idle {
    // In a box, because it is handed around for each script.
    interpreter: Box<Interpreter>,
    memory_bytes: usize,
}

/// An interpreter that a thread has taken; given back when it is dropped.
pub struct Lease<'a> {
    pool: &'a Pool,
    generation: u64,
    /// `None` only while it is dropped.
    interpreter: Option<Box<Interpreter>>,
}

impl Pool {
    /// Without any interpreter yet.
    pub fn new(kind: Kind, generator: Arc<Generator>) -> Pool {
        Pool {
            kind,
            generator,
            idle: Mutex::default(),
            most_idle: MOST_IDLE.max(thread::available_parallelism().map_or(1, usize::from)),
        }
    }

    /// Takes an interpreter.
    ///
    /// # Errors
    /// The text of the error, without the code ERR: there is not enough memory for a new one.
    pub fn take(&self) -> Result<Lease<'_>, String> {
        let mut list = self.idle();
        let generation = list.generation;
        let idle = list.interpreters.pop();
        drop(list);
        let interpreter = match idle {
            Some(idle) => idle.interpreter,
            None => Interpreter::new(self.kind, self.generator.clone())
                .map(Box::new)
                .map_err(|error| format!("cannot make an interpreter: {error}"))?,
        };
        Ok(Lease {
            pool: self,
            generation,
            interpreter: Some(interpreter),
        })
    }

    /// Replaces all interpreters by new ones: those that are in use when they are given back.
    pub fn renew(&self) {
        let mut list = self.idle();
        list.generation += 1;
        let old = std::mem::take(&mut list.interpreters);
        // They are freed without the mutex.
        drop(list);
        drop(old);
    }

    /// Bytes of memory of the interpreters that are idle.
    pub fn memory_bytes(&self) -> usize {
        let list = self.idle();
        list.interpreters.iter().map(|idle| idle.memory_bytes).sum()
    }

    fn idle(&self) -> MutexGuard<'_, IdleList> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Pool")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl Deref for Lease<'_> {
    type Target = Interpreter;

    fn deref(&self) -> &Interpreter {
        self.interpreter.as_ref().expect("it is not dropped yet")
    }
}

impl DerefMut for Lease<'_> {
    fn deref_mut(&mut self) -> &mut Interpreter {
        self.interpreter.as_mut().expect("it is not dropped yet")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let Some(interpreter) = self.interpreter.take() else {
            return;
        };
        let Some(memory_bytes) = interpreter.fit_bytes() else {
            return;
        };
        // A panic may have left it with a script half run.
        if thread::panicking() {
            return;
        }
        let mut list = self.pool.idle();
        if self.generation == list.generation && list.interpreters.len() < self.pool.most_idle {
            list.interpreters.push(Idle {
                interpreter,
                memory_bytes,
            });
        }
    }
}
