//! What a script says of itself: `#!lua flags=no-writes`, or the flags of a function.
//! <https://redis.io/docs/latest/develop/interact/programmability/lua-api/#script_flags>

/// Some of the flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScriptFlags(u8);

/// In the order in which FUNCTION LIST shows them.
const NAMES: [&str; 5] = [
    "no-writes",
    "allow-oom",
    "allow-stale",
    "no-cluster",
    "allow-cross-slot-keys",
];

impl ScriptFlags {
    /// The script changes nothing.
    pub const NO_WRITES: ScriptFlags = ScriptFlags(1);
    /// The script runs although memory is short.
    pub const ALLOW_OOM: ScriptFlags = ScriptFlags(2);
    /// The script runs on a replica whose data may be old.
    pub const ALLOW_STALE: ScriptFlags = ScriptFlags(4);

    /// The flag of this name.
    pub fn named(name: &[u8]) -> Option<ScriptFlags> {
        let index = NAMES.iter().position(|known| known.as_bytes() == name)?;
        Some(ScriptFlags(1 << index))
    }

    /// Adds flags.
    pub fn add(&mut self, others: ScriptFlags) {
        self.0 |= others.0;
    }

    /// Whether all of these are among them.
    pub fn has(self, others: ScriptFlags) -> bool {
        self.0 & others.0 == others.0
    }

    /// Their names.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let is_set = move |(index, _): &(usize, &&str)| self.0 & (1 << index) != 0;
        NAMES
            .iter()
            .enumerate()
            .filter(is_set)
            .map(|(_, name)| *name)
    }
}
