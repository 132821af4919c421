//! A client that understands replies.

use super::PATIENCE;
use my_redis_server::resp::decoder::{Decoder, Value};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

/// Reads what has come, at least a byte; 0 at the end. It begins anew when a signal has ended it early, as any signal
/// does to a socket with a timeout, that of a child process that has ended too.
pub fn read_piece(stream: &mut impl Read, piece: &mut [u8]) -> std::io::Result<usize> {
    loop {
        match stream.read(piece) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// A client of either server.
pub struct Client {
    pub stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    pub fn connect(port: u16) -> Client {
        Client::try_connect(port).expect("the server accepts connections")
    }

    /// Connects to a server that may not be there.
    pub fn try_connect(port: u16) -> std::io::Result<Client> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Client {
            stream,
            received: Vec::new(),
        })
    }

    /// Sends a request.
    pub fn send<A: AsRef<[u8]>>(&mut self, arguments: &[A]) {
        self.try_send(arguments).expect("the server reads");
    }

    /// Sends a request to a server that may be gone.
    pub fn try_send<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> std::io::Result<()> {
        self.stream.write_all(&request(arguments))
    }

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// The next reply; `None` if the connection has ended.
    pub fn try_receive(&mut self) -> Option<Value> {
        let mut decoder = Decoder::default();
        loop {
            let (consumed, value) = decoder
                .decode(&self.received)
                .expect("the server speaks the protocol");
            self.received.drain(..consumed);
            if value.is_some() {
                return value;
            }
            let mut piece = vec![0; 64 * 1024];
            match read_piece(&mut self.stream, &mut piece) {
                Ok(0) | Err(_) => return None,
                Ok(len) => self.received.extend_from_slice(&piece[..len]),
            }
        }
    }

    pub fn receive(&mut self) -> Value {
        self.try_receive().expect("the server answers")
    }

    /// Sends a request and waits for its reply.
    pub fn call<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Value {
        self.send(arguments);
        self.receive()
    }

    /// The same, with the reply as redis-cli prints it, without the last line end.
    pub fn ask(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        self.send(&words);
        self.receive_line()
    }

    /// The reply to a request that was sent before, as redis-cli prints it, without the last line end.
    pub fn receive_line(&mut self) -> String {
        let printed = my_redis_server::resp::pretty::pretty(&self.receive());
        String::from_utf8_lossy(&printed).trim_end().to_string()
    }

    /// An integer reply.
    pub fn integer<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> i64 {
        match self.call(arguments) {
            Value::Integer(number) => number,
            other => panic!("not an integer: {other:?}"),
        }
    }

    /// A field of INFO.
    pub fn info(&mut self, field: &str) -> String {
        self.info_of("everything", field)
    }

    /// A field in a section of INFO: cheaper than looking for it in all sections.
    pub fn info_of(&mut self, section: &str, field: &str) -> String {
        let Value::Bulk(text) = self.call(&["INFO", section]) else {
            panic!("INFO gives a string")
        };
        let text = String::from_utf8(text).expect("INFO is text");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("INFO has no {field}"))
            .trim()
            .to_string()
    }
}

/// The strings of an array.
pub fn strings(value: Value) -> Vec<Vec<u8>> {
    let Value::Array(elements) = value else {
        panic!("{value:?} is no array")
    };
    let strings = elements.into_iter().map(|element| match element {
        Value::Bulk(bytes) => bytes,
        other => panic!("{other:?} is no string"),
    });
    strings.collect()
}

/// A request as bytes.
pub fn request<A: AsRef<[u8]>>(arguments: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        let argument = argument.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend_from_slice(argument);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// A number in a string; 0 if there is none.
pub fn number(reply: Value) -> i64 {
    match reply {
        Value::Null => 0,
        Value::Bulk(digits) => String::from_utf8(digits)
            .ok()
            .and_then(|text| text.parse().ok())
            .expect("a number"),
        reply => panic!("{reply:?}"),
    }
}
