//! How large a collection may grow before it leaves its compact form.

/// The limits of a compact form, as the directives `*-max-listpack-entries` and `*-max-listpack-value` set them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactLimits {
    /// Most elements (fields of a hash) the compact form may hold.
    pub entries: usize,
    /// Longest element, in bytes, the compact form may hold.
    pub value_bytes: usize,
}

/// The limits of the forms in which a set is no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetLimits {
    /// Most members while all are integers: `set-max-intset-entries`.
    pub integers: usize,
    /// The limits of the packed block.
    pub compact: CompactLimits,
}
