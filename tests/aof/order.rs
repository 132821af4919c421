//! The order of the append-only file: 16 threads transfer between 8 accounts, each of them depending on what the others
//! have done, while the file is rewritten, and the server is killed. After each start the accounts are those that the
//! logs of the transfers lead to: no transfer is lost of which another has seen the outcome, and none is half there.

use crate::common::{Client, Folder, Server, number, strings, wait_until};
use my_redis_server::resp::decoder::Value;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

const THREADS: usize = 16;
const ACCOUNTS: usize = 8;
const BALANCE: i64 = 1000;
const KILLS: usize = 5;
/// Transfers of all threads after which a rewrite begins, and after which the server is killed.
const TRANSFERS_BEFORE_REWRITE: usize = 100;
const TRANSFERS: [usize; KILLS] = [105, 120, 160, 240, 400];

/// Sets both balances to what it makes of those that it has read.
const SCRIPT: &str = "local from, to = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2]) \
    redis.call('SET', KEYS[1], from - ARGV[1]) \
    redis.call('RPUSH', KEYS[4], ARGV[2]) \
    redis.call('SET', KEYS[2], to + ARGV[1]) \
    return redis.call('INCR', KEYS[3])";

/// A transfer between two accounts.
struct Transfer {
    from: usize,
    to: usize,
    amount: i64,
}

impl Transfer {
    fn random(random: &mut fastrand::Rng) -> Transfer {
        let from = random.usize(..ACCOUNTS);
        Transfer {
            from,
            to: (from + random.usize(1..ACCOUNTS)) % ACCOUNTS,
            amount: random.i64(1..100),
        }
    }

    fn line(&self) -> String {
        format!("{} {} {}", self.from, self.to, self.amount)
    }

    fn parse(line: &[u8]) -> Transfer {
        let line = String::from_utf8(line.to_vec()).expect("text");
        let numbers: Vec<i64> = line
            .split(' ')
            .map(|word| word.parse().expect("a number"))
            .collect();
        Transfer {
            from: numbers[0] as usize,
            to: numbers[1] as usize,
            amount: numbers[2],
        }
    }
}

/// One of the threads, which counts its transfers, and logs each.
struct Teller {
    number: usize,
    client: Client,
}

impl Teller {
    fn ask(&mut self, words: &[&str]) -> Option<Value> {
        self.client.try_send(words).ok()?;
        self.client.try_receive()
    }

    /// Makes a transfer in one of three ways; `None` if the server is gone.
    fn transfer(&mut self, transfer: &Transfer, way: usize) -> Option<()> {
        let [from, to] = [transfer.from, transfer.to].map(account);
        let (amount, line) = (transfer.amount.to_string(), transfer.line());
        let (count, log) = (count(self.number), log(self.number));
        let [push, incr] = [vec!["RPUSH", &log, &line], vec!["INCR", &count]];
        let reply = match way {
            0 => {
                let keys = [&*from, &to, &count, &log, &amount, &line];
                self.ask(&[&["EVAL", SCRIPT, "4"][..], &keys].concat())?
            }
            1 => {
                let take = vec!["DECRBY", &from, &amount];
                let give = vec!["INCRBY", &to, &amount];
                self.transaction(&[take, push, give, incr])?
            }
            _ => loop {
                self.ask(&["WATCH", &from, &to])?;
                let left = (self.balance(&from)? - transfer.amount).to_string();
                let sum = (self.balance(&to)? + transfer.amount).to_string();
                let [take, give] = [vec!["SET", &from, &left], vec!["SET", &to, &sum]];
                let reply = self.transaction(&[incr.clone(), take, give, push.clone()])?;
                // Another thread was faster.
                if reply != Value::Null {
                    break reply;
                }
            },
        };
        assert!(!matches!(reply, Value::Error(_)), "{reply:?}");
        Some(())
    }

    fn balance(&mut self, account: &str) -> Option<i64> {
        let reply = self.ask(&["GET", account])?;
        Some(number(reply))
    }

    fn transaction(&mut self, commands: &[Vec<&str>]) -> Option<Value> {
        self.ask(&["MULTI"])?;
        for command in commands {
            self.ask(command)?;
        }
        self.ask(&["EXEC"])
    }

