//! The random numbers of scripts: `math.random`, as Redis replaces it. A server whose scripts run one after the other
//! draws the same numbers on every machine.
//!
//! It is the generator of `drand48`: `x' = (0x5deece66d * x + 11) mod 2^48`, of which a draw gives the upper 31 bits.
//! As in Redis, the sequence goes on from script to script, and begins anew when a script calls `math.randomseed`.

use super::native::{self, Arguments};
use mlua::{Lua, Table};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const MULTIPLIER: u64 = 0x5_deec_e66d;
const INCREMENT: u64 = 11;
const MASK: u64 = (1 << 48) - 1;
/// The seed that a server begins with.
const FIRST_STATE: u64 = 0x1234_abcd_330e;
/// Below the 16 bits that no seed sets.
const LOWEST_BITS: u64 = 0x330e;
const MOST: f64 = i32::MAX as f64;

/// The state of the generator. All interpreters share it.
#[derive(Debug)]
pub struct Generator(AtomicU64);

impl Default for Generator {
    fn default() -> Generator {
        Generator(AtomicU64::new(FIRST_STATE))
    }
}

impl Generator {
    /// Where in the sequence it is.
    pub fn state(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Goes on from there.
    pub fn set_state(&self, state: u64) {
        self.0.store(state, Relaxed);
    }

    /// A number from 0 up to 2^31 - 1.
    fn draw(&self) -> u32 {
        let next = |state: u64| (state.wrapping_mul(MULTIPLIER) + INCREMENT) & MASK;
        let before = self
            .0
            .fetch_update(Relaxed, Relaxed, |state| Some(next(state)));
        let state = before.map_or(0, next);
        (state >> 17) as u32
    }

    fn seed(&self, seed: i32) {
        let state = u64::from(seed as u32) << 16 | LOWEST_BITS;
        self.0.store(state, Relaxed);
    }
}

/// Puts `random` and `randomseed` into the table `math`.
pub(super) fn install(lua: &Lua, math: &Table, generator: Arc<Generator>) -> mlua::Result<()> {
    let own = generator.clone();
    let random = move |arguments: &Arguments| random(&own, arguments);
    math.raw_set("random", native::reading(lua, random)?)?;
    let seed = move |arguments: &Arguments| {
        generator.seed(arguments.integer(1)? as i32);
        Ok(())
    };
    math.raw_set("randomseed", native::reading(lua, seed)?)
}

fn random(generator: &Generator, arguments: &Arguments) -> mlua::Result<f64> {
    let fraction = f64::from(generator.draw() % i32::MAX as u32) / MOST;
    // As in Redis, through 64 bits to 32.
    let integer = |position| Ok::<_, mlua::Error>(arguments.integer(position)? as i32);
    let count = arguments.values.len();
    let (lowest, highest) = match count {
        0 => return Ok(fraction),
        1 => (1, integer(1)?),
        2 => (integer(1)?, integer(2)?),
        _ => return Err(native::error("wrong number of arguments")),
    };
    if lowest > highest {
        return Err(native::argument_error(count, "interval is empty"));
    }
    // Redis computes the width in 32 bits.
    let width = highest.wrapping_sub(lowest).wrapping_add(1);
    Ok((fraction * f64::from(width)).floor() + f64::from(lowest))
}
