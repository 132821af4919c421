//! Where a session goes when it connects: the command line says it first, and commands such as `connect` and SELECT
//! change it.

use crate::address::Address;

/// Where a session goes.
pub struct Target {
    pub address: Address,
    /// The user who logs in; the default user if there is none.
    pub user: Option<Vec<u8>>,
    /// Without a password there is no login.
    pub password: Option<Vec<u8>>,
    /// The database that is selected, also by a connection that replaces a lost one.
    pub database: i64,
}

impl Target {
    /// The AUTH of a new connection.
    pub fn login(&self) -> Option<Vec<Vec<u8>>> {
        let password = self.password.clone()?;
        let words = [Some(b"AUTH".to_vec()), self.user.clone(), Some(password)];
        Some(words.into_iter().flatten().collect())
    }
}
