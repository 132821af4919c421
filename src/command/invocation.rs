//! What a command that runs a script asks the executor for.

use crate::lua::flags::ScriptFlags;
use crate::lua::interpreter::Kind;
use crate::state::scripts::Script;
use crate::state::scripts::libraries::Function;
use std::sync::Arc;

/// What is to run.
#[derive(Clone, Debug)]
pub enum Program {
    /// A script of EVAL.
    Script(Arc<Script>),
    /// A function of a library.
    Function(Arc<Function>),
}

/// A script with its arguments: those of the command, behind the number of keys.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// What is to run.
    pub program: Program,
    /// How many of the arguments are keys.
    pub keys: usize,
    /// Whether commands that write are refused, whatever the script says of itself.
    pub is_read_only: bool,
}

/// Where the arguments of a script begin: EVAL, the script, the number of keys.
pub const FIRST_ARGUMENT: usize = 3;

impl Program {
    /// Its name in error texts.
    pub fn name(&self) -> &str {
        match self {
            Program::Script(script) => &script.name,
            Program::Function(function) => &function.name,
        }
    }

    /// What it says of itself; `None` if it is a script without a shebang.
    pub fn flags(&self) -> Option<ScriptFlags> {
        match self {
            Program::Script(script) => script.flags,
            Program::Function(function) => Some(function.flags()),
        }
    }

    /// What runs it.
    pub fn kind(&self) -> Kind {
        match self {
            Program::Script(_) => Kind::Scripts,
            Program::Function(_) => Kind::Functions,
        }
    }

    /// Whether it has reached for a key that was not declared.
    pub fn strays(&self) -> bool {
        match self {
            Program::Script(script) => script.strays(),
            Program::Function(function) => function.strays(),
        }
    }

    /// Notes that it has.
    pub fn note_stray(&self) {
        match self {
            Program::Script(script) => script.note_stray(),
            Program::Function(function) => function.note_stray(),
        }
    }
}
