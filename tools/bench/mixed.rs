//! Nine reads and one write in ten, of keys that are all there, by clients of our own.

use std::time::Duration;

use crate::clients::Crowd;
use crate::data::{fill, key, request, set};
use crate::options::{Load, Options};
use crate::peer::{Peer, Program};
use crate::subject::{Case, Measured};
use crate::watch::{TIMES, watch};

const LOADS: [Load; 2] = [Load::new(50, 1), Load::new(50, 16)];
const VALUE_BYTES: usize = 64;

pub fn cases(options: &Options) -> Vec<Case> {
    let (keys, watched) = (
        options.keys,
        Duration::from_secs_f64(options.seconds * TIMES),
    );
    let case = |load: Load| Case {
        group: format!("90 % GET, 10 % SET of {keys} keys, values of {VALUE_BYTES} B"),
        name: load.to_string(),
        commands: vec!["GET", "SET"],
        measure: Box::new(move |program| measure(program, load, keys, watched)),
    };
    LOADS.into_iter().map(case).collect()
}

fn measure(program: &Program, load: Load, keys: usize, watched: Duration) -> Measured {
    let peer = Peer::start(program, &[])?;
    fill(&mut peer.client(), keys, |batch, number| {
        set(batch, number, VALUE_BYTES);
    });
    let crowd = Crowd::start(peer.port, load.clients, load.pipeline, move |batch| {
        let number = fastrand::usize(..keys);
        if fastrand::u8(..10) == 0 {
            set(batch, number, VALUE_BYTES);
            return 1;
        }
        request(batch, &[b"GET", key(number).as_bytes()]);
        2
    });
    Ok(watch(&peer, crowd, watched))
}
