//! Reading redis.conf: lines of a directive and its arguments, comments that start with `#`, quotes as in
//! [`quoting`].
//!
//! ```text
//! # where clients connect
//! port 6380
//! save 300 1
//! requirepass "two words"
//! include /etc/redis/local.conf
//! ```

use crate::REDIS_VERSION;
use crate::state::config::{Config, ConfigError};
use crate::util::{quoting, system_message};
use std::fmt;

/// The deepest nesting of `include`: a file that includes itself is an error.
const MAX_INCLUDE_DEPTH: usize = 16;

/// Why the server cannot start with this file. `Display` gives Redis' text.
#[derive(Debug, PartialEq, Eq)]
pub enum FileError {
    /// The file cannot be read.
    Unreadable {
        /// The path as it was given.
        path: String,
        /// The operating system's words.
        reason: String,
    },
    /// A line is wrong.
    Line {
        /// Counted from 1, in the file that holds it.
        number: usize,
        /// Without blanks around it.
        line: String,
        /// The fault.
        reason: String,
    },
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            FileError::Unreadable { path, reason } => {
                write!(f, "Fatal error, can't open config file '{path}': {reason}")
            }
            FileError::Line {
                number,
                line,
                reason,
            } => {
                writeln!(
                    f,
                    "\n*** FATAL CONFIG FILE ERROR (Redis {REDIS_VERSION}) ***"
                )?;
                writeln!(f, "Reading the configuration file, at line {number}")?;
                writeln!(f, ">>> '{line}'")?;
                write!(f, "{reason}")
            }
        }
    }
}

impl std::error::Error for FileError {}

/// Takes the lines that are no directives: each declares something about the table of commands, which this layer does
/// not know.
pub trait Declarations {
    /// `user NAME RULE ...`: the words behind `user`.
    ///
    /// # Errors
    /// Redis' text.
    fn user(&mut self, words: &[&[u8]]) -> Result<(), String>;

    /// `rename-command NAME NEW_NAME`; without a new name the command is gone.
    ///
    /// # Errors
    /// Redis' text.
    fn rename_command(&mut self, name: &str, new_name: &str) -> Result<(), String>;
}

/// Reads the lines of files, one after the other.
pub struct Reader<'a> {
    /// Where directives go.
    pub config: &'a Config,
    /// Where other declarations go.
    pub declarations: &'a mut dyn Declarations,
    /// What is to be said in the log: of directives that have no effect in this server.
    pub warnings: Vec<String>,
}

