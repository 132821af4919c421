//! Saving and loading: what tools read, what is left by kills and full disks, transfers, and the tool `my_redis_rdb`.

mod disk_faults;
mod fixtures;
mod functions;
mod kills;
mod loading;
mod moments;
mod my_redis_rdb;
mod my_redis_rdb_streams;
mod stream_payloads;
pub mod streams;
mod tools;
mod transfer;
