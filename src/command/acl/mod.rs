//! What users may do, as far as the table of commands says it. The users themselves are in [`crate::state::acl`].
//!
//! | file | what it does |
//! |---|---|
//! | `check.rs` | compares a request with what its user may do |
//! | `rules.rs` | reads rules: `on >secret ~cached:* +@read` |
//! | `declared.rs` | users in redis.conf and in the file that `aclfile` names |

pub mod check;
pub mod declared;
pub mod rules;
