//! Geo: sorted sets whose scores are places. <https://redis.io/commands/?group=geo>

pub(super) mod places;
mod query;
pub(super) mod search;

use crate::command::call::Call;
use crate::command::error::CommandError;
use crate::types::geo::Point;
use crate::types::sorted_set::SortedSet;
use crate::util::number;

/// Longitude and latitude at this argument and the next.
fn point(call: &Call, index: usize) -> Result<Point, CommandError> {
    let degrees = |index| number::parse_f64(call.argument(index)).ok_or(CommandError::NotAFloat);
    let (longitude, latitude) = (degrees(index)?, degrees(index + 1)?);
    Point::new(longitude, latitude).ok_or_else(|| {
        let text = format!("invalid longitude,latitude pair {longitude:.6},{latitude:.6}");
        CommandError::err(text)
    })
}

/// The metres in the unit at this argument.
fn unit(call: &Call, index: usize) -> Result<f64, CommandError> {
    match call.word(index).as_str() {
        "M" => Ok(1.0),
        "KM" => Ok(1000.0),
        "FT" => Ok(0.3048),
        "MI" => Ok(1609.34),
        _ => Err(CommandError::err(
            "unsupported unit provided. please use M, KM, FT, MI",
        )),
    }
}

fn reply_point(call: &mut Call, point: Point) {
    call.reply.array(2);
    call.reply.long_double(point.longitude.into());
    call.reply.long_double(point.latitude.into());
}

/// Four decimals, rounded as a number of ten thousandths; a string in RESP3 too.
fn reply_distance(call: &mut Call, distance: f64) {
    const DECIMALS: i64 = 10_000;
    let number = (distance * DECIMALS as f64).round_ties_even() as i64;
    let text = format!("{}.{:04}", number / DECIMALS, number % DECIMALS);
    call.reply.bulk(text.as_bytes());
}

/// Where a member is.
fn place_of(set: &SortedSet, member: &[u8]) -> Option<Point> {
    set.score(member).map(Point::from_score)
}
