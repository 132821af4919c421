//! How much memory a piece of code asks for.

use tikv_jemalloc_ctl::thread;

/// Calls `run`, and returns how many bytes this thread allocated meanwhile, also those that it gave back at once. So it
/// is at least what was held at any moment; a vector that grows by doubling counts about twice.
pub fn allocated_by<T>(run: impl FnOnce() -> T) -> (T, u64) {
    thread_local! {
        static ALLOCATED: thread::ThreadLocal<u64> =
            thread::allocatedp::read().expect("the allocator keeps statistics");
    }
    let before = ALLOCATED.with(|allocated| allocated.get());
    let result = run();
    (result, ALLOCATED.with(|allocated| allocated.get()) - before)
}
