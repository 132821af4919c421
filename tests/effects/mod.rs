//! What commands are replayed as. An append-only file and replicas will be made of these effects, so they must lead
//! another keyspace, of our server or of a real one, to the same data.

pub mod facts;
mod instance;
pub mod random;
mod streams;
mod table;
mod upstream;
pub mod workload;