    /// Makes transfers until the server is gone; returns how many were acknowledged.
    fn work(mut self, done: &AtomicUsize, seed: u64) -> i64 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut acknowledged = 0;
        loop {
            let way = random.usize(..3);
            if self.transfer(&Transfer::random(&mut random), way).is_none() {
                return acknowledged;
            }
            acknowledged += 1;
            done.fetch_add(1, SeqCst);
        }
    }
}

fn account(number: usize) -> String {
    format!("account:{number}")
}

fn count(teller: usize) -> String {
    format!("count:{teller}")
}

fn log(teller: usize) -> String {
    format!("log:{teller}")
}

/// Has all threads work until they have made so many transfers; then kills the server. Returns how many transfers each
/// thread was told are made.
fn work_until_killed(server: &mut Server, kill: usize) -> Vec<i64> {
    let done = &AtomicUsize::new(0);
    let mut control = server.client();
    let tellers: Vec<Teller> = (0..THREADS)
        .map(|number| Teller {
            number,
            client: server.client(),
        })
        .collect();
    thread::scope(|scope| {
        let threads: Vec<_> = tellers
            .into_iter()
            .map(|teller| {
                let seed = (kill * THREADS + teller.number) as u64;
                scope.spawn(move || teller.work(done, seed))
            })
            .collect();
        let wait_for = |transfers| {
            wait_until("transfers", || {
                // A thread that has failed does not keep this one waiting.
                done.load(SeqCst) >= transfers || threads.iter().any(|thread| thread.is_finished())
            });
        };
        wait_for(TRANSFERS_BEFORE_REWRITE);
        control.send(&["BGREWRITEAOF"]);
        wait_for(TRANSFERS[kill]);
        server.process.kill().expect("it runs");
        threads
            .into_iter()
            .map(|thread| thread.join().expect("it has ended well"))
            .collect()
    })
}

/// Checks that the logs lead to the balances; returns how many transfers each thread has made.
fn check_accounts(client: &mut Client) -> Vec<i64> {
    let mut expected = vec![BALANCE; ACCOUNTS];
    let mut counts = Vec::new();
    for teller in 0..THREADS {
        let log = strings(client.call(&["LRANGE", &log(teller), "0", "-1"]));
        let count = number(client.call(&["GET", &count(teller)]));
        assert_eq!(log.len() as i64, count, "the log of thread {teller}");
        for transfer in log.iter().map(|line| Transfer::parse(line)) {
            expected[transfer.from] -= transfer.amount;
            expected[transfer.to] += transfer.amount;
        }
        counts.push(count);
    }
    let balances: Vec<i64> = (0..ACCOUNTS)
        .map(|number_of| number(client.call(&["GET", &account(number_of)])))
        .collect();
    assert_eq!(balances, expected);
    assert_eq!(balances.iter().sum::<i64>(), ACCOUNTS as i64 * BALANCE);
    counts
}

fn check(policy: &str) {
    let folder = Folder::new();
    let options = ["--appendonly", "yes", "--appendfsync", policy, "--save", ""];
    let mut server = Server::ours(&folder, &options);
    let mut client = server.client();
    for number in 0..ACCOUNTS {
        client.ask(&format!("SET {} {BALANCE}", account(number)));
    }
    // With `everysec` too the accounts are there from now on.
    assert_eq!(
        client.ask("WAITAOF 1 0 0"),
        "1) (integer) 1\n2) (integer) 0"
    );
    let mut before = vec![0; THREADS];
    for kill in 0..KILLS {
        let acknowledged = work_until_killed(&mut server, kill);
        server.wait();
        server = Server::ours(&folder, &options);
        let counts = check_accounts(&mut server.client());
        for (teller, count) in counts.iter().enumerate() {
            // One more may have been under way.
            let most = before[teller] + acknowledged[teller] + 1;
            let least = match policy {
                "always" => most - 1,
                _ => before[teller],
            };
            assert!(
                (least..=most).contains(count),
                "thread {teller} has made {count} transfers, not {least} to {most}"
            );
        }
        before = counts;
    }
    // Otherwise the kills would show nothing.
    assert!(before.iter().sum::<i64>() >= TRANSFERS_BEFORE_REWRITE as i64);
}

#[test]
fn transfers_are_kept_in_their_order_with_everysec() {
    check("everysec");
}

#[test]
fn transfers_are_kept_in_their_order_with_always() {
    check("always");
}
