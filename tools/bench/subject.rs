//! What can be measured: subjects, and their cases.

use std::collections::BTreeSet;
use std::error::Error;

use crate::options::Options;
use crate::peer::{Peer, Program};
use crate::results::Sample;
use crate::{
    append_only, connections, eviction, freed, huge, large, memory, mixed, pubsub, readers,
    replication, saves, scaling, scripts, start, streams, throughput,
};

pub struct Subject {
    pub name: &'static str,
    pub about: &'static str,
    /// Counted rather than timed, or repeated within a round: one round is enough.
    pub steady: bool,
    pub cases: fn(&Options) -> Vec<Case>,
}

/// What one measurement has shown.
pub type Measured = Result<Vec<Sample>, Box<dyn Error>>;

/// One measurement of one server, which the measurement starts and stops.
pub struct Case {
    pub group: String,
    pub name: String,
    /// Servers that do not know all of these are left out.
    pub commands: Vec<&'static str>,
    pub measure: Box<dyn Fn(&Program) -> Measured>,
}

#[rustfmt::skip] // an entry a subject
pub const SUBJECTS: [Subject; 17] = [
    Subject { name: "throughput", about: "redis-benchmark's tests under several loads",
        steady: false, cases: throughput::cases },
    Subject { name: scaling::SUBJECT,
        about: "the server on 1, 2, 4, 8 ... cores, at most half of all, the load on the others",
        steady: false, cases: scaling::cases },
    Subject { name: "mixed", about: "nine reads and one write in ten, of many keys",
        steady: false, cases: mixed::cases },
    Subject { name: "scripts", about: "Lua scripts of several sizes, on one of many keys",
        steady: false, cases: scripts::cases },
    Subject { name: "streams", about: "adding to streams, reading ranges, and a work queue",
        steady: false, cases: streams::cases },
    Subject { name: "eviction", about: "a limit of memory: the cost of making room, and how many find their key",
        steady: false, cases: eviction::cases },
    Subject { name: "append-only", about: "SETs with each appendfsync, and a start that replays them",
        steady: false, cases: append_only::cases },
    Subject { name: "replication", about: "SETs that replicas follow, and a full synchronisation",
        steady: false, cases: replication::cases },
    Subject { name: "readers", about: "fast readers beside a slow one", steady: false, cases: readers::cases },
    Subject { name: "large", about: "commands that go through whole large values", steady: true, cases: large::cases },
    Subject { name: "pubsub", about: "messages to subscribers", steady: false, cases: pubsub::cases },
    Subject { name: "memory", about: "bytes per key and per element", steady: true, cases: memory::cases },
    Subject { name: "saves", about: "many small keys, saved while writers change them; then loaded again",
        steady: false, cases: saves::cases },
    Subject { name: "huge", about: "one huge hash and one huge list, changed in place while they are saved",
        steady: false, cases: huge::cases },
    Subject { name: "connections", about: "memory and threads of idle connections",
        steady: true, cases: connections::cases },
    Subject { name: "freed", about: "resident memory after clients and keys are gone",
        steady: true, cases: freed::cases },
    Subject { name: "start", about: "the time until an empty server answers", steady: true, cases: start::cases },
];

impl Case {
    pub fn needs_only(&self, commands: &BTreeSet<&str>) -> bool {
        self.commands
            .iter()
            .all(|command| commands.contains(command))
    }
}

/// Of the commands that the cases need, those that a server knows.
pub fn known_commands(
    program: &Program,
    cases: &[Case],
) -> Result<BTreeSet<&'static str>, Box<dyn Error>> {
    let peer = Peer::start(program, &[])?;
    let is_known = |command: &&str| {
        let mut client = peer.client();
        client.ask(&format!("COMMAND INFO {command}"));
        // An array of what there is to know, or null.
        let info = client.line();
        info.starts_with('*') && info != "*-1"
    };
    let commands = cases.iter().flat_map(|case| case.commands.iter().copied());
    Ok(commands.filter(is_known).collect())
}
