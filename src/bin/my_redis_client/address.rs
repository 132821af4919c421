//! Where the server is: a host and a port, or a Unix socket; and the URI that names it with a user and a database.
//!
//! ```text
//! redis://ann:secret@example.org:6379/2
//!         user      host         port database      every part after the scheme may be missing
//! ```

use crate::c_number;
use std::fmt;
use std::path::PathBuf;

/// Where the server is.
#[derive(Clone, Debug, PartialEq)]
pub enum Address {
    /// Over TCP.
    Tcp {
        /// A name or an IP address.
        host: String,
        port: u16,
    },
    /// Over a Unix socket.
    Unix(PathBuf),
}

/// As error messages have it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Address::Tcp { host, port } => write!(f, "{host}:{port}"),
            Address::Unix(path) => path.display().fmt(f),
        }
    }
}

impl Address {
    /// As the prompt has it: an IPv6 address stands in brackets.
    pub fn for_prompt(&self) -> String {
        match self {
            Address::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Address::Tcp { .. } => self.to_string(),
            Address::Unix(path) => format!("redis {}", path.display()),
        }
    }
}

/// The port of a number. redis-cli takes the lower 16 bits of any number; we refuse one that is no port, because the
/// user would reach another server than the one that is meant.
pub fn port(number: i64) -> Result<u16, &'static str> {
    u16::try_from(number).map_err(|_| "Invalid server port.")
}

/// What a URI says. What it does not say is `None`.
#[derive(Debug, Default, PartialEq)]
pub struct Uri {
    pub user: Option<Vec<u8>>,
    pub password: Option<Vec<u8>>,
    pub host: Option<String>,
    /// As it is written: perhaps no [`port`].
    pub port: Option<i64>,
    pub database: Option<i64>,
}

impl Uri {
    /// Reads a URI as redis-cli does, which takes whatever begins with `redis://`. The error is a line for the user.
    pub fn parse(text: &str) -> Result<Uri, &'static str> {
        let scheme_is = |scheme: &str| {
            let start = text.get(..scheme.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        if scheme_is("rediss://") {
            return Err("rediss:// is TLS, which this client does not have: use stunnel");
        }
        if !scheme_is("redis://") {
            return Err("Invalid URI scheme");
        }
        let mut uri = Uri::default();
        let mut rest = &text["redis://".len()..];
        if let Some((login, behind)) = rest.split_once('@') {
            let password = match login.split_once(':') {
                Some((user, password)) => {
                    uri.user = Some(percent_decode(user)?);
                    password
                }
                None => login,
            };
            uri.password = Some(percent_decode(password)?);
            rest = behind;
        }
        if rest.is_empty() {
            return Ok(uri);
        }
        let (place, path) = match rest.split_once('/') {
            Some((place, path)) => (place, path),
            None => (rest, ""),
        };
        if !rest.starts_with('/') {
            uri.set_place(place);
        }
        if !path.is_empty() {
            uri.database = Some(c_number::integer(path.as_bytes()));
        }
        Ok(uri)
    }

    /// Sets the host and the port from `host:port` or `[host]:port`.
    fn set_place(&mut self, place: &str) {
        let (host, port) = match place.strip_prefix('[') {
            Some(inner) => match inner.split_once(']') {
                Some((host, behind)) => (host, behind.strip_prefix(':')),
                None => (inner, None),
            },
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        self.host = Some(host.to_string());
        self.port = port.map(|port| c_number::integer(port.as_bytes()));
    }
}

/// The bytes that `%HH` stand for.
fn percent_decode(text: &str) -> Result<Vec<u8>, &'static str> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let high = bytes.next().ok_or("Incomplete URI encoding")?;
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        match (digit(high), bytes.next().and_then(digit)) {
            (Some(high), Some(low)) => decoded.push(high << 4 | low),
            _ => return Err("Illegal character in URI encoding"),
        }
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_may_be_missing() {
        let parse = |text| Uri::parse(text).unwrap();
        assert_eq!(parse("redis://"), Uri::default());
        let full = Uri {
            user: Some(b"ann".to_vec()),
            password: Some(b"p@:".to_vec()),
            host: Some("example.org".into()),
            port: Some(7000),
            database: Some(2),
        };
        assert_eq!(parse("REDIS://ann:p%40%3a@example.org:7000/2"), full);
        assert_eq!(parse("redis://pw@").password, Some(b"pw".to_vec()));
        assert_eq!(parse("redis:///3").database, Some(3));
        assert_eq!(parse("redis://[::1]:7000").host, Some("::1".into()));
        assert_eq!(parse("redis://[::1]:7000").port, Some(7000));
        assert_eq!(parse("redis://host/").host, Some("host".into()));
    }

    #[test]
    fn faults_are_told() {
        assert_eq!(Uri::parse("http://x"), Err("Invalid URI scheme"));
        assert_eq!(Uri::parse("redis://%@x"), Err("Incomplete URI encoding"));
        for uri in ["redis://%4@x", "redis://%4x@x"] {
            assert_eq!(Uri::parse(uri), Err("Illegal character in URI encoding"));
        }
    }
}
