//! A user: whether it is on, its passwords, and what it may do.

use super::password::Digest;
use super::selector::Selector;

/// A user at one moment. It never changes; ACL SETUSER makes a new one of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Whether a client may log in as this user.
    pub is_on: bool,
    /// Whether every password is right.
    pub needs_no_password: bool,
    /// Whether what the user sends in RESTORE is checked as `sanitize-dump-payload` says. Here it is always checked.
    pub sanitizes_payload: bool,
    passwords: Vec<Digest>,
    /// What the user may do. The rules outside of parentheses.
    pub root: Selector,
    /// What it may do besides: a selector for each pair of parentheses.
    pub selectors: Vec<Selector>,
}

impl Default for User {
    /// Off, without a password, and nothing is permitted.
    fn default() -> User {
        User {
            is_on: false,
            needs_no_password: false,
            sanitizes_payload: true,
            passwords: Vec::new(),
            root: Selector::default(),
            selectors: Vec::new(),
        }
    }
}

impl User {
    /// On, without a password, and everything is permitted: the user `default` until it is changed.
    pub fn unrestricted() -> User {
        User {
            is_on: true,
            needs_no_password: true,
            root: Selector::unrestricted(),
            ..User::default()
        }
    }

    /// All selectors, the root first.
    pub fn all_selectors(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.root).chain(&self.selectors)
    }

    /// Whether the user may give every command on every key and channel.
    pub fn may_do_all(&self) -> bool {
        self.all_selectors().any(Selector::may_do_all)
    }

    /// The digests of its passwords.
    pub fn passwords(&self) -> &[Digest] {
        &self.passwords
    }

    /// Whether this is the digest of one of its passwords. All are compared, so that the time does not tell which.
    pub fn has_password(&self, digest: &Digest) -> bool {
        let right = self.passwords.iter().filter(|known| known.equals(digest));
        right.count() > 0
    }

    /// Adds a password; from now on the user needs one.
    pub fn add_password(&mut self, digest: Digest) {
        if !self.has_password(&digest) {
            self.passwords.push(digest);
        }
        self.needs_no_password = false;
    }

    /// Removes a password; `false` if it is none.
    pub fn remove_password(&mut self, digest: &Digest) -> bool {
        let before = self.passwords.len();
        self.passwords.retain(|known| !known.equals(digest));
        self.passwords.len() < before
    }

    /// Removes all passwords; without one, no client can log in as this user.
    pub fn forget_passwords(&mut self) {
        self.passwords.clear();
        self.needs_no_password = false;
    }

    /// The words for what is on and off, in the order in which Redis shows them.
    pub fn flags(&self) -> Vec<&'static str> {
        let on = if self.is_on { "on" } else { "off" };
        let sanitize = match self.sanitizes_payload {
            true => "sanitize-payload",
            false => "skip-sanitize-payload",
        };
        let nopass = Some("nopass").filter(|_| self.needs_no_password);
        [Some(on), nopass, Some(sanitize)]
            .into_iter()
            .flatten()
            .collect()
    }

    /// The user as a line of a file has it behind its name: flags, digests of passwords, rules.
    pub fn rules(&self) -> Vec<u8> {
        let flags = self
            .flags()
            .into_iter()
            .map(|flag| flag.as_bytes().to_vec());
        let passwords = self.passwords.iter();
        let passwords = passwords.map(|digest| format!("#{digest}").into_bytes());
        let selectors = self.selectors.iter();
        let selectors = selectors.map(|selector| [b"(", &selector.rules()[..], b")"].concat());
        let parts = flags.chain(passwords).chain([self.root.rules()]);
        parts.chain(selectors).collect::<Vec<_>>().join(&b' ')
    }
}
