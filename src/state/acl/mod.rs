//! Users and what they may do: <https://redis.io/docs/management/security/acl/>.
//!
//! | file | what it holds |
//! |---|---|
//! | `mod.rs` | [`Acl`]: all users by name; who logs in as which |
//! | `user.rs` | [`User`]: on or off, passwords, selectors |
//! | `selector.rs` | [`Selector`]: commands, keys and channels that may be used together |
//! | `password.rs` | digests of passwords |
//! | `log.rs` | [`AclLog`]: what was refused |
//!
//! What a rule such as `+@read` means depends on the table of commands, so rules are read in `command/acl`. Here
//! commands are numbers.
//!
//! # Thread safety
//! A session holds the [`Account`] of its user. The account's [`User`] is never changed but replaced as a whole: a
//! thread that checks a request sees the rules before a change or after it, and never a mixture. ACL SETUSER replaces
//! it for all sessions at once.
//!
//! # Invariants
//! 1. The table of accounts is locked while users change: of two threads that change one user, the second sees what
//!    the first has done. The lock of an account's user is taken under it, and no other.
//! 2. The account `default` exists always.
//! 3. An account that has been deleted may do nothing, so a session that still holds it is refused.

mod log;
mod password;
mod selector;
mod user;

pub use log::{AclLog, Context, Denied, Entry};
pub use password::{Digest, random_password};
pub use selector::{KeyPattern, KeyRights, Patterns, Selector};
pub use user::User;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

/// The name of the user that a new connection has.
pub const DEFAULT: &[u8] = b"default";

/// A user by name. Sessions share it, so that a change of the user is seen by all of them.
pub struct Account {
    /// The name.
    pub name: Box<[u8]>,
    user: RwLock<Arc<User>>,
    /// Whether the user may do everything. Most users of most servers may, and then a request costs one load.
    may_do_all: AtomicBool,
}

impl Account {
    fn new(name: &[u8], user: User) -> Account {
        Account {
            name: name.into(),
            may_do_all: AtomicBool::new(user.may_do_all()),
            user: RwLock::new(Arc::new(user)),
        }
    }

    /// One that may do everything, and that no client can log in as.
    pub fn unrestricted() -> Arc<Account> {
        Arc::new(Account::new(b"", User::unrestricted()))
    }

    /// What the user may do at this moment.
    pub fn user(&self) -> Arc<User> {
        self.user
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether the user may give every command on every key and channel.
    #[inline]
    pub fn may_do_all(&self) -> bool {
        self.may_do_all.load(Relaxed)
    }

    fn replace(&self, user: User) {
        self.may_do_all.store(user.may_do_all(), Relaxed);
        *self.user.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(user);
    }
}

/// Without passwords.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Account")
            .field(&String::from_utf8_lossy(&self.name))
            .finish()
    }
}

/// All users, and the log of what was refused to them.
#[derive(Debug)]
pub struct Acl {
    accounts: RwLock<Accounts>,
    default: Arc<Account>,
    /// Whether a new connection may give commands without AUTH.
    default_is_open: AtomicBool,
    /// ACL LOG.
    pub log: AclLog,
}

/// In the order of their names, which is the order of ACL LIST.
type Accounts = BTreeMap<Box<[u8]>, Arc<Account>>;

impl Default for Acl {
    /// The user `default` alone, who may do everything without a password.
    fn default() -> Acl {
        let default = Arc::new(Account::new(DEFAULT, User::unrestricted()));
        Acl {
            accounts: RwLock::new(BTreeMap::from([(DEFAULT.into(), default.clone())])),
            default,
            default_is_open: AtomicBool::new(true),
            log: AclLog::default(),
        }
    }
}

impl Acl {
    /// The account that a new connection has.
    pub fn default_account(&self) -> &Arc<Account> {
        &self.default
    }

