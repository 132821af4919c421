//! The number of nodes that Redis' radix tree (`rax.c`) has for the blocks of a stream: XINFO STREAM tells it. There is
//! no such tree here, so it is computed from the keys.
//!
//! The tree has a node for each place where keys part (a fork), for each end of a key, and for each chain of bytes
//! between two of these. Behind a fork, one byte of each key belongs to the fork:
//!
//! ```text
//! AAAA ─┐
//! AABA ─┼─▶  chain A ─ fork A┬─ fork A┬─ chain A ─ end        AAAA
//! ABAA ─┘                    │        └─ chain A ─ end        AABA (B is in the fork)
//!                            └─ chain AA ─ end                ABAA: 9 nodes
//! ```

/// The number of nodes of a tree with these keys, which ascend and have one length.
pub(super) fn nodes<const BYTES: usize>(mut keys: impl Iterator<Item = [u8; BYTES]>) -> usize {
    let Some(mut key) = keys.next() else {
        return 1;
    };
    // The depths of the places where the keys so far part, from the root to the current key.
    let mut forks: Vec<usize> = Vec::new();
    let has_chain = |parent: Option<&usize>, depth: usize| match parent {
        Some(parent) => depth > parent + 1,
        None => depth > 0,
    };
    let mut nodes = 0;
    for next in keys.map(Some).chain([None]) {
        // The depth at which the next key parts from this one.
        let fork = next.map(|next| {
            let pairs = key.iter().zip(&next);
            pairs.take_while(|(own, other)| own == other).count()
        });
        let parent = forks.last().copied().max(fork);
        nodes += 1 + usize::from(has_chain(parent.as_ref(), BYTES));
        // Forks deeper than the next one are complete.
        while let Some(depth) = forks.pop_if(|depth| Some(*depth) > fork) {
            let parent = forks.last().copied().max(fork);
            nodes += 1 + usize::from(has_chain(parent.as_ref(), depth));
        }
        if let Some(fork) = fork
            && forks.last() != Some(&fork)
        {
            forks.push(fork);
        }
        key = next.unwrap_or(key);
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Redis 7.2.4 tells of such trees, and drawings by hand.
    #[test]
    fn nodes_of_radix_trees() {
        for (keys, expected) in [
            (&[][..], 1),
            // ABCD -> end
            (&[*b"ABCD"][..], 2),
            // ABC -> fork DE -> two ends
            (&[*b"ABCD", *b"ABCE"], 4),
            // fork AB -> two chains -> two ends
            (&[*b"AAAA", *b"BAAA"], 5),
            // A -> fork AB -> (fork AB -> two chains -> two ends), (AA -> end)
            (&[*b"AAAA", *b"AABA", *b"ABAA"], 9),
        ] {
            assert_eq!(nodes(keys.iter().copied()), expected, "{keys:?}");
        }
    }
}
