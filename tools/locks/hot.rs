//! One key that all threads change: what threads that want one lock cost each other, without the sockets around it.
//!
//! Each thread has packets of 100 INCRs. It parses and executes them as a connection does, or hands them over
//! (`command/execute/errand.rs`), until the packet is done. Then it works for 20 µs without the lock, about as long as
//! it takes to send replies and to read the next packet. The table says how many INCRs all threads did, how long a
//! packet took, and how many packets were handed over, at least in part.

use my_redis_server::command::call::Then;
use my_redis_server::command::execute::errand::HandedOver;
use my_redis_server::command::execute::exchange::Exchange;
use my_redis_server::command::execute::{Engine, Executor, Manner};
use my_redis_server::command::session::Session;
use my_redis_server::state::clients::{NewConnection, NoLink};
use my_redis_server::state::config::Config;
use my_redis_server::util::clock::Stopwatch;
use my_redis_server::util::scheduling::Scheduling;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

const THREADS: [usize; 6] = [1, 2, 4, 8, 16, 64];
const REQUESTS_A_PACKET: usize = 100;
/// What a thread spends without the lock after each packet.
const BETWEEN_PACKETS: Duration = Duration::from_micros(20);
const MEASURED_FOR: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Figures {
    /// How long each packet took.
    packets: Vec<Duration>,
    handed_over: usize,
}

/// Prints the table.
pub fn show() {
    println!(
        "{:>12}{:>16}{:>12}{:>12}{:>16}",
        "threads", "INCRs/s, 1000", "p50, µs", "p99, µs", "handed over"
    );
    for threads in THREADS {
        let Figures {
            mut packets,
            handed_over,
        } = measure(threads);
        packets.sort_unstable();
        let at = |part: f64| packets[(packets.len() as f64 * part) as usize].as_secs_f64() * 1e6;
        println!(
            "{threads:>12}{:>16.0}{:>12.1}{:>12.1}{:>14.1} %",
            (packets.len() * REQUESTS_A_PACKET) as f64 / MEASURED_FOR.as_secs_f64() / 1e3,
            at(0.5),
            at(0.99),
            handed_over as f64 / packets.len() as f64 * 100.0,
        );
    }
}

fn measure(threads: usize) -> Figures {
    let engine = Engine::new(Config::default(), None);
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        let workers = (0..threads).map(|_| scope.spawn(|| send_packets(&engine, &ends)));
        let workers: Vec<_> = workers.collect();
        thread::sleep(MEASURED_FOR);
        ends.store(true, Relaxed);
        let mut all = Figures::default();
        for worker in workers {
            let own = worker.join().expect("a worker does not panic");
            all.packets.extend(own.packets);
            all.handed_over += own.handed_over;
        }
        all
    })
}

fn send_packets(engine: &Engine, ends: &AtomicBool) -> Figures {
    // As the server's threads do: it decides who runs when one thread wakes another.
    Scheduling::Batch.wish();
    let mut exchange = exchange(engine);
    let packet = b"*2\r\n$4\r\nINCR\r\n$3\r\nhot\r\n".repeat(REQUESTS_A_PACKET);
    let mut figures = Figures::default();
    while !ends.load(Relaxed) {
        let began = Instant::now();
        exchange.input.compact();
        let sent = exchange.reply.write_to(&mut std::io::sink());
        sent.expect("a sink takes all");
        let mut rest = &packet[..];
        while !rest.is_empty() {
            let received = exchange.input.receive(&mut rest);
            received.expect("memory can be read");
        }
        let mut was_handed_over = false;
        exchange = execute_all(exchange, engine, &mut was_handed_over);
        figures.packets.push(began.elapsed());
        figures.handed_over += usize::from(was_handed_over);
        let done = Instant::now();
        while done.elapsed() < BETWEEN_PACKETS {
            std::hint::spin_loop();
        }
    }
    figures
}

fn execute_all(mut exchange: Exchange, engine: &Engine, was_handed_over: &mut bool) -> Exchange {
    let mut executor = Executor::new(engine, Stopwatch::start());
    let mut manner = Manner::HandingOver;
    while exchange.parse(engine).expect("it is a request") {
        match exchange.execute(&mut executor, manner) {
            Then::HandOver(place) => {
                let outcome;
                (exchange, outcome) = executor.hand_over(exchange, place);
                match outcome {
                    HandedOver::Back => manner = Manner::Waiting,
                    HandedOver::Done => *was_handed_over = true,
                    HandedOver::Failed => panic!("INCR does not panic"),
                }
            }
            then => {
                assert!(
                    matches!(then, Then::Nothing),
                    "INCR leaves nothing to be done"
                );
                exchange.advance();
                manner = Manner::HandingOver;
            }
        }
    }
    executor.release();
    exchange
}

/// An exchange with a client that has sent nothing.
fn exchange(engine: &Engine) -> Exchange {
    let account = engine.acl.default_account().clone();
    let connection = NewConnection::without_socket(account, Arc::new(NoLink));
    let registration = engine.clients.register(connection, usize::MAX, 0);
    let client = registration.expect("there is room").client.clone();
    Exchange::new(Session::new(engine, &client))
}
