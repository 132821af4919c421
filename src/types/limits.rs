//! How large a collection may grow before it leaves its compact form.

use super::list::BlockLimit;

/// The limits of all types.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of the blocks of lists.
    pub list: BlockLimit,
    /// Of hashes.
    pub hash: CompactLimits,
    /// Of sets.
    pub set: SetLimits,
    /// Of sorted sets.
    pub sorted_set: CompactLimits,
}

/// The limits of a compact form, as the directives `*-max-listpack-entries` and `*-max-listpack-value` set them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactLimits {
    /// Most elements (fields of a hash) the compact form may hold.
    pub entries: usize,
    /// Longest element, in bytes, the compact form may hold.
    pub value_bytes: usize,
}

/// The limits of the two compact forms of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetLimits {
    /// Most members while all are integers: `set-max-intset-entries`.
    pub integers: usize,
    /// The limits of the packed block.
    pub compact: CompactLimits,
}
