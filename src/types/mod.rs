//! The data structures behind the Redis types; pure: no key, clock, lock, config or reply.
//!
//! [`packed`] and [`pairs`] keep few elements in one block, [`dict`] keeps many; [`list`], [`hash`], [`set`] and
//! [`sorted_set`] are built on them. [`ordered_map`] keeps entries in the order of their keys; [`stream`] is built on
//! it. [`bitmap`], [`hyperloglog`] and [`geo`] say what strings and scores may mean. [`blocks`] computes their memory.

pub mod bitmap;
pub mod blocks;
pub mod dict;
pub mod draw;
pub mod edit;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
pub mod limits;
pub mod list;
pub mod listpack;
pub mod ordered_map;
pub mod packed;
pub mod pairs;
pub mod set;
pub mod sorted_set;
pub mod stream;
pub mod string;
