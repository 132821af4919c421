//! How long a server takes until it answers, in an empty folder.

use std::error::Error;

use crate::options::Options;
use crate::peer::{Peer, Program};
use crate::results::{Better::Lower, median};
use crate::subject::{Case, Measured};

const STARTS: usize = 20;

pub fn cases(_: &Options) -> Vec<Case> {
    vec![Case {
        group: String::new(),
        name: "an empty server".to_string(),
        commands: Vec::new(),
        measure: Box::new(measure),
    }]
}

fn measure(program: &Program) -> Measured {
    let mut peer = Peer::start(program, &[])?;
    let starts: Result<Vec<f64>, Box<dyn Error>> = (0..STARTS)
        .map(|_| Ok(peer.restart()?.as_secs_f64() * 1e3))
        .collect();
    Ok(vec![
        (("start to first PONG, ms", Lower), median(starts?)),
        (("resident, MiB", Lower), peer.memory("VmRSS") / 1048576.0),
    ])
}
