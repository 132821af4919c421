//! What the client must remember of the connection, because no command asks for it: the database, the transaction, the
//! user.

use super::Session;
use super::command_kind::login_of_greeting;
use crate::c_number;
use my_redis_server::resp::decoder::Value;

impl Session {
    /// Remembers what a command has changed of the connection.
    pub(super) fn remember(&mut self, command: &[Vec<u8>], reply: &Value) {
        let has_failed = matches!(reply, Value::Error(_));
        let name = command[0].to_ascii_lowercase();
        match (name.as_slice(), command.len()) {
            (b"auth", 2 | 3) => {
                if !has_failed {
                    self.typed_login = Some(command.to_vec());
                    self.forget_user();
                }
                // What went wrong has been told.
                let _ = self.select();
            }
            (b"exec", 1) if self.in_transaction => {
                self.in_transaction = false;
                if has_failed || *reply == Value::Null {
                    self.go_to(self.database_before);
                }
            }
            _ if has_failed => {}
            (b"select", 2) => self.go_to(c_number::integer(&command[1])),
            (b"multi", 1) => {
                self.in_transaction = true;
                self.database_before = self.database;
            }
            (b"discard", 1) => {
                self.in_transaction = false;
                self.go_to(self.database_before);
            }
            (b"hello", 2..) => {
                if let Some(login) = login_of_greeting(command) {
                    self.typed_login = Some(login);
                    self.forget_user();
                }
            }
            (b"reset", 1) => {
                self.typed_login = None;
                self.forget_user();
                self.in_transaction = false;
                self.go_to(0);
            }
            _ => {}
        }
    }

    /// Notes the database that the connection is in, which is also the one that a new connection is to select.
    fn go_to(&mut self, database: i64) {
        self.database = database;
        self.target.database = database;
    }

    /// Forgets what holds for the user who was logged in.
    pub(super) fn forget_user(&mut self) {
        self.observer = None;
        self.docs.forget_refusal();
    }
}
