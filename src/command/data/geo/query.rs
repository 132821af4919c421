//! The parameters of a search: the arguments of GEOSEARCH and of what it replaces.

use super::{place_of, point, unit};
use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::types::geo::{Area, Point, Shape};
use crate::types::sorted_set::SortedSet;
use crate::util::number;

/// The form in which a command says what to search, and what it does with the result.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) area: AreaForm,
    pub(super) target: TargetForm,
}

/// Where a command has its area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AreaForm {
    /// Longitude, latitude, radius, unit.
    Coordinates,
    /// Member, radius, unit.
    Member,
    /// Behind the words FROMMEMBER and BYRADIUS, or others.
    Words,
}

/// Where a command has the key to store its result under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TargetForm {
    /// Nowhere: it replies with the result.
    None,
    /// Behind STORE or STOREDIST, if at all.
    Option,
    /// As its first argument.
    First,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The order in which the cells are searched.
    Unsorted,
    Nearest,
    Farthest,
}

/// What FROMMEMBER or FROMLONLAT say.
#[derive(Clone, Copy, Debug)]
enum Centre {
    Member(Point),
    Coordinates(Point),
}

/// What the words of a call say.
pub(super) struct Query<'a> {
    centre: Option<Centre>,
    shape: Option<Shape>,
    /// Metres in the unit of lengths.
    pub(super) unit: f64,
    pub(super) order: Order,
    /// Most places to find; 0 for all.
    pub(super) count: usize,
    /// Whether any of them will do, instead of the nearest.
    pub(super) is_any: bool,
    pub(super) with_distance: bool,
    pub(super) with_hash: bool,
    pub(super) with_coordinates: bool,
    pub(super) target: Option<&'a [u8]>,
    pub(super) stores_distance: bool,
}

