//! The exchange with a client: the requests that have arrived from it, and the replies that have not been sent.

use super::account::Account;
use super::lock_in_hand::Manner;
use super::{Engine, Executor, Request};
use crate::command::call::Then;
use crate::command::session::Session;
use crate::resp::input::Input;
use crate::resp::reply::Reply;
use crate::resp::request::{Arguments, ProtocolError, RequestLimits, RequestParser};
#[cfg(test)]
use crate::state::clients::{NewConnection, NoLink};
use crate::util::clock;
#[cfg(test)]
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Replies are sent when they have grown to this size, even if there are more requests.
const FLUSH_BYTES: usize = 64 * 1024;

/// All that it takes to carry out the requests that have arrived.
#[derive(Debug)]
pub struct Exchange {
    /// What the server remembers of the client.
    pub session: Session,
    /// Requests, the next one at the front.
    pub input: Input,
    /// Knows the next request, as far as it has been parsed.
    pub parser: RequestParser,
    /// Replies that have not been sent.
    pub reply: Reply,
    /// The length of the next request, once it has been parsed as a whole, or why it is none. The parser knows a fault
    /// once; this remembers it for the thread that is to answer it.
    next: Option<Result<usize, ProtocolError>>,
}

impl Exchange {
    /// With a client that has sent nothing.
    pub fn new(session: Session) -> Exchange {
        Exchange {
            session,
            input: Input::default(),
            parser: RequestParser::default(),
            reply: Reply::default(),
            next: None,
        }
    }

    /// With a client that has sent these requests, a line each.
    #[cfg(test)]
    pub(super) fn of_lines(engine: &Engine, requests: &str) -> Exchange {
        let account = engine.acl.default_account().clone();
        let connection = NewConnection::without_socket(account, Arc::new(NoLink));
        let registration = engine.clients.register(connection, usize::MAX, 0);
        let client = registration.expect("there is room").client.clone();
        let mut exchange = Exchange::new(Session::new(engine, &client));
        let mut requests = requests.as_bytes();
        while !requests.is_empty() {
            let received = exchange.input.receive(&mut requests);
            received.expect("memory can be read");
        }
        exchange
    }

    /// Parses the next request, unless that has been done; `false` if it has not arrived as a whole.
    ///
    /// # Errors
    /// It is no request.
    #[inline]
    pub fn parse(&mut self, engine: &Engine) -> Result<bool, ProtocolError> {
        if self.next.is_none() {
            let limits = RequestLimits {
                argument_bytes: engine.config.proto_max_bulk_len.get() as usize,
                is_unauthenticated: !self.session.is_authenticated(engine),
            };
            self.next = self.parser.parse(self.input.unparsed(), limits).transpose();
        }
        match &self.next {
            None => Ok(false),
            Some(Ok(_)) => Ok(true),
            Some(Err(error)) => Err(error.clone()),
        }
    }

    /// The length of the next request; 0 if it has not been parsed as a whole.
    fn next_bytes(&self) -> usize {
        match self.next {
            Some(Ok(bytes)) => bytes,
            _ => 0,
        }
    }

    /// Carries out the next request, which has been parsed.
    #[inline]
    pub fn execute(&mut self, executor: &mut Executor, manner: Manner) -> Then {
        let arguments = arguments(&self.parser, &self.input, self.next_bytes());
        if arguments.is_empty() {
            if let Some(replica) = &self.session.sync.replica {
                // It says that it is alive while it loads a snapshot.
                replica.note_ack_time(clock::unix_ms());
            }
            // Its reply, which is none, is one that CLIENT REPLY SKIP leaves out.
            Account::begin(&self.reply).end_request(&mut self.session, &mut self.reply);
            return Then::Nothing;
        }
        let request = Request {
            arguments: &arguments,
            large: self.parser.large_arguments(),
        };
        executor.execute(&mut self.session, request, &mut self.reply, manner)
    }

    /// Carries out the next request, which has been parsed, if it takes no lock but the one that the executor has in
    /// hand, and nothing unusual is to be done for it or left to be done; else returns `false`, and nothing has been
    /// done.
    pub(super) fn execute_in_hand(&mut self, executor: &mut Executor) -> bool {
        let arguments = arguments(&self.parser, &self.input, self.next_bytes());
        let request = Request {
            arguments: &arguments,
            large: self.parser.large_arguments(),
        };
        !arguments.is_empty()
            && executor.execute_in_hand(&mut self.session, request, &mut self.reply)
    }

    /// Answers what is no request, unless the client wants no reply. The connection is then closed in any case; Redis
    /// leaves it open if there was no reply to send.
    pub fn refuse(&mut self, error: &ProtocolError) {
        let account = Account::begin(&self.reply);
        self.reply.error(&error.text());
        account.end_request(&mut self.session, &mut self.reply);
    }

    /// Goes on to the request after the one that has been carried out.
    #[inline]
    pub fn advance(&mut self) {
        self.parser.drop_large_arguments();
        self.input.start += self.next_bytes();
        self.next = None;
    }

    /// Whether replies are to be sent before the next request is carried out.
    pub fn has_to_send(&self) -> bool {
        self.reply.len() >= FLUSH_BYTES || self.session.client.closes_after_reply.load(Relaxed)
    }
}

/// The arguments of the next request.
#[inline]
fn arguments<'a>(parser: &'a RequestParser, input: &'a Input, bytes: usize) -> Arguments<'a> {
    parser.arguments(&input.unparsed()[..bytes])
}