impl Reader<'_> {
    /// Reads the file at this path.
    pub fn read_file(&mut self, path: &str) -> Result<(), FileError> {
        self.read_nested(path, 0)
    }

    /// Reads a text that is not in a file: it comes from the standard input.
    pub fn read_text(&mut self, text: &[u8]) -> Result<(), FileError> {
        self.read_lines(text, 0)
    }

    /// Takes one line, or one option of the command line: a name in lower case, and what follows it.
    pub fn set(&mut self, name: &str, arguments: &[&str]) -> Result<(), ConfigError> {
        match (name, arguments) {
            ("rename-command", [from, to]) => self.declarations.rename_command(from, to)?,
            ("user", [_, ..]) => {
                let words: Vec<&[u8]> = arguments.iter().map(|word| word.as_bytes()).collect();
                self.declarations.user(&words)?;
            }
            ("loadmodule", [_, ..]) => return Err(not_supported(name, "it loads no modules")),
            // Redis has removed these directives and ignores them.
            (
                "list-max-ziplist-entries" | "list-max-ziplist-value" | "lua-replicate-commands",
                [_],
            ) => {}
            ("sentinel", [_, ..]) => {
                return Err("sentinel directive while not in sentinel mode".into());
            }
            _ if name.contains('.') && arguments.len() != 1 => {
                return Err("Module config specified without value".into());
            }
            _ if name.contains('.') => {
                return Err(
                    "Module Configuration detected without loadmodule directive or no ApplyConfig call: \
                     aborting"
                        .into(),
                );
            }
            _ => self
                .warnings
                .extend(self.config.set_initial(name, arguments)?),
        }
        Ok(())
    }

    fn read_nested(&mut self, path: &str, depth: usize) -> Result<(), FileError> {
        let unreadable = |reason| FileError::Unreadable {
            path: path.to_string(),
            reason,
        };
        if depth > MAX_INCLUDE_DEPTH {
            return Err(unreadable("too many levels of include".to_string()));
        }
        let text = std::fs::read(path).map_err(|error| unreadable(system_message(&error)))?;
        self.read_lines(&text, depth)
    }

    /// Reads the files of an `include`: one path, or a pattern, which may match no file.
    fn read_included(&mut self, path: &str, depth: usize) -> Result<(), FileError> {
        if !path.contains(['*', '?', '[']) {
            return self.read_nested(path, depth);
        }
        let unreadable = |reason: &dyn fmt::Display| FileError::Unreadable {
            path: path.to_string(),
            reason: reason.to_string(),
        };
        for found in glob::glob(path).map_err(|error| unreadable(&error))? {
            let found = found.map_err(|error| unreadable(&error))?;
            self.read_nested(&found.to_string_lossy(), depth)?;
        }
        Ok(())
    }

    fn read_lines(&mut self, text: &[u8], depth: usize) -> Result<(), FileError> {
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line[0] == b'#' {
                continue;
            }
            let wrong = |reason: ConfigError| FileError::Line {
                number: index + 1,
                line: String::from_utf8_lossy(line).into_owned(),
                reason: reason.to_string(),
            };
            let words = quoting::split_arguments(line)
                .map_err(|_| wrong("Unbalanced quotes in configuration line".into()))?;
            // Names and patterns of a user may be any bytes.
            if let [name, words @ ..] = words.as_slice()
                && name.eq_ignore_ascii_case(b"user")
                && !words.is_empty()
            {
                let words: Vec<&[u8]> = words.iter().map(|word| &**word).collect();
                let taken = self.declarations.user(&words);
                taken.map_err(|error| wrong(error.into()))?;
                continue;
            }
            let words = texts(words).map_err(wrong)?;
            let Some((name, arguments)) = words.split_first() else {
                continue;
            };
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            if let ("include", [path]) = (name.as_str(), arguments.as_slice()) {
                self.read_included(path, depth + 1)?;
            } else {
                self.set(name, &arguments).map_err(wrong)?;
            }
        }
        Ok(())
    }
}

/// The words of a line as text, the first in lower case.
fn texts(words: Vec<Vec<u8>>) -> Result<Vec<String>, ConfigError> {
    let mut utf8: Vec<String> = words
        .into_iter()
        .map(String::from_utf8)
        .collect::<Result<_, _>>()
        .map_err(|_| "argument is not UTF-8")?;
    if let Some(name) = utf8.first_mut() {
        name.make_ascii_lowercase();
    }
    Ok(utf8)
}

/// The error for a directive that this server does not support.
pub(super) fn not_supported(name: &str, reason: &str) -> ConfigError {
    format!("'{name}' is not supported by this server: {reason}").into()
}

#[cfg(test)]
pub(super) mod without_declarations {
    use super::*;

    struct Nothing;

    impl Declarations for Nothing {
        fn user(&mut self, _: &[&[u8]]) -> Result<(), String> {
            Ok(())
        }

        fn rename_command(&mut self, _: &str, _: &str) -> Result<(), String> {
            Ok(())
        }
    }

    /// Sets the directives of a text; returns the warnings.
    pub(in crate::state::config) fn load_text(
        config: &Config,
        text: &[u8],
    ) -> Result<Vec<String>, FileError> {
        read(config, |reader| reader.read_text(text))
    }

    /// Sets the directives of a file; returns the warnings.
    pub(in crate::state::config) fn load(
        config: &Config,
        path: &str,
    ) -> Result<Vec<String>, FileError> {
        read(config, |reader| reader.read_file(path))
    }

    fn read(
        config: &Config,
        read: impl FnOnce(&mut Reader) -> Result<(), FileError>,
    ) -> Result<Vec<String>, FileError> {
        let mut reader = Reader {
            config,
            declarations: &mut Nothing,
            warnings: vec![],
        };
        read(&mut reader)?;
        Ok(reader.warnings)
    }
}

#[cfg(test)]
mod tests {
    use super::without_declarations::{load, load_text};
    use super::*;
    use crate::state::config::table;

    #[test]
    fn lines_are_set() {
        let config = Config::default();
        let text = b"# port 1\n\n  PORT   7715  \r\nsave 900 1\nsave 300 10\nlogfile \"a b.log\"\n\
            hash-max-ziplist-entries 100\nlist-max-ziplist-entries 5\ndatabases 4";
        assert_eq!(load_text(&config, text), Ok(vec![]));
        assert_eq!((config.port.get(), config.databases.get()), (7715, 4));
        assert_eq!(config.save_points(), [(900, 1), (300, 10)]);
        assert_eq!(&*config.logfile.get(), "a b.log");
        assert_eq!(config.hash_max_listpack_entries.get(), 100);
    }

