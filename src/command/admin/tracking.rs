//! Client-side caching: CLIENT TRACKING, CACHING, GETREDIR and TRACKINGINFO. What is tracked is kept in
//! [`crate::state::tracking`].

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::state::tracking::Mode;
use std::sync::atomic::Ordering::Relaxed;

/// ```text
/// > CLIENT TRACKING on
/// OK
/// > CLIENT TRACKING on OPTIN OPTOUT
/// (error) ERR You can't specify both OPTIN mode and OPTOUT mode
/// > CLIENT TRACKING on BCAST
/// (error) ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it \
/// with a different mode.
/// > CLIENT TRACKING off
/// OK
/// > CLIENT TRACKING on BCAST PREFIX user: PREFIX user:1
/// (error) ERR Prefix 'user:' overlaps with another provided prefix 'user:1'. Prefixes for a single client must not \
/// overlap.
/// ```
pub(super) fn tracking(call: &mut Call) -> CommandResult {
    let (mode, prefixes) = options(call)?;
    match call.word(2).as_str() {
        "ON" => {
            check_compatible(call, mode, &prefixes)?;
            call.session.doorbell()?;
            let server = call.server;
            server
                .tracking
                .enable(&call.session.client, mode, &prefixes);
            server.listen_for_tracking();
            call.session.tracking = Some(mode);
        }
        "OFF" => call.session.end_tracking(call.server),
        _ => return Err(CommandError::Syntax),
    }
    call.reply.ok();
    Ok(())
}

/// The mode that the options ask for, and the prefixes.
fn options<'a>(call: &Call<'a>) -> Result<(Mode, Vec<&'a [u8]>), CommandError> {
    let mut mode = Mode::default();
    let mut prefixes = Vec::new();
    let mut index = 3;
    while index < call.arguments.len() {
        let has_more = index + 1 < call.arguments.len();
        match call.word(index).as_str() {
            "REDIRECT" if has_more => {
                index += 1;
                if mode.redirect != 0 {
                    return Err(CommandError::err(
                        "A client can only redirect to a single other client",
                    ));
                }
                mode.redirect = redirect(call, index)?;
            }
            "BCAST" => mode.is_broadcast = true,
            "OPTIN" => mode.opts_in = true,
            "OPTOUT" => mode.opts_out = true,
            "NOLOOP" => mode.no_loop = true,
            "PREFIX" if has_more => {
                index += 1;
                prefixes.push(call.argument(index));
            }
            _ => return Err(CommandError::Syntax),
        }
        index += 1;
    }
    Ok((mode, prefixes))
}

/// The number of a client that is connected.
fn redirect(call: &Call, index: usize) -> Result<u64, CommandError> {
    let id = u64::try_from(call.integer(index)?).ok();
    let client = id.and_then(|id| call.server.clients.find(id));
    let missing = || CommandError::err("The client ID you want redirect to does not exist");
    Ok(client.ok_or_else(missing)?.id)
}

/// Whether the options fit each other, and the mode that the client has.
fn check_compatible(call: &Call, mode: Mode, prefixes: &[&[u8]]) -> CommandResult {
    let refuse = |text: &str| Err(CommandError::err(text));
    if !mode.is_broadcast && !prefixes.is_empty() {
        return refuse("PREFIX option requires BCAST mode to be enabled");
    }
    let known = call.session.tracking;
    if known.is_some_and(|known| known.is_broadcast != mode.is_broadcast) {
        return refuse(
            "You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it \
             with a different mode.",
        );
    }
    if mode.is_broadcast && (mode.opts_in || mode.opts_out) {
        return refuse("OPTIN and OPTOUT are not compatible with BCAST");
    }
    if mode.opts_in && mode.opts_out {
        return refuse("You can't specify both OPTIN mode and OPTOUT mode");
    }
    let switches =
        |known: Mode| (mode.opts_in && known.opts_out) || (mode.opts_out && known.opts_in);
    if known.is_some_and(switches) {
        return refuse(
            "You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it \
             with a different mode.",
        );
    }
    check_prefixes(call, prefixes)
}

