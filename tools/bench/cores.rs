//! Which cores a server has to itself, and which the load generator has. `taskset` of util-linux holds a program to
//! them.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Where a server and the load generator run. No cores: wherever the system puts them.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Cores {
    pub server: Vec<usize>,
    pub load: Vec<usize>,
}

/// The placements to be measured on a machine with these cores: the server has the first 1, 2, 4, 8 … of them, at most
/// half. The load generator always has the second half, so that the load is equal for every number of cores.
pub fn plan(cores: &[usize]) -> Vec<Cores> {
    if cores.len() <= 2 {
        return Vec::new();
    }
    let (server, load) = cores.split_at(cores.len() / 2);
    let counts = (0..).map(|power| 1 << power);
    counts
        .take_while(|count| *count <= server.len())
        .map(|count| Cores {
            server: server[..count].to_vec(),
            load: load.to_vec(),
        })
        .collect()
}

/// The cores that this process may run on.
pub fn available() -> Vec<usize> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.and_then(|list| parse(list.trim())).unwrap_or_default()
}

/// A list as `taskset` and the kernel write it: `0-3,8`.
pub fn parse(list: &str) -> Option<Vec<usize>> {
    let mut cores = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let last: usize = last.parse().ok()?;
        cores.extend(first.parse().ok()?..=last);
    }
    Some(cores)
}

/// The command that runs a program on these cores alone. `taskset` becomes the program, so the process keeps its id.
pub fn pinned(program: &Path, cores: &[usize]) -> Command {
    if cores.is_empty() {
        return Command::new(program);
    }
    let list: Vec<String> = cores.iter().map(usize::to_string).collect();
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &list.join(",")]).arg(program);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For each placement the server's cores; the load generator's are those of the first placement and of all others.
    fn planned(cores: &[usize]) -> (Vec<Vec<usize>>, Vec<usize>) {
        let plan = plan(cores);
        let load = plan.first().map(|cores| cores.load.clone());
        let load = load.unwrap_or_default();
        assert!(plan.iter().all(|cores| cores.load == load));
        (plan.into_iter().map(|cores| cores.server).collect(), load)
    }

    #[test]
    fn the_server_has_at_most_half_of_the_cores() {
        let sixteen: Vec<usize> = (0..16).collect();
        let (servers, load) = planned(&sixteen);
        let first = |count| (0..count).collect::<Vec<usize>>();
        assert_eq!(servers, [first(1), first(2), first(4), first(8)]);
        assert_eq!(load, (8..16).collect::<Vec<usize>>());
        // 6 of 12 are no power of two, and of an odd number the load generator has the larger half.
        assert_eq!(planned(&first(12)).0, [first(1), first(2), first(4)]);
        assert_eq!(planned(&[2, 4, 6]), (vec![vec![2]], vec![4, 6]));
    }

    #[test]
    fn two_cores_are_too_few() {
        assert_eq!(plan(&[]), []);
        assert_eq!(plan(&[0]), []);
        assert_eq!(plan(&[0, 1]), []);
    }

    #[test]
    fn a_list_of_cores_has_ranges() {
        assert_eq!(parse("0-3,8"), Some(vec![0, 1, 2, 3, 8]));
        assert_eq!(parse("5"), Some(vec![5]));
        for wrong in ["", "a", "0-", "1,,2", "-1"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        assert!(!available().is_empty());
    }

    #[test]
    fn a_program_is_held_to_its_cores() {
        let last = *available().last().expect("this test runs on a core");
        let mut command = pinned(Path::new("cat"), &[last]);
        let output = command.arg("/proc/self/status").output();
        let status = String::from_utf8(output.expect("taskset is there").stdout);
        let list = format!("Cpus_allowed_list:\t{last}\n");
        assert!(status.expect("it is text").contains(&list));
    }
}
