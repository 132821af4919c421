//! Cells: the map is cut into columns and rows, and every step doubles the number of both.

use super::{FINEST, MOST_LATITUDE, MOST_LONGITUDE, Point};
use std::ops::Range;

/// A cell of the map that is cut into `1 << step` columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Counted from west to east. Longitude 180 has a column of its own, one beyond the last.
    column: u32,
    /// Counted from south to north. The northernmost latitude, too, has a row of its own.
    row: u32,
    step: u32,
}

/// The sides of a cell, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sides {
    pub(super) west: f64,
    pub(super) east: f64,
    pub(super) south: f64,
    pub(super) north: f64,
}

impl Cell {
    /// The cell of a place on a map that ends at this latitude, north and south.
    pub(super) fn of(point: Point, most_latitude: f64, step: u32) -> Cell {
        let place = |value: f64, most: f64| {
            let part = (value + most) / (most + most);
            (part * f64::from(1 << step)) as u32
        };
        Cell {
            column: place(point.longitude, MOST_LONGITUDE),
            row: place(point.latitude, most_latitude),
            step,
        }
    }

    /// The inverse of [`number`](Cell::number).
    pub(super) fn from_number(number: u64, step: u32) -> Cell {
        Cell {
            column: gather(number >> 1),
            row: gather(number),
            step,
        }
    }

    /// The number of the cell: the bits of column and row, interleaved.
    pub(super) fn number(self) -> u64 {
        spread(self.column) << 1 | spread(self.row)
    }

    /// The number of times that the map was halved.
    pub(super) fn step(self) -> u32 {
        self.step
    }

    /// The scores of all places in the cell.
    pub fn scores(self) -> Range<f64> {
        let score = |number: u64| (number << (2 * (FINEST - self.step))) as f64;
        score(self.number())..score(self.number() + 1)
    }

    /// The cell `east` columns further east and `north` rows further north. The map wraps around at its edges.
    pub(super) fn neighbour(self, east: i32, north: i32) -> Cell {
        let go = |place: u32, by: i32| match by {
            0 => place,
            _ => place.wrapping_add_signed(by) & ((1 << self.step) - 1),
        };
        Cell {
            column: go(self.column, east),
            row: go(self.row, north),
            ..self
        }
    }

    pub(super) fn sides(self) -> Sides {
        let side = |place: u32, most: f64| {
            let part = f64::from(place) / f64::from(1 << self.step);
            -most + part * (most + most)
        };
        Sides {
            west: side(self.column, MOST_LONGITUDE),
            east: side(self.column.wrapping_add(1), MOST_LONGITUDE),
            south: side(self.row, MOST_LATITUDE),
            north: side(self.row.wrapping_add(1), MOST_LATITUDE),
        }
    }

    /// The centre of the cell, moved onto the map if it lies outside.
    pub(super) fn centre(self) -> Point {
        let Sides {
            west,
            east,
            south,
            north,
        } = self.sides();
        Point {
            longitude: ((west + east) / 2.0).clamp(-MOST_LONGITUDE, MOST_LONGITUDE),
            latitude: ((south + north) / 2.0).clamp(-MOST_LATITUDE, MOST_LATITUDE),
        }
    }
}

/// Puts a zero above every bit: half of the bits move away from the others, then half of each half...
fn spread(number: u32) -> u64 {
    [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ]
    .into_iter()
    .fold(number.into(), |bits: u64, (shift, mask)| {
        (bits | bits << shift) & mask
    })
}

/// Takes every second bit, from the lowest on: the inverse of [`spread`].
fn gather(bits: u64) -> u32 {
    [
        (0, 0x5555_5555_5555_5555),
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ]
    .into_iter()
    .fold(bits, |bits, (shift, mask)| (bits | bits >> shift) & mask) as u32
}
