//! All places in an area: GEOSEARCH, what it replaces, and GEOSEARCHSTORE.

use super::query::{AreaForm, Form, Order, Query, TargetForm};
use super::{reply_distance, reply_point};
use crate::command::call::Call;
use crate::command::data::sorted_set;
use crate::command::error::CommandResult;
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::keyspace::space::Key;
use crate::types::geo::{Area, Point};
use crate::types::sorted_set::{Edge, SortedSet};
use crate::util::number;
use crate::util::partial_sort::sort_part;
use std::cmp::Ordering;

#[rustfmt::skip]
pub(in crate::command) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "geosearch", arity: -7, handler: Read(geosearch), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Geo, since: "6.2.0",
        syntax: "key <from: FROMMEMBER member | FROMLONLAT <longitude latitude>> <by: <circle: BYRADIUS radius <unit: \
            M | KM | FT | MI>> | <box: BYBOX width height <unit: M | KM | FT | MI>>> [order: ASC | DESC] [count-block: \
            COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
        summary: "Queries a geospatial index for members inside an area of a box or a circle.",
        complexity: "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the \
            shape provided as the filter and M is the number of items inside the shape",
        history: &[("7.0.0", "Added support for uppercase unit names.")], ..BASE },
    CommandSpec { name: "geosearchstore", arity: -8, handler: Write(geosearchstore),
        keys: &[key(1, &[OW, UPDATE]), key(2, &[RO, ACCESS])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::Geo, since: "6.2.0",
        syntax: "destination source <from: FROMMEMBER member | FROMLONLAT <longitude latitude>> <by: <circle: BYRADIUS \
            radius <unit: M | KM | FT | MI>> | <box: BYBOX width height <unit: M | KM | FT | MI>>> [order: ASC | DESC] \
            [count-block: COUNT count [ANY]] [STOREDIST]",
        summary: "Queries a geospatial index for members inside an area of a box or a circle, optionally stores the \
            result.",
        complexity: "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the \
            shape provided as the filter and M is the number of items inside the shape",
        history: &[("7.0.0", "Added support for uppercase unit names.")], ..BASE },
    CommandSpec { name: "georadius", arity: -6, handler: Write(georadius),
        keys: &[key(1, &[RO, ACCESS]), key_after("STORE", 6, &[OW, UPDATE]), key_after("STOREDIST", 6, &[OW, UPDATE])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::Geo, since: "3.2.0",
        syntax: "key longitude latitude radius <unit: M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] \
            [count-block: COUNT count [ANY@6.2.0]] [order: ASC | DESC] [store: STORE storekey(key) | STOREDIST \
            storedistkey(key)]",
        summary: "Queries a geospatial index for members within a distance from a coordinate, optionally stores the \
            result.",
        complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area \
            delimited by center and radius and M is the number of items inside the index.",
        history: &[
            ("6.2.0", "Added the `ANY` option for `COUNT`."),
            ("7.0.0", "Added support for uppercase unit names."),
        ],
        deprecated: Some(("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument")), ..BASE },
    CommandSpec { name: "georadius_ro", arity: -6, handler: Read(georadius_ro), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Geo, since: "3.2.10",
        syntax: "key longitude latitude radius <unit: M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] \
            [count-block: COUNT count [ANY@6.2.0]] [order: ASC | DESC]",
        summary: "Returns members from a geospatial index that are within a distance from a coordinate.",
        complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area \
            delimited by center and radius and M is the number of items inside the index.",
        history: &[("6.2.0", "Added the `ANY` option for `COUNT`.")],
        deprecated: Some(("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument")), ..BASE },
    CommandSpec { name: "georadiusbymember", arity: -5, handler: Write(georadiusbymember),
        keys: &[key(1, &[RO, ACCESS]), key_after("STORE", 5, &[OW, UPDATE]), key_after("STOREDIST", 5, &[OW, UPDATE])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::Geo, since: "3.2.0",
        syntax: "key member radius <unit: M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [count-block: COUNT \
            count [ANY]] [order: ASC | DESC] [store: STORE storekey(key) | STOREDIST storedistkey(key)]",
        summary: "Queries a geospatial index for members within a distance from a member, optionally stores the \
            result.",
        complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area \
            delimited by center and radius and M is the number of items inside the index.",
        history: &[("7.0.0", "Added support for uppercase unit names.")],
        deprecated: Some(("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments")),
        ..BASE },
    CommandSpec { name: "georadiusbymember_ro", arity: -5, handler: Read(georadiusbymember_ro),
        keys: &[key(1, &[RO, ACCESS])], flags: flags(&[READONLY]), group: Group::Geo, since: "3.2.10",
        syntax: "key member radius <unit: M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [count-block: COUNT \
            count [ANY]] [order: ASC | DESC]",
        summary: "Returns members from a geospatial index that are within a distance from a member.",
        complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area \
            delimited by center and radius and M is the number of items inside the index.",
        deprecated: Some(("6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments")), ..BASE },
];

/// A member that lies in the area.
#[derive(Clone, Copy, Debug)]
struct Found<'a> {
    member: &'a [u8],
    score: f64,
    place: Point,
    /// From the centre, in metres.
    distance: f64,
}

/// What a query finds in a sorted set, in the order that it asks for.
fn find<'a>(set: &'a SortedSet, query: &Query) -> Vec<Found<'a>> {
    let Some(area) = query.area() else {
        return Vec::new();
    };
    let most = match query.count {
        0 => usize::MAX,
        count => count,
    };
    let enough = if query.is_any { most } else { usize::MAX };
    let mut found = search(set, &area, enough);
    let wanted = found.len().min(most);
    let order = match query.order {
        // The nearest ones are not known without it.
        Order::Unsorted if query.count > 0 && !query.is_any => Order::Nearest,
        order => order,
    };
    let compare: fn(&Found, &Found) -> Ordering = match order {
        Order::Unsorted => return found,
        Order::Nearest => |a, b| a.distance.total_cmp(&b.distance),
        Order::Farthest => |a, b| b.distance.total_cmp(&a.distance),
    };
    // In either case, equal distances come out in the order in which Redis has them.
    if wanted == found.len() {
        found.sort_by(compare);
    } else {
        sort_part(&mut found, 0..wanted, compare);
    }
    found.truncate(wanted);
    found
}