    /// Whether the user `default` is on and needs no password, so that no client has to log in.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.default_is_open.load(Relaxed)
    }

    /// The account of this name.
    pub fn find(&self, name: &[u8]) -> Option<Arc<Account>> {
        self.read().get(name).cloned()
    }

    /// All accounts, by name.
    pub fn all(&self) -> Vec<Arc<Account>> {
        self.read().values().cloned().collect()
    }

    /// The account of this name, if it is on and this is one of its passwords.
    pub fn authenticate(&self, name: &[u8], password: &[u8]) -> Option<Arc<Account>> {
        // Computed for unknown names too, so that the time of the answer does not tell whether there is such a user.
        let digest = Digest::of(password);
        let account = self.find(name)?;
        let user = account.user();
        let is_right = user.is_on && (user.needs_no_password || user.has_password(&digest));
        is_right.then_some(account)
    }

    /// Changes a user, or creates one: `change` gets the user as it is, or one that is off and may do nothing. Returns
    /// the account with what the user was before.
    ///
    /// # Errors
    /// That of `change`; nothing is changed then.
    pub fn change<E>(
        &self,
        name: &[u8],
        change: impl FnOnce(Option<&User>) -> Result<User, E>,
    ) -> Result<(Arc<Account>, Option<Arc<User>>), E> {
        let mut accounts = self.write();
        let known = accounts.get(name).cloned();
        let before = known.as_ref().map(|account| account.user());
        let user = change(before.as_deref())?;
        let account = match known {
            Some(account) => {
                account.replace(user);
                account
            }
            None => {
                let account = Arc::new(Account::new(name, user));
                accounts.insert(name.into(), account.clone());
                account
            }
        };
        self.note_default();
        Ok((account, before))
    }

    /// Deletes a user; returns the account, which may do nothing from now on. The user `default` stays.
    pub fn delete(&self, name: &[u8]) -> Option<Arc<Account>> {
        if name == DEFAULT {
            return None;
        }
        let account = self.write().remove(name)?;
        account.replace(User::default());
        Some(account)
    }

    /// Replaces all users by those of a file; returns the accounts of those that are gone or may do something else now,
    /// but for the user `default`.
    pub fn replace_all(&self, users: BTreeMap<Box<[u8]>, User>) -> Vec<Arc<Account>> {
        let mut accounts = self.write();
        let mut changed = Vec::new();
        let is_gone = |name: &[u8]| !users.contains_key(name) && name != DEFAULT;
        let gone: Vec<Box<[u8]>> = accounts
            .keys()
            .filter(|name| is_gone(name))
            .cloned()
            .collect();
        for account in gone.iter().filter_map(|name| accounts.remove(name)) {
            account.replace(User::default());
            changed.push(account);
        }
        // As in Redis, a file without the user `default` makes it one that needs no password, whatever `requirepass`
        // says.
        if !users.contains_key(DEFAULT) {
            self.default.replace(User::unrestricted());
        }
        for (name, user) in users {
            match accounts.get(&name) {
                Some(account) if *account.user() == user => {}
                Some(account) => {
                    account.replace(user);
                    changed.push(account.clone());
                }
                None => {
                    let account = Arc::new(Account::new(&name, user));
                    accounts.insert(name, account);
                }
            }
        }
        self.note_default();
        changed.retain(|account| &*account.name != DEFAULT);
        changed
    }

    /// Puts `requirepass` into effect: the only password of the user `default`, or none if it is empty.
    pub fn set_default_password(&self, password: &str) {
        let _accounts = self.write();
        let mut user = User::clone(&self.default.user());
        user.forget_passwords();
        match password {
            "" => user.needs_no_password = true,
            password => user.add_password(Digest::of(password.as_bytes())),
        }
        self.default.replace(user);
        self.note_default();
    }

    /// Called under the lock of the table, after a change.
    fn note_default(&self) {
        let user = self.default.user();
        let is_open = user.is_on && user.needs_no_password;
        self.default_is_open.store(is_open, Relaxed);
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Accounts> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Accounts> {
        self.accounts
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deleted_account_may_do_nothing() {
        let acl = Acl::default();
        let created = acl.change::<()>(b"ann", |_| Ok(User::unrestricted()));
        let (account, before) = created.expect("it can be created");
        assert!(account.may_do_all() && before.is_none());
        assert!(acl.authenticate(b"ann", b"anything").is_some());
        assert!(acl.delete(b"ann").is_some());
        assert!(!account.may_do_all() && !account.user().is_on);
        assert!(acl.authenticate(b"ann", b"anything").is_none());
        assert!(acl.delete(DEFAULT).is_none() && acl.find(DEFAULT).is_some());
    }

    #[test]
    fn the_server_is_open_while_the_default_user_needs_no_password() {
        let acl = Acl::default();
        assert!(acl.is_open());
        acl.set_default_password("secret");
        assert!(!acl.is_open() && acl.default_account().may_do_all());
        assert!(acl.authenticate(DEFAULT, b"wrong").is_none());
        assert!(acl.authenticate(DEFAULT, b"secret").is_some());
        acl.set_default_password("");
        assert!(acl.is_open());
    }
}
