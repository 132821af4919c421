//! What a file of directives declares beside directives: users, and other names of commands. It is checked line by line
//! while the file is read, and takes effect when the server starts.

use super::COMMANDS;
use super::acl::declared;
use super::acl::rules::Rules;
use super::registry::Names;
use crate::state::Server;
use crate::state::config::file;
use std::path::Path;

/// What the lines have declared.
#[derive(Debug, Default)]
pub struct Declarations {
    /// The words of each user's line, behind `user`: what they mean may depend on a directive that comes later.
    users: Vec<Vec<Box<[u8]>>>,
    names: Option<Names>,
}

impl file::Declarations for Declarations {
    fn user(&mut self, words: &[&[u8]]) -> Result<(), String> {
        // The line is only checked here, so it does not matter yet what a new user may do.
        let (name, _) = declared::of_config_line(rules(false), words)?;
        if self.users.iter().any(|known| known[0] == name) {
            return Err(format!(
                "Error in user declaration '{}': Duplicate user found. A user can only be defined once in config files",
                String::from_utf8_lossy(&name)
            ));
        }
        self.users
            .push(words.iter().map(|&word| word.into()).collect());
        Ok(())
    }

    fn rename_command(&mut self, name: &str, new_name: &str) -> Result<(), String> {
        let names = self.names.get_or_insert_with(|| COMMANDS.own_names());
        Ok(names.rename(name, new_name)?)
    }
}

/// How rules are read.
fn rules(permits_new_all_channels: bool) -> Rules<'static> {
    Rules {
        commands: &COMMANDS,
        permits_new_all_channels,
    }
}

impl Declarations {
    /// Puts it into effect, and reads the file that `aclfile` names. Called before the first client comes.
    ///
    /// # Errors
    /// Why the server cannot start.
    pub fn apply(self, server: &Server) -> Result<(), String> {
        if let Some(names) = self.names {
            COMMANDS.set_names(names);
        }
        let rules = rules(server.config.permits_new_all_channels());
        let path = server.config.aclfile.get();
        if !path.is_empty() && !self.users.is_empty() {
            return Err(
                "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is \
                 invalid. This setup is very likely to lead to configuration errors and security holes, please define \
                 either an ACL file or declare users directly in your redis.conf, but not both."
                    .to_string(),
            );
        }
        for words in &self.users {
            let words: Vec<&[u8]> = words.iter().map(|word| &**word).collect();
            let (name, user) = declared::of_config_line(rules, &words)?;
            if !user.is_on {
                server.log.notice(format_args!(
                    "The user '{}' is disabled (there is no 'on' modifier in the user description). Make sure this is \
                     not a configuration error.",
                    String::from_utf8_lossy(&name)
                ));
            }
            server.acl.change::<String>(&name, |_| Ok(user))?;
        }
        if !path.is_empty() {
            let users = declared::load(rules, Path::new(&*path)).map_err(|errors| {
                format!("Aborting Redis startup because of ACL errors: {errors}")
            })?;
            server.acl.replace_all(users);
        }
        Ok(())
    }
}
