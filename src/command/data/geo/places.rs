//! Single places: GEOADD, GEODIST, GEOHASH, GEOPOS.

use super::{place_of, point, reply_distance, reply_point, unit};
use crate::command::call::Call;
use crate::command::data::sorted_set::add;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::types::geo::Point;
use crate::types::sorted_set::SortedSet;

#[rustfmt::skip]
pub(in crate::command) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "geoadd", arity: -5, handler: Write(geoadd), keys: &[key(1, &[RW, UPDATE])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::Geo, since: "3.2.0",
        syntax: "key [condition@6.2.0: NX | XX] [change:CH@6.2.0] <data: longitude latitude member> [...]",
        summary: "Adds one or more members to a geospatial index. The key is created if it doesn't exist.",
        complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
        history: &[("6.2.0", "Added the `CH`, `NX` and `XX` options.")], ..BASE },
    CommandSpec { name: "geodist", arity: -4, handler: Read(geodist), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Geo, since: "3.2.0",
        syntax: "key member1 member2 [unit: M | KM | FT | MI]",
        summary: "Returns the distance between two members of a geospatial index.", ..BASE },
    CommandSpec { name: "geohash", arity: -2, handler: Read(geohash), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Geo, since: "3.2.0",
        syntax: "key [member [member ...]]", summary: "Returns members from a geospatial index as geohash strings.",
        complexity: "O(1) for each member requested.", ..BASE },
    CommandSpec { name: "geopos", arity: -2, handler: Read(geopos), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Geo, since: "3.2.0",
        syntax: "key [member [member ...]]",
        summary: "Returns the longitude and latitude of members from a geospatial index.",
        complexity: "O(1) for each member requested.", ..BASE },
];

/// How many of the given members are new, or with CH, how many have changed.
///
/// ```text
/// > GEOADD Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
/// (integer) 2
/// > ZSCORE Sicily Palermo
/// "3479099956230698"
/// > GEOADD Sicily XX CH 13.36 38.11 Palermo
/// (integer) 1
/// > GEOADD Sicily 13.361389 88.115556 Palermo
/// (error) ERR invalid longitude,latitude pair 13.361389,88.115556
/// ```
fn geoadd(call: &mut Call, db: &mut Db) -> CommandResult {
    let mut options = add::Options::default();
    let mut first = 2;
    for word in &call.arguments[2..] {
        match word.to_ascii_uppercase().as_slice() {
            b"NX" => options.nx = true,
            b"XX" => options.xx = true,
            b"CH" => options.ch = true,
            _ => break,
        }
        first += 1;
    }
    let rest = call.arguments.len() - first;
    if rest == 0 || !rest.is_multiple_of(3) || (options.nx && options.xx) {
        return Err(CommandError::Syntax);
    }
    let entries: Result<add::Entries, CommandError> = (first..call.arguments.len())
        .step_by(3)
        .map(|index| Ok((call.argument(index + 2), point(call, index)?.score())))
        .collect();
    add::add_entries(call, db, options, entries?)
}

/// ```text
/// > GEOADD Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
/// (integer) 2
/// > GEODIST Sicily Palermo Catania
/// "166274.1516"
/// > GEODIST Sicily Palermo Catania km
/// "166.2742"
/// > GEODIST Sicily Palermo Rome
/// (nil)
/// ```
fn geodist(call: &mut Call, db: &Db) -> CommandResult {
    let unit = match call.arguments.len() {
        4 => 1.0,
        5 => unit(call, 4)?,
        _ => return Err(CommandError::Syntax),
    };
    let set = db.collection::<SortedSet>(&call.key())?;
    let [from, to] = [2, 3].map(|index| place_of(set?, call.argument(index)));
    match (from, to) {
        (Some(from), Some(to)) => reply_distance(call, from.distance(to) / unit),
        _ => call.reply.null(),
    }
    Ok(())
}

/// ```text
/// > GEOADD Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
/// (integer) 2
/// > GEOHASH Sicily Palermo Rome
/// 1) "sqc8b49rny0"
/// 2) (nil)
/// ```
fn geohash(call: &mut Call, db: &Db) -> CommandResult {
    let set = db.collection::<SortedSet>(&call.key())?;
    let members = &call.arguments[2..];
    call.reply.array(members.len());
    for member in members {
        let place = set.and_then(|set| place_of(set, member));
        let hash = place.map(Point::geohash);
        call.reply.bulk_or_null(hash.as_ref().map(|hash| &hash[..]));
    }
    Ok(())
}

/// ```text
/// > GEOADD Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
/// (integer) 2
/// > GEOPOS Sicily Palermo Rome
/// 1) 1) "13.36138933897018433"
///    2) "38.11555639549629859"
/// 2) (nil)
/// ```
fn geopos(call: &mut Call, db: &Db) -> CommandResult {
    let set = db.collection::<SortedSet>(&call.key())?;
    let members = &call.arguments[2..];
    call.reply.array(members.len());
    for member in members {
        match set.and_then(|set| place_of(set, member)) {
            Some(place) => reply_point(call, place),
            None => call.reply.null_array(),
        }
    }
    Ok(())
}