/// The members in the area, until there are enough: cell by cell, in the order of the scores.
fn search<'a>(set: &'a SortedSet, area: &Area, enough: usize) -> Vec<Found<'a>> {
    let mut found = Vec::new();
    for cell in area.cells() {
        let scores = cell.scores();
        let first = set.rank_of(Edge::BeforeScore(scores.start));
        for (member, score) in set.range(first..set.len()) {
            if found.len() == enough {
                return found;
            }
            if score >= scores.end {
                break;
            }
            let place = Point::from_score(score);
            if let Some(distance) = area.distance(place) {
                found.push(Found {
                    member,
                    score,
                    place,
                    distance,
                });
            }
        }
    }
    found
}

/// Searches, and replies with what was found.
fn reply_search(call: &mut Call, db: &Db, form: Form) -> CommandResult {
    let set = db.collection::<SortedSet>(&call.key())?;
    let query = Query::parse(call, set, form)?;
    let found = set.map(|set| find(set, &query)).unwrap_or_default();
    reply_found(call, &query, &found);
    Ok(())
}

fn reply_found(call: &mut Call, query: &Query, found: &[Found]) {
    let shown = [query.with_distance, query.with_hash, query.with_coordinates];
    let shown = shown.iter().filter(|is_shown| **is_shown).count();
    call.reply.array(found.len());
    for it in found {
        if shown > 0 {
            call.reply.array(1 + shown);
        }
        call.reply.bulk(it.member);
        if query.with_distance {
            reply_distance(call, it.distance / query.unit);
        }
        if query.with_hash {
            call.reply.integer(it.score as i64);
        }
        if query.with_coordinates {
            reply_point(call, it.place);
        }
    }
}

/// Has the result replayed instead of the command: another server's sines may differ in the last digit, and with them
/// the distances, and which members lie at the edge. Redis replays the command.
fn replay_result(db: &mut Db, target: &Key, result: &SortedSet) {
    db.replay_as(|replay| {
        replay.command(&[b"DEL", target.bytes]);
        if result.is_empty() {
            return;
        }
        let scores = result.iter().map(|(_, score)| {
            let mut text = Vec::new();
            number::format_f64(score, &mut text);
            text
        });
        let scores: Vec<Vec<u8>> = scores.collect();
        let entries = scores.iter().zip(result.iter());
        let entries = entries.flat_map(|(score, (member, _))| [&score[..], member]);
        replay.command_with_elements(&[b"ZADD", target.bytes], entries);
    });
}

