//! Libraries of functions: FUNCTION LOAD and its kin.
//! <https://redis.io/docs/latest/develop/interact/programmability/functions-intro/>

use super::pool::{Lease, Pool};
use crate::lua::flags::ScriptFlags;
use crate::lua::functions::{NAME_RULE, Registration, is_valid_name};
use crate::lua::host::Host;
use crate::util::quoting::split_arguments;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// The libraries of a server.
#[derive(Debug)]
pub struct Libraries {
    /// Replaced as a whole when it changes, which is seldom.
    table: RwLock<Arc<Table>>,
    /// Held while the table is replaced.
    changing: Mutex<()>,
    interpreters: Pool,
    next_number: AtomicU64,
}

/// The libraries at one moment.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// By their names.
    pub libraries: BTreeMap<Vec<u8>, Arc<Library>>,
    /// By their names in lower case.
    functions: HashMap<Vec<u8>, Arc<Function>>,
}

/// A library that was loaded.
#[derive(Debug)]
pub struct Library {
    /// By which interpreters know it; each loading gets another one.
    number: u64,
    /// From its shebang.
    pub name: Vec<u8>,
    /// The whole text.
    pub text: Vec<u8>,
    /// Where in the text the code begins.
    code_at: usize,
    /// What it has registered.
    pub functions: Vec<Arc<Function>>,
}

/// A function that FCALL can call.
#[derive(Debug)]
pub struct Function {
    /// What its library says of it.
    pub registration: Registration,
    /// Its name as text.
    pub name: String,
    /// The number of its library, and its place there.
    place: (u64, usize),
    strays: AtomicBool,
}

/// While a thread has it, no other thread changes the libraries.
#[derive(Debug)]
pub struct Hold<'a> {
    _changing: MutexGuard<'a, ()>,
}

/// What becomes of the libraries that are there, when others are restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restoring {
    /// They are removed.
    Flush,
    /// They stay; a name that is taken is an error.
    Append,
    /// Those of equal names are replaced.
    Replace,
}

impl Function {
    /// What it promises.
    pub fn flags(&self) -> ScriptFlags {
        self.registration.flags
    }

    /// Whether it has reached for a key that was not declared.
    pub fn strays(&self) -> bool {
        self.strays.load(Relaxed)
    }

    /// Notes that it has.
    pub fn note_stray(&self) {
        self.strays.store(true, Relaxed);
    }

    /// The number of its library, and its place there.
    pub fn place(&self) -> (u64, usize) {
        self.place
    }
}

impl Library {
    fn code(&self) -> &[u8] {
        &self.text[self.code_at..]
    }

    /// Bytes of memory.
    fn memory_bytes(&self) -> usize {
        let functions = self.functions.iter().map(|function| {
            let registration = &function.registration;
            let description = registration.description.as_ref().map_or(0, Vec::capacity);
            size_of::<Function>() + 2 * registration.name.capacity() + description
        });
        size_of::<Library>()
            + self.name.capacity()
            + self.text.capacity()
            + functions.sum::<usize>()
    }
}

impl Table {
    /// A function. Capitals do not matter.
    pub fn function(&self, name: &[u8]) -> Option<&Arc<Function>> {
        self.functions.get(&name.to_ascii_lowercase())
    }

    /// How many functions there are.
    pub fn functions(&self) -> usize {
        self.functions.len()
    }

    /// Bytes of memory that they take, interpreters not counted.
    pub fn memory_bytes(&self) -> usize {
        self.libraries
            .values()
            .map(|library| library.memory_bytes())
            .sum()
    }

    fn by_number(&self, number: u64) -> Option<&Arc<Library>> {
        self.libraries
            .values()
            .find(|library| library.number == number)
    }

    fn add(&mut self, library: Arc<Library>) -> Result<(), Vec<u8>> {
        if let Some(old) = self.libraries.get(&library.name).cloned() {
            self.remove(&old);
        }
        let taken =
            |function: &&Arc<Function>| self.function(&function.registration.name).is_some();
        if let Some(function) = library.functions.iter().find(taken) {
            return Err(quoting(
                "Function ",
                &function.registration.name,
                " already exists",
            ));
        }
        for function in &library.functions {
            let name = function.registration.name.to_ascii_lowercase();
            self.functions.insert(name, function.clone());
        }
        self.libraries.insert(library.name.clone(), library);
        Ok(())
    }

    fn remove(&mut self, library: &Library) {
        for function in &library.functions {
            self.functions
                .remove(&function.registration.name.to_ascii_lowercase());
        }
        self.libraries.remove(&library.name);
    }
}

impl Libraries {
    /// No library yet.
    pub fn new(interpreters: Pool) -> Libraries {
        Libraries {
            table: RwLock::default(),
            changing: Mutex::default(),
            interpreters,
            next_number: AtomicU64::new(1),
        }
    }

