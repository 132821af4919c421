//! A connection that keeps the bytes of replies, as they came.

use super::text::shown;
use crate::common::{PATIENCE, read_piece};
use my_redis_server::resp::decoder::{Decoder, Value};
use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A reply, as it came and as what it means.
#[derive(Clone, Debug)]
pub struct Answer {
    pub bytes: Vec<u8>,
    pub value: Value,
}

/// A connection that keeps the bytes of replies.
pub struct RawClient {
    pub stream: TcpStream,
    received: Vec<u8>,
}

impl RawClient {
    pub fn connect(port: u16) -> RawClient {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("it accepts connections");
        stream.set_nodelay(true).expect("a socket option");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a socket option");
        RawClient {
            stream,
            received: Vec::new(),
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// The next reply; `None` if the connection has ended.
    pub fn receive(&mut self) -> Option<Answer> {
        match self.try_receive() {
            Ok(answer) => answer,
            Err(error) => panic!("the server does not answer: {error}"),
        }
    }

    /// The next reply if it has come already, `None` if the connection has ended, [`ErrorKind::WouldBlock`] if neither.
    pub fn receive_now(&mut self) -> std::io::Result<Option<Answer>> {
        self.stream.set_nonblocking(true)?;
        let answer = self.try_receive();
        self.stream.set_nonblocking(false)?;
        answer
    }

    fn try_receive(&mut self) -> std::io::Result<Option<Answer>> {
        let mut decoder = Decoder::default();
        let mut len = 0;
        loop {
            let decoded = decoder.decode(&self.received[len..]);
            let (consumed, value) =
                decoded.unwrap_or_else(|error| panic!("{error}: {}", shown(&self.received)));
            len += consumed;
            if let Some(value) = value {
                let bytes = self.received.drain(..len).collect();
                return Ok(Some(Answer { bytes, value }));
            }
            let mut piece = [0; 16 * 1024];
            match read_piece(&mut self.stream, &mut piece)? {
                0 => return Ok(None),
                read => self.received.extend_from_slice(&piece[..read]),
            }
        }
    }

    /// All that comes until these bytes, or until the server closes the connection.
    pub fn receive_until(&mut self, end: &[u8]) -> Vec<u8> {
        let mut all = std::mem::take(&mut self.received);
        let patience = Some(Duration::from_secs(5));
        self.stream.set_read_timeout(patience).expect("an option");
        let mut piece = [0; 16 * 1024];
        while !all.ends_with(end) {
            match read_piece(&mut self.stream, &mut piece) {
                Ok(0) => return all,
                // It was closed while there was more to read than the server wanted.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return all,
                Ok(read) => all.extend_from_slice(&piece[..read]),
                Err(error) => return [&all[..], error.to_string().as_bytes()].concat(),
            }
        }
        all
    }
}
