//! How many files the process may have open. A socket is a file too.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lets the process open this many files, or as many as the system allows it; how many it may open then. A limit that
/// is higher already stays.
pub fn raise_limit(wanted: u64) -> u64 {
    let old = getrlimit(Resource::Nofile);
    let current = old.current.unwrap_or(u64::MAX);
    if current >= wanted {
        return current;
    }
    let possible = old.maximum.map_or(wanted, |most| most.min(wanted));
    let new = Rlimit {
        current: Some(possible),
        maximum: old.maximum,
    };
    match setrlimit(Resource::Nofile, new) {
        Ok(()) => possible,
        Err(_) => current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_up_to_what_the_system_allows_and_never_lowered() {
        let limits = || getrlimit(Resource::Nofile);
        let old = limits();
        assert_eq!(Some(raise_limit(1)), old.current);
        assert_eq!(limits(), old);
        let most = old.maximum.expect("Linux and macOS have a limit");
        assert_eq!(raise_limit(u64::MAX), most);
        assert_eq!(limits().current, Some(most));
        assert_eq!(raise_limit(1), most);
    }
}
