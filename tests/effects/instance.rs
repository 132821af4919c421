//! Our server without its sockets: clients that share an engine, a clock that the test sets, and a journal.

use my_redis_server::command::call::Then;
use my_redis_server::command::execute::{Engine, Executor, Manner, Request};
use my_redis_server::command::session::Session;
use my_redis_server::keyspace::effect::{Effects, Journal};
use my_redis_server::keyspace::listeners::Recorder;
use my_redis_server::resp::reply::Reply;
use my_redis_server::resp::request::{LargeArguments, RequestLimits, RequestParser};
use my_redis_server::state::clients::{NewConnection, NoLink, Registration};
use my_redis_server::state::config::Config;
use my_redis_server::state::waiting::{Outcome, Waiting};
use my_redis_server::util::clock::Stopwatch;
use std::sync::{Arc, Mutex};

pub const DATABASES: usize = 16;

/// The effects of one command or one transaction: each with its database, as RESP.
pub struct Entry {
    pub commands: Vec<(usize, Vec<u8>)>,
    pub is_transaction: bool,
}

/// Keeps all effects.
#[derive(Debug, Default)]
struct Recording(Mutex<Vec<Effects>>);

impl Journal for Recording {
    fn append(&self, effects: &Effects) {
        self.0.lock().unwrap().push(effects.clone());
    }

    fn append_command(&self, database: usize, arguments: &[&[u8]]) {
        let mut effects = Effects::default();
        effects.push(database, arguments);
        self.append(&effects);
    }

    fn append_for_replicas(&self, database: usize, arguments: &[&[u8]]) {
        self.append_command(database, arguments);
    }

    fn divide(&self) -> u64 {
        self.0.lock().unwrap().len() as u64
    }
}

/// One client.
struct Conversation {
    session: Session,
    waiting: Option<Waiting>,
    _registration: Registration,
}

/// A server with its clients.
pub struct Instance {
    engine: Engine,
    recorder: Arc<Recording>,
    clients: Vec<Conversation>,
    /// Unix time in milliseconds.
    pub now_ms: i64,
}

impl Instance {
    pub fn new(clients: usize, now_ms: i64) -> Instance {
        let config = Config::default();
        for (name, value) in [
            ("databases", DATABASES.to_string().as_str()),
            ("enable-debug-command", "yes"),
            ("save", ""),
        ] {
            config.set_initial(name, &[value]).unwrap();
        }
        let engine = Engine::new(config, None);
        engine.loading.end();
        let recorder = Arc::new(Recording::default());
        engine.keyspace.listeners.set_journal(recorder.clone());
        let listeners = &engine.keyspace.listeners;
        listeners.set_recorded(Recorder::AppendOnlyFile, true);
        let clients = (0..clients).map(|_| conversation(&engine)).collect();
        Instance {
            engine,
            recorder,
            clients,
            now_ms,
        }
    }

    /// Carries out a request of a client; its reply, which is empty if the client now waits.
    pub fn run<A: AsRef<[u8]>>(&mut self, client: usize, request: &[A]) -> Vec<u8> {
        let arguments: Vec<&[u8]> = request.iter().map(AsRef::as_ref).collect();
        let conversation = &mut self.clients[client];
        assert!(conversation.waiting.is_none(), "the client waits");
        let mut reply = Reply::default();
        let request = Request {
            arguments: &arguments,
            large: &LargeArguments::new(),
        };
        let mut executor = Executor::new(&self.engine, Stopwatch::start_at(self.now_ms));
        let session = &mut conversation.session;
        match executor.execute(session, request, &mut reply, Manner::Waiting) {
            Then::Nothing => {}
            Then::Wait(waiting) => conversation.waiting = Some(waiting),
            then => panic!("{then:?}"),
        }
        drop(executor);
        self.end_waits();
        text(reply)
    }

    /// Lets the clients that have been served go on.
    fn end_waits(&mut self) {
        for Conversation {
            session, waiting, ..
        } in &mut self.clients
        {
            if let Some(ended) = waiting.take_if(|waiting| !waiting.wait.is_pending()) {
                let mut reply = Reply::default();
                self.engine.end_wait(ended, &session.client, &mut reply);
            }
        }
    }

    /// Lets a client, if it waits, wait no more.
    pub fn time_out(&mut self, client: usize) {
        if let Some(waiting) = &self.clients[client].waiting {
            waiting.wait.end(Outcome::TimedOut);
        }
        self.end_waits();
    }

    pub fn is_waiting(&self, client: usize) -> bool {
        self.clients[client].waiting.is_some()
    }

    /// What the expirer does.
    pub fn remove_expired(&mut self) {
        self.engine.locks.remove_due(self.now_ms, || {});
        self.end_waits();
    }

    /// The effects since this was last asked.
    pub fn take_effects(&self) -> Vec<Entry> {
        let all = std::mem::take(&mut *self.recorder.0.lock().unwrap());
        let entry = |effects: &Effects| Entry {
            commands: effects
                .iter()
                .map(|(database, bytes)| (database, bytes.to_vec()))
                .collect(),
            is_transaction: effects.is_transaction(),
        };
        all.iter().map(entry).collect()
    }

    /// Carries out the effects of another server.
    pub fn replay(&mut self, entries: &[Entry]) {
        let mut parser = RequestParser::default();
        for (database, bytes) in entries.iter().flat_map(|entry| &entry.commands) {
            self.run(0, &["SELECT".to_string(), database.to_string()]);
            let len = parser
                .parse(bytes, RequestLimits::of_known_client(usize::MAX))
                .unwrap();
            assert_eq!(len, Some(bytes.len()));
            let reply = self.run(0, &parser.arguments(bytes));
            let is_error = reply.starts_with(b"-");
            assert!(
                !is_error,
                "{} {}",
                bytes.escape_ascii(),
                reply.escape_ascii()
            );
        }
    }

    /// What DEBUG DIGEST answers a client.
    pub fn digest(&mut self, client: usize) -> String {
        String::from_utf8(self.run(client, &["DEBUG", "DIGEST"])).unwrap()
    }
}

fn conversation(engine: &Engine) -> Conversation {
    let connection = NewConnection {
        address: "client".to_string(),
        local_address: "server".to_string(),
        file_descriptor: 0,
        is_local: true,
        is_of_unix_socket: false,
        account: engine.acl.default_account().clone(),
        link: Arc::new(NoLink),
    };
    let registration = engine.clients.register(connection, usize::MAX, 0).unwrap();
    Conversation {
        session: Session::new(engine, &registration.client),
        waiting: None,
        _registration: registration,
    }
}

fn text(mut reply: Reply) -> Vec<u8> {
    let mut bytes = Vec::new();
    reply.write_to(&mut bytes).unwrap();
    bytes
}
