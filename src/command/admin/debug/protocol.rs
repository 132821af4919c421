//! DEBUG PROTOCOL: one reply of each type, for authors of clients.

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::resp::reply::{Protocol, Reply};

/// The types are those of RESP3; a client that speaks RESP2 sees what they become there.
///
/// ```text
/// > DEBUG PROTOCOL string
/// "Hello World"
/// > DEBUG PROTOCOL true
/// (integer) 1
/// > DEBUG PROTOCOL push
/// (error) ERR RESP2 is not supported by this command
/// ```
// The number is Redis', and is not meant to be π.
#[allow(clippy::approx_constant)]
pub(super) fn protocol(call: &mut Call) -> CommandResult {
    let kind = call.word(2);
    let reply = &mut *call.reply;
    match kind.as_str() {
        "STRING" => reply.bulk(b"Hello World"),
        "INTEGER" => reply.integer(12345),
        "DOUBLE" => reply.double(3.141),
        "NULL" => reply.null(),
        "ARRAY" => {
            reply.array(3);
            (0..3).for_each(|number| reply.integer(number));
        }
        "SET" => {
            reply.set(3);
            (0..3).for_each(|number| reply.integer(number));
        }
        "MAP" => {
            reply.map(3);
            for number in 0..3 {
                reply.integer(number);
                reply.boolean(number == 1);
            }
        }
        "ATTRIB" => attributed(reply),
        "PUSH" => return push(reply),
        "VERBATIM" => reply.verbatim(b"This is a verbatim\nstring"),
        "TRUE" => reply.boolean(true),
        "FALSE" => reply.boolean(false),
        "BIGNUM" => reply.big_number(b"1234567999999999999999999999999999999"),
        _ => {
            return Err(CommandError::err(
                "Wrong protocol type name. Please use one of the following: \
                 string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    Ok(())
}

/// RESP2 has nothing for what is said about a reply, so it gets the reply alone.
fn attributed(reply: &mut Reply) {
    if reply.protocol == Protocol::Resp3 {
        reply.attribute(1);
        reply.bulk(b"key-popularity");
        reply.array(2);
        reply.bulk(b"key:123");
        reply.integer(90);
    }
    reply.bulk(b"Some real reply following the attribute");
}

/// The message comes after the reply, although its text says the contrary: clients must cope with both.
fn push(reply: &mut Reply) -> CommandResult {
    if reply.protocol == Protocol::Resp2 {
        return Err(CommandError::err("RESP2 is not supported by this command"));
    }
    reply.bulk(b"Some real reply following the push reply");
    reply.push(2);
    reply.bulk(b"server-cpu-usage");
    reply.integer(42);
    Ok(())
}