/// Searches the sorted set of `source`, and stores what was found, if the call says where.
fn search_and_store(
    call: &mut Call,
    db: &mut Db,
    source: Key,
    form: Form,
    event: &'static str,
) -> CommandResult {
    let set = db.collection::<SortedSet>(&source)?;
    let query = Query::parse(call, set, form)?;
    let found = set.map(|set| find(set, &query)).unwrap_or_default();
    let Some(target) = query.target else {
        reply_found(call, &query, &found);
        return Ok(());
    };
    let entries = found.iter().map(|it| match query.stores_distance {
        true => (it.member, it.distance / query.unit),
        false => (it.member, it.score),
    });
    let limits = call.server.config.sorted_set_limits();
    let result = SortedSet::from_entries(entries.collect(), limits);
    let mut keys = call.keys.iter();
    let target = keys.find(|key| key.bytes == target);
    let target = *target.expect("the table says where it stands");
    let changes = result.len();
    replay_result(db, &target, &result);
    sorted_set::store(call, db, &target, result, event, changes);
    Ok(())
}

/// ```text
/// > GEOADD Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania 12.758489 38.788135 edge
/// (integer) 3
/// > GEOSEARCH Sicily FROMLONLAT 15 37 BYRADIUS 200 km ASC WITHDIST
/// 1) 1) "Catania"
///    2) "56.4413"
/// 2) 1) "Palermo"
///    2) "190.4424"
/// > GEOSEARCH Sicily FROMMEMBER Palermo BYBOX 400 200 km DESC COUNT 2
/// 1) "Catania"
/// 2) "edge"
/// ```
fn geosearch(call: &mut Call, db: &Db) -> CommandResult {
    let form = Form {
        area: AreaForm::Words,
        target: TargetForm::None,
    };
    reply_search(call, db, form)
}

/// ```text
/// > GEOADD Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
/// (integer) 2
/// > GEOSEARCHSTORE near Sicily FROMLONLAT 15 37 BYRADIUS 100 km
/// (integer) 1
/// > GEOHASH near Catania
/// 1) "sqdtr74hyu0"
/// ```
fn geosearchstore(call: &mut Call, db: &mut Db) -> CommandResult {
    let form = Form {
        area: AreaForm::Words,
        target: TargetForm::First,
    };
    let source = call.keys[1];
    search_and_store(call, db, source, form, "geosearchstore")
}

/// ```text
/// > GEOADD Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
/// (integer) 2
/// > GEORADIUS Sicily 15 37 200 km WITHDIST WITHCOORD COUNT 1
/// 1) 1) "Catania"
///    2) "56.4413"
///    3) 1) "15.08726745843887329"
///       2) "37.50266842333162032"
/// > GEORADIUS Sicily 15 37 200 km STORE near
/// (integer) 2
/// ```
fn georadius(call: &mut Call, db: &mut Db) -> CommandResult {
    let form = Form {
        area: AreaForm::Coordinates,
        target: TargetForm::Option,
    };
    let source = call.key();
    search_and_store(call, db, source, form, "georadiusstore")
}

/// ```text
/// > GEOADD Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
/// (integer) 2
/// > GEORADIUS_RO Sicily 15 37 100 km WITHHASH
/// 1) 1) "Catania"
///    2) (integer) 3479447370796909
/// ```
fn georadius_ro(call: &mut Call, db: &Db) -> CommandResult {
    let form = Form {
        area: AreaForm::Coordinates,
        target: TargetForm::None,
    };
    reply_search(call, db, form)
}

/// ```text
/// > GEOADD Sicily 13.583333 37.316667 Agrigento 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
/// (integer) 3
/// > GEORADIUSBYMEMBER Sicily Agrigento 100 km
/// 1) "Agrigento"
/// 2) "Palermo"
/// > GEORADIUSBYMEMBER Sicily Rome 100 km
/// (error) ERR could not decode requested zset member
/// ```
fn georadiusbymember(call: &mut Call, db: &mut Db) -> CommandResult {
    let form = Form {
        area: AreaForm::Member,
        target: TargetForm::Option,
    };
    let source = call.key();
    search_and_store(call, db, source, form, "georadiusstore")
}

/// ```text
/// > GEOADD Sicily 13.583333 37.316667 Agrigento 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
/// (integer) 3
/// > GEORADIUSBYMEMBER_RO Sicily Agrigento 100 km DESC
/// 1) "Palermo"
/// 2) "Agrigento"
/// ```
fn georadiusbymember_ro(call: &mut Call, db: &Db) -> CommandResult {
    let form = Form {
        area: AreaForm::Member,
        target: TargetForm::None,
    };
    reply_search(call, db, form)
}
