//! Places on the globe: what the scores of a sorted set mean to GEOADD and GEOSEARCH.
//!
//! A place is the number of a cell, <https://en.wikipedia.org/wiki/Geohash>: longitude and latitude are each halved 26
//! times. Each step gives a bit, which says the half that the place lies in; the bits of both are interleaved. So the
//! cells of a larger cell have consecutive numbers, and searching an area means searching some ranges of scores
//! (`area.rs`).
//!
//! ```text
//!   longitude  1   1   0   ...  east, then the eastern half of that, then the western half...
//!   latitude     0   1   1 ...
//!   number     1 0 1 1 0 1 ...  52 bits: a cell is 0.6 m wide at the equator, and a double represents all numbers
//! exactly ```
//!
//! All expressions are evaluated in the order in which Redis evaluates them, so that results are equal to the last bit.

mod area;
mod cell;
#[cfg(test)]
mod tests;

pub use area::{Area, Shape};
pub use cell::Cell;

/// The radius of the globe, in metres.
const EARTH_RADIUS: f64 = 6372797.560856;
/// Radians of one degree.
const RADIANS: f64 = std::f64::consts::PI / 180.0;

/// The northernmost and southernmost latitude in scores: where a map of Mercator's is a square.
const MOST_LATITUDE: f64 = 85.05112878;
const MOST_LONGITUDE: f64 = 180.0;
/// The northernmost latitude in geohashes that are text.
const POLE: f64 = 90.0;

/// The number of times that longitude and latitude are halved for a score.
const FINEST: u32 = 26;

/// A place, in degrees.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Eastern longitudes are positive.
    pub longitude: f64,
    /// Northern latitudes are positive.
    pub latitude: f64,
}

impl Point {
    /// A place that has a score; `None` if it is too near to a pole, or beyond 180 degrees.
    pub fn new(longitude: f64, latitude: f64) -> Option<Point> {
        let is_there = longitude.abs() <= MOST_LONGITUDE && latitude.abs() <= MOST_LATITUDE;
        is_there.then_some(Point {
            longitude,
            latitude,
        })
    }

    /// The score that stands for the place.
    pub fn score(self) -> f64 {
        Cell::of(self, MOST_LATITUDE, FINEST).number() as f64
    }

    /// The centre of the cell of a score. Every number is the score of some cell: numbers that GEOADD does not make are
    /// converted to 64 bits as an x86 processor does it.
    pub fn from_score(score: f64) -> Point {
        const BEYOND: f64 = (1u128 << 64) as f64;
        let number = match score {
            ..0.0 => score as i64 as u64,
            BEYOND.. => 0,
            _ => score as u64,
        };
        Cell::from_number(number, FINEST).centre()
    }

    /// The geohash in its usual form: 11 characters. For the last one no bits are left.
    pub fn geohash(self) -> [u8; 11] {
        const DIGITS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        const BITS: usize = 2 * FINEST as usize;
        let number = Cell::of(self, POLE, FINEST).number();
        std::array::from_fn(|index| match BITS.checked_sub(5 * (index + 1)) {
            Some(shift) => DIGITS[(number >> shift) as usize % DIGITS.len()],
            None => b'0',
        })
    }

    /// The distance on the globe, in metres.
    pub fn distance(self, other: Point) -> f64 {
        Origin::new(self).distance(other)
    }

    /// The distance of the two latitudes, in metres.
    fn distance_of_latitudes(self, other: Point) -> f64 {
        EARTH_RADIUS * (other.latitude * RADIANS - self.latitude * RADIANS).abs()
    }
}

/// A place from which distances are measured.
#[derive(Clone, Copy, Debug)]
struct Origin {
    point: Point,
    cosine: f64,
}

impl Origin {
    fn new(point: Point) -> Origin {
        let cosine = (point.latitude * RADIANS).cos();
        Origin { point, cosine }
    }

    /// By the haversine formula, <https://en.wikipedia.org/wiki/Haversine_formula>.
    fn distance(self, other: Point) -> f64 {
        let Point {
            longitude,
            latitude,
        } = self.point;
        let v = ((other.longitude * RADIANS - longitude * RADIANS) / 2.0).sin();
        if v == 0.0 {
            return self.point.distance_of_latitudes(other);
        }
        let other_latitude = other.latitude * RADIANS;
        let u = ((other_latitude - latitude * RADIANS) / 2.0).sin();
        let haversine = u * u + self.cosine * other_latitude.cos() * v * v;
        2.0 * EARTH_RADIUS * haversine.sqrt().asin()
    }
}
