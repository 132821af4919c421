//! Literals from <https://redis.io/commands/geoadd/> and its neighbours, and what a real redis-server answered.

use super::*;

const PALERMO: Point = Point {
    longitude: 13.361389,
    latitude: 38.115556,
};
const CATANIA: Point = Point {
    longitude: 15.087269,
    latitude: 37.502669,
};

fn stored(point: Point) -> Point {
    Point::from_score(point.score())
}

#[test]
fn scores() {
    assert_eq!(PALERMO.score(), 3479099956230698.0);
    assert_eq!(CATANIA.score(), 3479447370796909.0);
    let palermo = stored(PALERMO);
    assert_eq!(palermo.longitude, 13.361389338970184);
    assert_eq!(palermo.latitude, 38.1155563954963);
}

#[test]
fn scores_that_are_no_places() {
    for (score, longitude, latitude) in [
        (0.0, -179.999997317791, -85.05112751263943),
        (4503599627370495.0, 179.999997317791, 85.05112751263943),
        (9007199254740992.0, 180.0, -85.05112751263943),
        (-1.0, 180.0, 85.05112878),
        (1e300, -179.999997317791, -85.05112751263943),
        (f64::INFINITY, -179.999997317791, -85.05112751263943),
        (f64::NEG_INFINITY, 180.0, -85.05112751263943),
    ] {
        let point = Point::from_score(score);
        let is_near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(is_near(point.longitude, longitude), "{score}: {point:?}");
        assert!(is_near(point.latitude, latitude), "{score}: {point:?}");
    }
}

#[test]
fn places_that_have_no_score() {
    assert!(Point::new(180.0, 85.05112878).is_some());
    assert!(Point::new(-180.0, -85.05112878).is_some());
    for (longitude, latitude) in [
        (180.1, 0.0),
        (0.0, 85.06),
        (f64::NAN, 0.0),
        (0.0, f64::NEG_INFINITY),
    ] {
        assert_eq!(Point::new(longitude, latitude), None);
    }
}

#[test]
fn geohashes() {
    assert_eq!(&stored(PALERMO).geohash(), b"sqc8b49rny0");
    assert_eq!(&stored(CATANIA).geohash(), b"sqdtr74hyu0");
    let origin = Point::default();
    assert_eq!(&origin.geohash(), b"s0000000000");
}

#[test]
fn distances() {
    let distance = stored(PALERMO).distance(stored(CATANIA));
    assert_eq!(format!("{distance:.4}"), "166274.1516");
    assert_eq!(PALERMO.distance(PALERMO), 0.0);
    let quarter = Point::default().distance(Point {
        longitude: 90.0,
        latitude: 0.0,
    });
    let expected = EARTH_RADIUS * std::f64::consts::FRAC_PI_2;
    assert!((quarter - expected).abs() < 1e-6);
}

/// From 15 degrees east, 37 degrees north; the box reaches 150 km east and west of that.
#[test]
fn areas() {
    let centre = Point::new(15.0, 37.0).unwrap();
    let circle = Area::new(Shape::Circle { radius: 200.0 }, 1000.0, centre);
    let shown = |area: &Area, point| area.distance(stored(point)).map(|it| format!("{it:.1}"));
    assert_eq!(shown(&circle, PALERMO).as_deref(), Some("190442.4"));
    assert_eq!(shown(&circle, CATANIA).as_deref(), Some("56441.3"));
    let square = Shape::Box {
        width: 300.0,
        height: 400.0,
    };
    let square = Area::new(square, 1000.0, centre);
    assert_eq!(shown(&square, CATANIA).as_deref(), Some("56441.3"));
    assert_eq!(shown(&square, PALERMO).as_deref(), Some("190442.4"));
    let further_west = Point {
        longitude: 13.2,
        ..PALERMO
    };
    assert_eq!(shown(&square, further_west), None);
}

/// Every place in a circle of less than a thousand kilometres, away from the poles, lies in the cells of the circle.
#[test]
fn cells_cover_the_area() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut found = 0;
    for _ in 0..20_000 {
        let longitude = random.f64() * 360.0 - 180.0;
        let latitude = random.f64() * 120.0 - 60.0;
        let radius = 10f64.powf(random.f64() * 6.0);
        let centre = Point::new(longitude, latitude).unwrap();
        let area = Area::new(Shape::Circle { radius }, 1.0, centre);
        let cells = area.cells();
        assert!((1..=9).contains(&cells.len()));
        let degrees = 2.0 * radius / EARTH_RADIUS / RADIANS;
        let place =
            |middle: f64, random: &mut fastrand::Rng| middle + (random.f64() - 0.5) * degrees;
        let Some(point) = Point::new(place(longitude, &mut random), place(latitude, &mut random))
        else {
            continue;
        };
        let score = point.score();
        let covering = cells.iter().filter(|cell| cell.scores().contains(&score));
        let is_near = area.distance(Point::from_score(score)).is_some();
        let covering = covering.count();
        assert!(covering <= 1, "a place lies in several cells");
        assert!(covering == 1 || !is_near, "{centre:?} {radius} {point:?}");
        found += usize::from(is_near);
    }
    assert!(found > 5000, "{found}");
}

/// The quick test rejects no place that the formula accepts.
#[test]
fn the_sieve_never_errs() {
    let mut random = fastrand::Rng::with_seed(4);
    for _ in 0..200_000 {
        let mut between = |most: f64| (random.f64() * 2.0 - 1.0) * most;
        let centre = Point::new(between(180.0), between(85.05)).unwrap();
        let degrees = 10f64.powf(between(5.0) - 3.0);
        let point = Point::new(
            (centre.longitude + between(degrees)).clamp(-180.0, 180.0),
            (centre.latitude + between(degrees)).clamp(-85.05, 85.05),
        );
        let point = point.unwrap();
        let distance = centre.distance(point);
        let circle = Area::new(Shape::Circle { radius: distance }, 1.0, centre);
        assert_eq!(
            circle.distance(point),
            Some(distance),
            "{centre:?} {point:?}"
        );
        let beside = Point {
            latitude: point.latitude,
            ..centre
        };
        let shape = Shape::Box {
            width: 2.0 * point.distance(beside),
            height: 2.0 * centre.distance_of_latitudes(point),
        };
        let found = Area::new(shape, 1.0, centre).distance(point);
        assert_eq!(found, Some(distance), "{centre:?} {point:?}");
    }
}
