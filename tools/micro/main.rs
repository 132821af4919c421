//! How long the parts take, each beside the obvious alternative: why things are as they are.
//!
//! ```sh
//! cargo bench --bench micro                     # all, some minutes
//! cargo bench --bench micro -- dict             # those with this in their names
//! ```
//!
//! The columns are times of one sample; the rates below them are items or bytes per second.

mod checksum;
mod dict;
mod dump;
mod protocol;
mod sorted_set;

fn main() {
    divan::main();
}
