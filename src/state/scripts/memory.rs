//! How much memory scripts and functions take: INFO memory, MEMORY STATS.

use super::Scripts;

/// How many there are, and the bytes of memory that they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScriptMemory {
    /// Scripts in the cache.
    pub scripts: usize,
    /// Their texts, and the records about them.
    pub script_bytes: usize,
    /// The idle interpreters of scripts, with what they have compiled.
    pub script_interpreter_bytes: usize,
    /// Libraries.
    pub libraries: usize,
    /// Functions, in all libraries.
    pub functions: usize,
    /// The libraries' texts, and the records about them.
    pub library_bytes: usize,
    /// The idle interpreters of functions, with what they have compiled.
    pub function_interpreter_bytes: usize,
}

impl ScriptMemory {
    /// Without the interpreters.
    pub fn text_bytes(&self) -> usize {
        self.script_bytes + self.library_bytes
    }

    /// All interpreters.
    pub fn interpreter_bytes(&self) -> usize {
        self.script_interpreter_bytes + self.function_interpreter_bytes
    }
}

impl Scripts {
    /// The memory that they take now.
    pub fn memory(&self) -> ScriptMemory {
        let (scripts, script_bytes) = self.size();
        let table = self.libraries.table();
        ScriptMemory {
            scripts,
            script_bytes,
            script_interpreter_bytes: self.interpreters.memory_bytes(),
            libraries: table.libraries.len(),
            functions: table.functions(),
            library_bytes: table.memory_bytes(),
            function_interpreter_bytes: self.libraries.interpreter_bytes(),
        }
    }
}
