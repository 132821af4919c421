//! Users that files declare: in redis.conf by lines `user NAME RULE ...`, or in the file that `aclfile` names, which
//! consists of such lines alone.
//!
//! Either all of a file takes effect, or nothing.

use super::rules::{self, RuleError, Rules, Unmatched};
use crate::state::Server;
use crate::state::acl::User;
use crate::util::{files, quoting, system_message};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// Users by name.
pub type Users = BTreeMap<Box<[u8]>, User>;

/// The end of every error of ACL LOAD.
const NOTHING_CHANGED: &str =
    "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";

/// The user that a line of redis.conf declares, in the words behind `user`.
///
/// # Errors
/// Redis' text.
pub fn of_config_line(rules: Rules, words: &[&[u8]]) -> Result<(Box<[u8]>, User), String> {
    let fault = |word: &[u8], error: &str| {
        let word = String::from_utf8_lossy(word);
        format!("Error in user declaration '{word}': {error}")
    };
    let (name, words) = words.split_first().ok_or("a user needs a name")?;
    if !rules::fits_in_file(name) {
        return Err(fault(name, "Spaces not allowed in ACL usernames"));
    }
    let merged = rules::merge_selectors(words);
    let merged = merged.map_err(|Unmatched(index)| fault(words[index], "Unmatched parenthesis"))?;
    let mut user = rules.new_user();
    for rule in merged {
        rules
            .apply(&mut user, &rule)
            .map_err(|error| fault(&rule, &error.to_string()))?;
    }
    Ok(((*name).into(), user))
}

/// The users of the file that `aclfile` names.
///
/// # Errors
/// All faults of the file in one line, as Redis puts them together.
pub fn load(rules: Rules, path: &Path) -> Result<Users, String> {
    let text = fs::read(path).map_err(|error| {
        format!(
            "Error loading ACLs, opening file '{}': {}",
            path.display(),
            system_message(&error)
        )
    })?;
    parse(rules, &path.display().to_string(), &text)
}

fn parse(rules: Rules, path: &str, text: &[u8]) -> Result<Users, String> {
    let mut users = Users::new();
    let mut errors = String::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let number = index + 1;
        let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        let [b"user", name, words @ ..] = words.as_slice() else {
            errors += &format!(
                "{path}:{number} should start with user keyword followed by the username. "
            );
            continue;
        };
        let shown = String::from_utf8_lossy(name);
        if !rules::fits_in_file(name) {
            errors +=
                &format!("'{path}:{number}: username '{shown}' contains invalid characters. ");
        } else if users.contains_key(*name) {
            errors += &format!("WARNING: Duplicate user '{shown}' found on line {number}. ");
        } else {
            // Also if a rule is wrong: another line with the name is wrong for two reasons.
            let (user, faults) = parse_rules(rules, words);
            users.insert((*name).into(), user);
            for fault in faults {
                errors += &format!("{path}:{number}: {fault}");
            }
        }
    }
    match errors.is_empty() {
        true => Ok(users),
        false => Err(errors + NOTHING_CHANGED),
    }
}

/// The user that the words of a line make, with what is wrong with them.
fn parse_rules(rules: Rules, words: &[&[u8]]) -> (User, Vec<String>) {
    let mut user = rules.new_user();
    let Ok(merged) = rules::merge_selectors(words) else {
        let fault = "Unmatched parenthesis in selector definition.".to_string();
        return (user, vec![fault]);
    };
    let mut faults = Vec::new();
    for rule in merged {
        let rule = rule.trim_ascii();
        if let Err(error) = rules.apply(&mut user, rule) {
            faults.push(match error {
                RuleError::Syntax => format!("{error}. "),
                _ => format!(
                    "Error in applying operation '{}': {error}. ",
                    String::from_utf8_lossy(rule)
                ),
            });
        }
    }
    (user, faults)
}

/// All users as the lines of the file that `aclfile` names.
pub fn lines(server: &Server) -> Vec<Vec<u8>> {
    let accounts = server.acl.all();
    let line = |name: &[u8], user: &User| [b"user ", name, b" ", &user.rules()].concat();
    let lines = accounts
        .iter()
        .map(|account| line(&account.name, &account.user()));
    lines.collect()
}

/// All users as lines of redis.conf, where words with quotes or other special bytes need quotes.
pub fn config_lines(server: &Server) -> Vec<Vec<u8>> {
    let quoted = |word: &[u8]| {
        let mut quoted = Vec::new();
        quoting::quote_if_needed(word, &mut quoted);
        quoted
    };
    let quoted_line = |line: Vec<u8>| {
        let words = line.split(|byte| *byte == b' ').map(quoted);
        words.collect::<Vec<_>>().join(&b' ')
    };
    lines(server).into_iter().map(quoted_line).collect()
}

/// Writes all users into the file that `aclfile` names, which is replaced in one step.
///
/// # Errors
/// It cannot be written; it is as it was.
pub fn save(server: &Server, path: &Path) -> io::Result<()> {
    let lines = lines(server);
    let text: Vec<u8> = lines
        .iter()
        .flat_map(|line| [line, &b"\n"[..]].concat())
        .collect();
    files::replace(path, &text)
}
