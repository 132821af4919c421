//! The true size of blocks of memory: the allocator has blocks of certain sizes, and a request gets the next larger
//! one.

/// The size of the block that a request for `requested` bytes gets. jemalloc's sizes are multiples of 16 up to 128;
/// beyond, there are four sizes between a power of two and the next.
pub fn block_bytes(requested: usize) -> usize {
    match requested {
        0 => 0,
        1..=8 => 8,
        9..=128 => requested.next_multiple_of(16),
        _ => requested.next_multiple_of(1 << ((requested - 1).ilog2() - 2)),
    }
}

/// The block of a shared `T`, which begins with its reference count.
pub fn shared_bytes<T>() -> usize {
    block_bytes(size_of::<usize>() + size_of::<T>())
}

/// The block of a vector, the spare room included.
pub fn vec_bytes<T>(vector: &Vec<T>) -> usize {
    block_bytes(vector.capacity() * size_of::<T>())
}

/// The indexes of up to `samples` samples out of `len` elements, evenly spread.
pub fn spread(samples: usize, len: usize) -> impl ExactSizeIterator<Item = usize> {
    let samples = samples.min(len);
    (0..samples).map(move |sample| sample * len / samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size classes that jemalloc's manual lists.
    #[test]
    fn sizes_of_blocks() {
        for (requested, block) in [
            (0, 0),
            (1, 8),
            (9, 16),
            (100, 112),
            (128, 128),
            (129, 160),
            (256, 256),
            (257, 320),
            (1025, 1280),
            (1792, 1792),
            (1793, 2048),
            (4097, 5120),
            (1 << 20, 1 << 20),
            ((1 << 20) + 1, 5 << 18),
        ] {
            assert_eq!(block_bytes(requested), block, "{requested}");
        }
    }

    #[test]
    fn samples_are_spread() {
        assert_eq!(spread(3, 9).collect::<Vec<_>>(), [0, 3, 6]);
        assert_eq!(spread(9, 3).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(spread(9, 0).len(), 0);
    }
}
