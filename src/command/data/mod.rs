//! Commands on keys and values: a file a type, and those for keys of any type.

mod bitmap;
mod blocking;
mod counter;
mod dump;
mod expiry;
mod generic;
mod geo;
mod hash;
mod hyperloglog;
mod lcs;
mod list;
mod pieces;
mod scan;
mod set;
mod sort;
mod sorted_set;
mod stream;
mod string;

use super::spec::CommandSpec;

/// Their parts of the table.
pub(super) const FAMILIES: &[&[CommandSpec]] = &[
    bitmap::COMMANDS,
    blocking::COMMANDS,
    counter::COMMANDS,
    dump::COMMANDS,
    expiry::COMMANDS,
    generic::COMMANDS,
    geo::places::COMMANDS,
    geo::search::COMMANDS,
    hash::COMMANDS,
    hyperloglog::COMMANDS,
    lcs::COMMANDS,
    list::COMMANDS,
    set::COMMANDS,
    sort::COMMANDS,
    sorted_set::add::COMMANDS,
    sorted_set::combine::COMMANDS,
    sorted_set::lookup::COMMANDS,
    sorted_set::pop::COMMANDS,
    sorted_set::range::COMMANDS,
    sorted_set::remove::COMMANDS,
    sorted_set::sample::COMMANDS,
    stream::change::COMMANDS,
    stream::claim::COMMANDS,
    stream::group::COMMANDS,
    stream::info::COMMANDS,
    stream::pending::COMMANDS,
    stream::range::COMMANDS,
    stream::read::COMMANDS,
    stream::read_group::COMMANDS,
    string::COMMANDS,
];