/// No prefix of a client may begin with another one: it would get messages twice.
fn check_prefixes(call: &Call, prefixes: &[&[u8]]) -> CommandResult {
    let known = call.server.tracking.prefixes_of(call.session.client.id);
    let overlap = |one: &[u8], other: &[u8]| one.starts_with(other) || other.starts_with(one);
    let refuse = |new: &[u8], kind: &str, other: &[u8]| {
        let text = [
            b"ERR Prefix '",
            new,
            b"' overlaps with ",
            kind.as_bytes(),
            b" prefix '",
            other,
            b"'. Prefixes for a single client must not overlap.",
        ];
        Err(CommandError::Other(text.concat()))
    };
    for (index, prefix) in prefixes.iter().enumerate() {
        if let Some(other) = known.iter().find(|other| overlap(prefix, other)) {
            return refuse(prefix, "an existing", other);
        }
        if let Some(other) = prefixes[index + 1..]
            .iter()
            .find(|other| overlap(prefix, other))
        {
            return refuse(prefix, "another provided", other);
        }
    }
    Ok(())
}

/// ```text
/// > CLIENT CACHING yes
/// (error) ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled
/// > CLIENT TRACKING on OPTIN
/// OK
/// > CLIENT CACHING yes
/// OK
/// > CLIENT CACHING no
/// (error) ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.
/// ```
pub(super) fn caching(call: &mut Call) -> CommandResult {
    let Some(mode) = call.session.tracking else {
        return Err(CommandError::err(
            "CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
        ));
    };
    let (is_possible, text) = match call.word(2).as_str() {
        "YES" => (
            mode.opts_in,
            "CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
        ),
        "NO" => (
            mode.opts_out,
            "CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
        ),
        _ => return Err(CommandError::Syntax),
    };
    if !is_possible {
        return Err(CommandError::err(text));
    }
    call.session.is_caching_exception = true;
    call.reply.ok();
    Ok(())
}

/// ```text
/// > CLIENT GETREDIR
/// (integer) -1
/// > CLIENT TRACKING on
/// OK
/// > CLIENT GETREDIR
/// (integer) 0
/// ```
pub(super) fn getredir(call: &mut Call) -> CommandResult {
    let redirect = call
        .session
        .tracking
        .map_or(-1, |mode| mode.redirect as i64);
    call.reply.integer(redirect);
    Ok(())
}

/// ```text
/// > CLIENT TRACKING on BCAST PREFIX user: NOLOOP
/// OK
/// > CLIENT TRACKINGINFO
/// 1) "flags"
/// 2) 1) "on"
///    2) "bcast"
///    3) "noloop"
/// 3) "redirect"
/// 4) (integer) 0
/// 5) "prefixes"
/// 6) 1) "user:"
/// ```
pub(super) fn trackinginfo(call: &mut Call) -> CommandResult {
    let mode = call.session.tracking;
    let is_broken = call.session.client.modes.is_redirect_broken.load(Relaxed);
    let is_exception = call.session.is_caching_exception;
    let flags = match mode {
        None => vec!["off"],
        Some(mode) => {
            let named = [
                ("on", true),
                ("bcast", mode.is_broadcast),
                ("optin", mode.opts_in),
                ("caching-yes", mode.opts_in && is_exception),
                ("optout", mode.opts_out),
                ("caching-no", mode.opts_out && is_exception),
                ("noloop", mode.no_loop),
                ("broken_redirect", is_broken),
            ];
            let set = named.into_iter().filter(|(_, is_set)| *is_set);
            set.map(|(name, _)| name).collect()
        }
    };
    let prefixes = call.server.tracking.prefixes_of(call.session.client.id);
    call.reply.map(3);
    call.reply.bulk(b"flags");
    call.reply.set(flags.len());
    flags
        .iter()
        .for_each(|flag| call.reply.bulk(flag.as_bytes()));
    call.reply.bulk(b"redirect");
    call.reply
        .integer(mode.map_or(-1, |mode| mode.redirect as i64));
    call.reply.bulk(b"prefixes");
    call.reply.array(prefixes.len());
    prefixes.iter().for_each(|prefix| call.reply.bulk(prefix));
    Ok(())
}
