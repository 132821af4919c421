//! After random commands of all families, with connections cut meanwhile, a primary and its replicas, ours and real
//! ones, hold the same data and have one offset.

use super::pair::Whose::{self, Ours, Real, Valkey};
use super::pair::{wait_for_link, wait_for_one_offset, wait_for_replicas};
use crate::common::Folder;
use crate::effects::facts::{assert_same, facts, facts_of_real, settle};
use crate::effects::workload::{Clients, seed};
use fastrand::Rng;
use my_redis_server::REDIS_VERSION;

/// Commands before the replica comes, and after that between two cuts of its connection.
const COMMANDS: usize = 500;
const CUTS: usize = 4;

/// A primary, its replica, and the replica of that.
struct Chain {
    seed: u64,
    programs: [Whose; 3],
    options: [&'static [&'static str]; 3],
}

impl Chain {
    fn check(&self) {
        let folders = [(); 3].map(|()| Folder::new());
        let mut random = Rng::with_seed(self.seed);
        let primary = self.programs[0].server(&folders[0], self.options[0]);
        let mut clients = Clients::connect(&primary);
        clients.run(COMMANDS, &mut random);
        let witness_folder = Folder::new();
        // The streams of other servers do not tell of all that has changed. So a replica of theirs shows what it means.
        let mut witness = (!matches!(self.programs[0], Ours)).then(|| {
            let witness = self.programs[0].replica(&witness_folder, &primary, &[]);
            let client = witness.client();
            (witness, client)
        });
        let replica = self.programs[1].replica(&folders[1], &primary, self.options[1]);
        clients.run(COMMANDS, &mut random);
        wait_for_link(&mut replica.client());
        let last = self.programs[2].replica(&folders[2], &replica, self.options[2]);
        let servers = [&primary, &replica, &last];
        let mut of = servers.map(|server| server.client());
        wait_for_link(&mut of[2]);
        for cut in 0..CUTS {
            clients.run(COMMANDS, &mut random);
            let count = match cut % 2 {
                0 if witness.is_some() => 2,
                _ => 1,
            };
            wait_for_replicas(&mut of[cut % 2], count);
            let killed = of[cut % 2].integer(&["CLIENT", "KILL", "TYPE", "replica"]);
            assert_eq!(killed, count as i64);
            clients.run(COMMANDS, &mut random);
            wait_for_link(&mut of[cut % 2 + 1]);
        }
        settle(&mut of[0]);
        let [first, second, third] = &mut of;
        wait_for_one_offset(first, second);
        wait_for_one_offset(second, third);
        // Those that are compared, one of ours first.
        let mut compared = match &mut witness {
            None => vec![first, second, third],
            Some((_, witness)) => {
                wait_for_one_offset(first, witness);
                vec![second, third, witness]
            }
        };
        let expected = facts(compared[0], true);
        for client in &mut compared[1..] {
            let is_real = client.info("redis_version") != REDIS_VERSION;
            let found = match is_real {
                true => facts_of_real(client, &expected, true),
                false => facts(client, true),
            };
            assert_same(
                &found,
                &expected,
                self.seed,
                if is_real { "real" } else { "ours" },
            );
        }
        if witness.is_none() {
            for client in &mut of[..2] {
                let syncs = ["sync_full", "sync_partial_ok", "sync_partial_err"];
                let syncs = syncs.map(|field| client.info_of("stats", field));
                assert_eq!(syncs, ["1", &(CUTS / 2).to_string(), "0"]);
            }
        }
    }
}

const PANICS: &[&str] = &["--propagation-error-behavior", "panic-on-replicas"];

#[test]
fn real_replicas_follow_ours() {
    let chain = Chain {
        seed: seed(1),
        programs: [Ours, Real, Real],
        options: [&[], PANICS, PANICS],
    };
    chain.check();
}

#[test]
fn our_replica_follows_a_real_primary_and_has_a_real_replica() {
    let chain = Chain {
        seed: seed(2),
        programs: [Real, Ours, Real],
        options: [&[], &[], PANICS],
    };
    chain.check();
}

#[test]
fn valkey_follows_ours_and_is_followed() {
    let chain = Chain {
        seed: seed(5),
        programs: [Ours, Valkey, Ours],
        options: [&[], PANICS, &["--repl-diskless-load", "swapdb"]],
    };
    chain.check();
}

#[test]
fn ours_follows_valkey() {
    let chain = Chain {
        seed: seed(6),
        programs: [Valkey, Ours, Ours],
        options: [&[], &[], &[]],
    };
    chain.check();
}

#[test]
fn ours_follow_ours() {
    let chain = Chain {
        seed: seed(3),
        programs: [Ours, Ours, Ours],
        options: [&[], &[], &["--appendonly", "yes"]],
    };
    chain.check();
}

#[test]
fn snapshots_may_go_through_files_and_everyone_may_have_an_append_only_file() {
    let options = &[
        "--repl-diskless-sync",
        "no",
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
    ];
    let chain = Chain {
        seed: seed(4),
        programs: [Ours, Ours, Real],
        options: [options, options, options],
    };
    chain.check();
}