    #[test]
    fn what_has_no_effect_is_warned_of_and_promises_are_refused() {
        let config = Config::default();
        let text =
            b"hz 20\ntls-port 0\nrdb-del-sync-files yes\nio-threads 4\nmaxmemory 0\nrequirepass \"\"\n";
        let warnings = load_text(&config, text).unwrap();
        let names = warnings
            .iter()
            .filter_map(|warning| warning.split('\'').nth(1));
        assert!(names.eq(["hz", "rdb-del-sync-files", "io-threads"]));
        for line in [
            "loadmodule /x.so a",
            "tls-port 6380",
            "cluster-enabled yes",
            "daemonize yes",
        ] {
            let error = load_text(&config, line.as_bytes()).unwrap_err().to_string();
            let word = line.split(' ').next().unwrap();
            let name = table::find(word).map_or(word, |(directive, _)| directive.name);
            let reason = format!(">>> '{line}'\n'{name}' is not supported by this server: ");
            assert!(error.contains(&reason), "{error}");
        }
    }

    /// The messages of redis-server 7.0.15, but for the version.
    #[test]
    fn wrong_lines_are_shown() {
        let check = |text: &str, number: usize, line: &str, reason: &str| {
            let error = load_text(&Config::default(), text.as_bytes()).unwrap_err();
            let expected = format!(
                "\n*** FATAL CONFIG FILE ERROR (Redis {REDIS_VERSION}) ***\n\
                 Reading the configuration file, at line {number}\n>>> '{line}'\n{reason}"
            );
            assert_eq!(error.to_string(), expected);
        };
        let bad = "Bad directive or wrong number of arguments";
        check("foo bar\n", 1, "foo bar", bad);
        check(
            "\n# c\nport abc\n",
            3,
            "port abc",
            "argument couldn't be parsed into an integer",
        );
        check("port 1 2\n", 1, "port 1 2", "wrong number of arguments");
        check(
            "maxmemory \"1\n",
            1,
            "maxmemory \"1",
            "Unbalanced quotes in configuration line",
        );
        check("include\n", 1, "include", bad);
        check("user\n", 1, "user", bad);
        check("lua-replicate-commands\n", 1, "lua-replicate-commands", bad);
        check(
            "sentinel x\n",
            1,
            "sentinel x",
            "sentinel directive while not in sentinel mode",
        );
        check("a.b\n", 1, "a.b", "Module config specified without value");
        check("save 1\n", 1, "save 1", "Invalid save parameters");
        check("replicaof a b\n", 1, "replicaof a b", "Invalid master port");
        check(
            "dir /nonexist\n",
            1,
            "dir /nonexist",
            "No such file or directory",
        );
    }

    #[test]
    fn files_include_files() {
        let directory =
            std::env::temp_dir().join(format!("config_file_test_{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = |name: &str| directory.join(name).to_str().unwrap().to_string();
        std::fs::write(
            path("main.conf"),
            format!("port 1\ninclude {}\n", path("other.conf")),
        )
        .unwrap();
        std::fs::write(path("other.conf"), "port 2\n").unwrap();
        std::fs::write(
            path("loop.conf"),
            format!("include {}\n", path("loop.conf")),
        )
        .unwrap();
        std::fs::write(path("broken.conf"), "include nope.conf\n").unwrap();
        std::fs::write(path("some.conf"), format!("include {}\n", path("ot*.conf"))).unwrap();
        std::fs::write(path("none.conf"), format!("include {}\n", path("x*.conf"))).unwrap();
        let config = Config::default();
        assert_eq!(load(&config, &path("main.conf")), Ok(vec![]));
        assert_eq!(config.port.get(), 2);
        assert!(load(&config, &path("loop.conf")).is_err());
        let config = Config::default();
        assert_eq!(load(&config, &path("none.conf")), Ok(vec![]));
        assert_eq!(config.port.get(), 6379);
        assert_eq!(load(&config, &path("some.conf")), Ok(vec![]));
        assert_eq!(config.port.get(), 2);
        assert_eq!(
            load(&config, &path("broken.conf")).unwrap_err().to_string(),
            "Fatal error, can't open config file 'nope.conf': No such file or directory"
        );
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