    /// The libraries as they are now.
    pub fn table(&self) -> Arc<Table> {
        self.table
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Bytes of memory of the interpreters that are idle.
    pub fn interpreter_bytes(&self) -> usize {
        self.interpreters.memory_bytes()
    }

    /// Makes a library ready to be [added](Self::add). `host` hears what it logs.
    ///
    /// # Errors
    /// The text of the error, without the code ERR.
    pub fn compile(
        &self,
        text: &[u8],
        replaces: bool,
        host: &mut dyn Host,
    ) -> Result<Library, Vec<u8>> {
        let (name, code_at) = metadata(text)?;
        check_absent(&self.table(), &name, replaces)?;
        self.run(name, text, code_at, host)
    }

    /// Makes several libraries ready to be [put](Self::put).
    ///
    /// # Errors
    /// The text of the error, without the code ERR.
    pub fn compile_all(
        &self,
        texts: &[Vec<u8>],
        host: &mut dyn Host,
    ) -> Result<Vec<Library>, Vec<u8>> {
        let compile = |text: &Vec<u8>| {
            let (name, code_at) = metadata(text)?;
            self.run(name, text, code_at, host)
        };
        texts.iter().map(compile).collect()
    }

    /// Keeps other threads from changing the libraries until the hold is dropped.
    pub fn hold(&self) -> Hold<'_> {
        let changing = self.changing.lock();
        Hold {
            _changing: changing.unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Adds a library.
    ///
    /// # Errors
    /// The text of the error, without the code ERR.
    pub fn add(&self, _: &Hold<'_>, library: Library, replaces: bool) -> Result<(), Vec<u8>> {
        let mut table = (*self.table()).clone();
        check_absent(&table, &library.name, replaces)?;
        table.add(Arc::new(library))?;
        self.replace(table);
        Ok(())
    }

    /// Puts several libraries beside those that are there, or in their place; all of them or none.
    ///
    /// # Errors
    /// The text of the error, without the code ERR.
    pub fn put(
        &self,
        _: &Hold<'_>,
        compiled: Vec<Library>,
        restoring: Restoring,
    ) -> Result<(), Vec<u8>> {
        let mut table = match restoring {
            Restoring::Flush => Table::default(),
            Restoring::Append | Restoring::Replace => (*self.table()).clone(),
        };
        for library in compiled {
            if restoring != Restoring::Replace && table.libraries.contains_key(&library.name) {
                return Err(quoting("Library ", &library.name, " already exists"));
            }
            table.add(Arc::new(library))?;
        }
        self.replace(table);
        Ok(())
    }

    /// Removes a library; returns whether it was there.
    pub fn delete(&self, _: &Hold<'_>, name: &[u8]) -> bool {
        let mut table = (*self.table()).clone();
        let Some(library) = table.libraries.get(name).cloned() else {
            return false;
        };
        table.remove(&library);
        self.replace(table);
        true
    }

    /// Removes all libraries.
    pub fn flush(&self, _: &Hold<'_>) {
        self.replace(Table::default());
        self.interpreters.renew();
    }

    /// An interpreter in which the library of this function is loaded.
    ///
    /// # Errors
    /// The text of the error, without the code ERR.
    pub fn interpreter(
        &self,
        function: &Function,
        host: &mut dyn Host,
    ) -> Result<Lease<'_>, Vec<u8>> {
        let mut interpreter = self.interpreters.take().map_err(String::into_bytes)?;
        let (number, _) = function.place;
        if !interpreter.has_library(number) {
            let table = self.table();
            interpreter.keep_libraries(|number| table.by_number(number).is_some());
            // It may have been removed since the function was found.
            let library = table.by_number(number).ok_or(b"Function not found")?;
            interpreter.load_library(number, library.code(), host)?;
        }
        Ok(interpreter)
    }

    /// Runs the code of a library once, to see which functions it registers.
    fn run(
        &self,
        name: Vec<u8>,
        text: &[u8],
        code_at: usize,
        host: &mut dyn Host,
    ) -> Result<Library, Vec<u8>> {
        let number = self.next_number.fetch_add(1, Relaxed);
        let mut interpreter = self.interpreters.take().map_err(String::into_bytes)?;
        let registrations = interpreter.load_library(number, &text[code_at..], host)?;
        if registrations.is_empty() {
            return Err(b"No functions registered".to_vec());
        }
        let function = |(index, registration): (usize, Registration)| {
            Arc::new(Function {
                name: String::from_utf8_lossy(&registration.name).into_owned(),
                registration,
                place: (number, index),
                strays: AtomicBool::new(false),
            })
        };
        Ok(Library {
            number,
            name,
            text: text.to_vec(),
            code_at,
            functions: registrations
                .into_iter()
                .enumerate()
                .map(function)
                .collect(),
        })
    }

    fn replace(&self, table: Table) {
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }
}

fn check_absent(table: &Table, name: &[u8], replaces: bool) -> Result<(), Vec<u8>> {
    match !replaces && table.libraries.contains_key(name) {
        true => Err(quoting("Library '", name, "' already exists")),
        false => Ok(()),
    }
}

/// What the first line of a library says, `#!lua name=mylib`: the name, and where the code begins.
fn metadata(text: &[u8]) -> Result<(Vec<u8>, usize), Vec<u8>> {
    if !text.starts_with(b"#!") {
        return Err(b"Missing library metadata".to_vec());
    }
    let end = text
        .iter()
        .position(|byte| *byte == b'\n')
        .ok_or(b"Invalid library metadata")?;
    let words = split_arguments(&text[..end]).map_err(|_| b"Invalid library metadata")?;
    let (engine, options) = words.split_first().expect("it begins with #!");
    let engine = &engine[2..];
    let mut name = None;
    for option in options {
        const NAME: &[u8] = b"name=";
        let value = option.split_at_checked(NAME.len());
        let value = value.filter(|(key, _)| key.eq_ignore_ascii_case(NAME));
        let Some((_, value)) = value else {
            return Err(quoting("Invalid metadata value given: ", option, ""));
        };
        if name.replace(value).is_some() {
            return Err(b"Invalid metadata value, name argument was given multiple times".to_vec());
        }
    }
    let name = name.ok_or(b"Library name was not given")?;
    if !is_valid_name(name) {
        return Err(NAME_RULE.into());
    }
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err(quoting("Engine '", engine, "' not found"));
    }
    Ok((name.to_vec(), end))
}

fn quoting(before: &str, quoted: &[u8], after: &str) -> Vec<u8> {
    [before.as_bytes(), quoted, after.as_bytes()].concat()
}
