//! Servers that are killed side by side.

use std::thread;

/// The number of kills, which the variable `SIGKILLS` changes, and what each lane returns: `lane` is called with its
/// number and its share of the kills.
pub fn kill_in_lanes<T: Send>(
    lanes: usize,
    lane: impl Fn(usize, usize) -> T + Sync,
) -> (usize, Vec<T>) {
    let kills = std::env::var("SIGKILLS").map_or(200, |text| text.parse().expect("a number"));
    let lane = |index: usize| lane(index, kills / lanes + usize::from(index < kills % lanes));
    // A scope waits for all lanes even if one has failed, so that no server is left running.
    let returned = thread::scope(|scope| {
        let lane = &lane;
        let lanes: Vec<_> = (0..lanes)
            .map(|index| scope.spawn(move || lane(index)))
            .collect();
        let join = |lane: thread::ScopedJoinHandle<T>| lane.join().expect("no lane has failed");
        lanes.into_iter().map(join).collect()
    });
    (kills, returned)
}
