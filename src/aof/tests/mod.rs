//! Tests of the folder as a whole: faults of the disk, and power cuts.

mod faults;
mod life;
mod power_cuts;
