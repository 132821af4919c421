//! Tests of the RDB layer as a whole.

mod hostile;
mod real_tools;
mod streams;
