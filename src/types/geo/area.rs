//! Areas, circles or boxes: which cells to search, and which of the places found there lie in the area.
//!
//! The search takes the cell of the centre and the eight around it. Their size is chosen so that they cover the area.
//! Redis' rule for that fails near the poles and for areas as large as a continent: places in the area but outside the
//! cells are not found. This implementation follows it, so it finds the same places.

use super::cell::{Cell, Sides};
use super::{EARTH_RADIUS, FINEST, MOST_LATITUDE, Origin, Point, RADIANS};
use smallvec::SmallVec;
use std::f64::consts::FRAC_PI_2;

/// Half of the equator on Mercator's map, in metres.
const MAP_RADIUS: f64 = 20037726.37;

/// The form and size of an area; lengths are positive or 0, in a unit of the caller's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// A circle: places that are not further away.
    Circle {
        /// The greatest distance.
        radius: f64,
    },
    /// A box: places that are not further away in the directions east and west, and north and south.
    Box {
        /// From west to east.
        width: f64,
        /// From south to north.
        height: f64,
    },
}

/// A shape with its centre on the globe.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    shape: Shape,
    /// The number of metres in the shape's unit of length.
    unit: f64,
    origin: Origin,
    sieve: Sieve,
}

impl Area {
    /// The area of this shape around a place. `unit` is the number of metres in the shape's unit of length.
    pub fn new(shape: Shape, unit: f64, centre: Point) -> Area {
        let origin = Origin::new(centre);
        let sieve = Sieve::new(shape.halves(unit), centre);
        Area {
            shape,
            unit,
            origin,
            sieve,
        }
    }

    /// The distance of a place from the centre, in metres, if it lies in the area.
    pub fn distance(&self, point: Point) -> Option<f64> {
        let centre = self.origin.point;
        if self.sieve.holds_back(centre, point) {
            return None;
        }
        match self.shape {
            Shape::Circle { radius } => {
                let distance = self.origin.distance(point);
                (distance <= radius * self.unit).then_some(distance)
            }
            Shape::Box { width, height } => {
                let (width, height) = (width * self.unit, height * self.unit);
                let beside = Point {
                    latitude: point.latitude,
                    ..centre
                };
                let is_inside = centre.distance_of_latitudes(point) <= height / 2.0
                    && point.distance(beside) <= width / 2.0;
                is_inside.then(|| self.origin.distance(point))
            }
        }
    }

    /// The cells to search, in the order in which Redis searches them.
    pub fn cells(&self) -> SmallVec<[Cell; 9]> {
        // From the centre: east, north.
        const NEIGHBOURS: [(i32, i32); 9] = [
            (0, 0),
            (0, 1),
            (0, -1),
            (1, 0),
            (-1, 0),
            (1, 1),
            (-1, 1),
            (1, -1),
            (-1, -1),
        ];
        let limits = self.bounding_box();
        let centre = self.centre_cell(limits);
        let sides = centre.sides();
        let is_useless = |east: i32, north: i32| {
            centre.step() > 1
                && ((north < 0 && sides.south < limits.south)
                    || (north > 0 && sides.north > limits.north)
                    || (east < 0 && sides.west < limits.west)
                    || (east > 0 && sides.east > limits.east))
        };
        let mut cells = SmallVec::new();
        for (east, north) in NEIGHBOURS {
            let cell = centre.neighbour(east, north);
            // With two columns or rows, a cell has the same neighbour on both sides.
            if !is_useless(east, north) && cells.last() != Some(&cell) {
                cells.push(cell);
            }
        }
        cells
    }

    /// The cell of the centre, at the smallest size at which the nine cells cover the area.
    fn centre_cell(&self, limits: Sides) -> Cell {
        let centre = self.origin.point;
        let step = self.estimated_step();
        let cell = Cell::of(centre, MOST_LATITUDE, step);
        let is_too_small = cell.neighbour(0, 1).sides().north < limits.north
            || cell.neighbour(0, -1).sides().south > limits.south
            || cell.neighbour(1, 0).sides().east < limits.east
            || cell.neighbour(-1, 0).sides().west > limits.west;
        match is_too_small && step > 1 {
            true => Cell::of(centre, MOST_LATITUDE, step - 1),
            false => cell,
        }
    }

    /// The number of times to halve the map, if lengths are as on Mercator's map.
    fn estimated_step(&self) -> u32 {
        let mut radius = self.unit
            * match self.shape {
                Shape::Circle { radius } => radius,
                Shape::Box { width, height } => {
                    let (width, height) = (width / 2.0, height / 2.0);
                    (width * width + height * height).sqrt()
                }
            };
        if radius == 0.0 {
            return FINEST;
        }
        let mut step = 1;
        while radius < MAP_RADIUS {
            radius *= 2.0;
            step += 1;
        }
        // Further north or south, a cell is narrower than on the map.
        let latitude = self.origin.point.latitude.abs();
        let smaller = i32::from(latitude > 66.0) + i32::from(latitude > 80.0);
        (step - 2 - smaller).clamp(1, FINEST as i32) as u32
    }

    /// The bounding box of the area in degrees, which may reach beyond the map.
    fn bounding_box(&self) -> Sides {
        let Point {
            longitude,
            latitude,
        } = self.origin.point;
        let (width, height) = self.shape.halves(self.unit);
        let height = height / EARTH_RADIUS / RADIANS;
        let is_southern = latitude < 0.0;
        let poleward = if is_southern {
            latitude - height
        } else {
            latitude + height
        };
        let width = width / EARTH_RADIUS / (poleward * RADIANS).cos() / RADIANS;
        Sides {
            west: longitude - width,
            east: longitude + width,
            south: latitude - height,
            north: latitude + height,
        }
    }
}

impl Shape {
    /// Half of width and height, in metres.
    fn halves(self, unit: f64) -> (f64, f64) {
        match self {
            Shape::Circle { radius } => (unit * radius, unit * radius),
            Shape::Box { width, height } => (unit * (width / 2.0), unit * (height / 2.0)),
        }
    }
}

/// A quick test that rejects most places outside the area: it takes two subtractions instead of four sines. It never
/// rejects a place inside.
#[derive(Clone, Copy, Debug)]
struct Sieve {
    /// The greatest difference of latitudes, in degrees.
    latitude: f64,
    /// The greatest difference of longitudes, either way around the globe.
    longitude: f64,
}

impl Sieve {
    /// Greater than any rounding error: relative for numbers, absolute for degrees.
    const MARGIN: f64 = 1e-9;

    fn new((half_width, half_height): (f64, f64), centre: Point) -> Sieve {
        let latitude = half_height / EARTH_RADIUS / RADIANS * (1.0 + Self::MARGIN) + Self::MARGIN;
        // A parallel is the shorter the nearer it is to a pole, so this is the shortest.
        let parallel = (centre.latitude.abs() + latitude).min(90.0) * RADIANS;
        // The haversine formula, solved for the longitude.
        let half_angle = (half_width / EARTH_RADIUS / 2.0).min(FRAC_PI_2);
        let sine = half_angle.sin() / parallel.cos() * (1.0 + Self::MARGIN);
        let longitude = match sine {
            ..1.0 => 2.0 * sine.asin() / RADIANS + Self::MARGIN,
            _ => 360.0,
        };
        Sieve {
            latitude,
            longitude,
        }
    }

    fn holds_back(&self, centre: Point, point: Point) -> bool {
        let longitudes = (point.longitude - centre.longitude).abs();
        let is_beside = longitudes > self.longitude && longitudes < 360.0 - self.longitude;
        is_beside || (point.latitude - centre.latitude).abs() > self.latitude
    }
}
