//! A server that answers whatever it is asked by bytes that a test has written: replies that no real server gives.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

/// Serves every connection that comes, in threads that end with the test.
pub struct ScriptedServer {
    pub port: u16,
}

impl ScriptedServer {
    /// Answers each packet that arrives by the next of the `replies`, and closes the connection after the last one.
    pub fn start<R: AsRef<[u8]>>(replies: &[R]) -> ScriptedServer {
        let (listener, port, replies) = prepare(replies);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let replies = replies.clone();
                thread::spawn(move || serve(stream, &replies));
            }
        });
        ScriptedServer { port }
    }

    /// Answers the first connection as [`ScriptedServer::start`] does, and no other: they wait.
    pub fn start_for_one<R: AsRef<[u8]>>(replies: &[R]) -> ScriptedServer {
        let (listener, port, replies) = prepare(replies);
        thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a client comes");
            serve(stream, &replies);
            // The listener stays open, and takes the connections that are not answered.
            thread::park();
            drop(listener);
        });
        ScriptedServer { port }
    }
}

fn prepare<R: AsRef<[u8]>>(replies: &[R]) -> (TcpListener, u16, Vec<Vec<u8>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
    let port = listener.local_addr().expect("it has an address").port();
    let replies = replies.iter().map(|reply| reply.as_ref().to_vec());
    (listener, port, replies.collect())
}

fn serve(mut stream: TcpStream, replies: &[Vec<u8>]) {
    let mut packet = [0; 4096];
    for reply in replies {
        match stream.read(&mut packet) {
            Ok(1..) if stream.write_all(reply).is_ok() => {}
            _ => return,
        }
    }
    // What the client still sends is read, else the system would reset the connection, and the reply could be lost.
    let _ = stream.shutdown(Shutdown::Write);
    while stream.read(&mut packet).is_ok_and(|length| length > 0) {}
}