impl<'a> Query<'a> {
    /// Reads all arguments. A member that is to be the centre is looked up in passing, as the order of errors wants it.
    pub(super) fn parse(
        call: &Call<'a>,
        set: Option<&SortedSet>,
        form: Form,
    ) -> Result<Query<'a>, CommandError> {
        let mut query = Query {
            centre: None,
            shape: None,
            unit: 1.0,
            order: Order::Unsorted,
            count: 0,
            is_any: false,
            with_distance: false,
            with_hash: false,
            with_coordinates: false,
            target: None,
            stores_distance: false,
        };
        let options = match form.area {
            AreaForm::Coordinates => {
                query.centre = Some(Centre::Coordinates(point(call, 2)?));
                query.read_radius(call, 4)?;
                6
            }
            AreaForm::Member => {
                query.centre = Some(Centre::Member(centre_of(set, call.argument(2))?));
                if set.is_some() {
                    query.read_radius(call, 3)?;
                }
                5
            }
            AreaForm::Words if form.target == TargetForm::First => {
                query.target = Some(call.argument(1));
                3
            }
            AreaForm::Words => 2,
        };
        query.parse_options(call, set, form, options)?;
        query.check(call, form)?;
        Ok(query)
    }

    fn parse_options(
        &mut self,
        call: &Call<'a>,
        set: Option<&SortedSet>,
        form: Form,
        mut index: usize,
    ) -> CommandResult {
        let has_words = form.area == AreaForm::Words;
        while index < call.arguments.len() {
            let following = call.arguments.len() - index - 1;
            match call.word(index).as_str() {
                "WITHDIST" => self.with_distance = true,
                "WITHHASH" => self.with_hash = true,
                "WITHCOORD" => self.with_coordinates = true,
                "ANY" => self.is_any = true,
                "ASC" => self.order = Order::Nearest,
                "DESC" => self.order = Order::Farthest,
                "COUNT" if following >= 1 => {
                    index += 1;
                    let count = usize::try_from(call.integer(index)?).ok();
                    let count = count.filter(|count| *count > 0);
                    self.count = count.ok_or_else(|| CommandError::err("COUNT must be > 0"))?;
                }
                "STOREDIST" if form.target == TargetForm::First => self.stores_distance = true,
                word @ ("STORE" | "STOREDIST")
                    if following >= 1 && form.target == TargetForm::Option =>
                {
                    index += 1;
                    self.target = Some(call.argument(index));
                    self.stores_distance = word == "STOREDIST";
                }
                word if has_words => index += self.parse_area(call, set, index, word)?,
                _ => return Err(CommandError::Syntax),
            }
            index += 1;
        }
        Ok(())
    }

    /// Reads a word that says where to search, and returns how many arguments belong to it. A second word of the same
    /// kind takes the place of the first; the two ways to say the same do not go together.
    fn parse_area(
        &mut self,
        call: &Call,
        set: Option<&SortedSet>,
        index: usize,
        word: &str,
    ) -> Result<usize, CommandError> {
        let following = call.arguments.len() - index - 1;
        match (word, self.centre, self.shape) {
            ("FROMMEMBER", None | Some(Centre::Member(_)), _) if following >= 1 => {
                let centre = centre_of(set, call.argument(index + 1))?;
                self.centre = Some(Centre::Member(centre));
                Ok(1)
            }
            ("FROMLONLAT", None | Some(Centre::Coordinates(_)), _) if following >= 2 => {
                self.centre = Some(Centre::Coordinates(point(call, index + 1)?));
                Ok(2)
            }
            ("BYRADIUS", _, None | Some(Shape::Circle { .. })) if following >= 2 => {
                self.read_radius(call, index + 1)?;
                Ok(2)
            }
            ("BYBOX", _, None | Some(Shape::Box { .. })) if following >= 3 => {
                self.read_box(call, index + 1)?;
                Ok(3)
            }
            _ => Err(CommandError::Syntax),
        }
    }

    fn read_radius(&mut self, call: &Call, index: usize) -> CommandResult {
        let radius = length(call, index, "radius")?;
        if radius < 0.0 {
            return Err(CommandError::err("radius cannot be negative"));
        }
        self.shape = Some(Shape::Circle { radius });
        self.unit = unit(call, index + 1)?;
        Ok(())
    }

    fn read_box(&mut self, call: &Call, index: usize) -> CommandResult {
        let width = length(call, index, "width")?;
        let height = length(call, index + 1, "height")?;
        if width < 0.0 || height < 0.0 {
            return Err(CommandError::err("height or width cannot be negative"));
        }
        self.shape = Some(Shape::Box { width, height });
        self.unit = unit(call, index + 2)?;
        Ok(())
    }

    /// Refuses what is incomplete, or contradicts itself.
    fn check(&self, call: &Call, form: Form) -> CommandResult {
        let shows_more = self.with_distance || self.with_hash || self.with_coordinates;
        if self.target.is_some() && shows_more {
            let name = match form.target {
                TargetForm::First => "GEOSEARCHSTORE",
                _ => "STORE option in GEORADIUS",
            };
            return Err(CommandError::err(format!(
                "{name} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            )));
        }
        // What was typed, not the name.
        let missing = |words| CommandError::quoting(words, call.argument(0), "");
        if self.centre.is_none() {
            return Err(missing(
                "exactly one of FROMMEMBER or FROMLONLAT can be specified for ",
            ));
        }
        if form.area == AreaForm::Words && self.shape.is_none() {
            return Err(missing(
                "exactly one of BYRADIUS and BYBOX can be specified for ",
            ));
        }
        if self.is_any && self.count == 0 {
            return Err(CommandError::err(
                "the ANY argument requires COUNT argument",
            ));
        }
        Ok(())
    }

    /// The area; none for GEORADIUSBYMEMBER of a key that is not there.
    pub(super) fn area(&self) -> Option<Area> {
        let (Centre::Member(centre) | Centre::Coordinates(centre)) = self.centre?;
        Some(Area::new(self.shape?, self.unit, centre))
    }
}

/// The place of a member that is to be the centre. If there is no set the rest of the call is still looked at, and any
/// place will do.
fn centre_of(set: Option<&SortedSet>, member: &[u8]) -> Result<Point, CommandError> {
    match set {
        None => Ok(Point::default()),
        Some(set) => place_of(set, member)
            .ok_or_else(|| CommandError::err("could not decode requested zset member")),
    }
}

fn length(call: &Call, index: usize, name: &str) -> Result<f64, CommandError> {
    number::parse_f64(call.argument(index))
        .ok_or_else(|| CommandError::err(format!("need numeric {name}")))
}
