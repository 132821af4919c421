//! Tests of the RDB layer as a whole.

mod cost;
mod crash;
mod faults;
mod hostile;
mod real_tools;
mod saved;
mod stream_faults;
mod streams;
