//! `my_redis_client`, compared with the real redis-cli: both run the same command lines against the same server, and
//! print the same bytes and end with the same status.

mod commands;
mod duel;
mod inspection;
mod messages;
mod modes;
mod on_terminal;
mod our_server;
mod prompt;
mod replies;
mod scripted_server;
mod terminal;
mod transfers;
mod valkey;
mod wire;
