//! Tests of the RDB layer as a whole.

mod cost;
mod crash;
mod faults;
mod hostile;
mod real_tools;
mod streams;
mod test_disk;
