//! Tests of the RDB layer as a whole.

mod cost;
mod crash;
mod faults;
mod hostile;
mod real_tools;
mod stream_faults;
mod streams;
mod test_disk;
