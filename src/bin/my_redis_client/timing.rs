//! Where the time of a command went: `--time`.
//!
//! ```text
//!   client       send       |   wait                        |   receive   |
//!                           |   the server runs it: N µs    |             |
//! ```
//!
//! The server's own count is the difference of `INFO commandstats` before and after the command, which a second
//! connection asks for. If other clients give the same command meanwhile, it is an average.

use std::time::{Duration, Instant};

/// The moments of an exchange, as the connection notes them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moments {
    /// How long connecting took; zero if the connection is older than the command.
    pub connect: Duration,
    /// When sending began, and when it had ended.
    pub sent: Option<(Instant, Instant)>,
    /// When the first byte of the reply came.
    pub first_byte: Option<Instant>,
    /// When the reply was whole.
    pub whole: Option<Instant>,
}

/// What the client has measured of a command whose reply has just been read.
pub fn of_client(moments: &Moments) -> Option<String> {
    let (began, sent) = moments.sent?;
    let (first_byte, whole) = moments.first_byte.zip(moments.whole)?;
    let connect = match moments.connect {
        Duration::ZERO => String::new(),
        connect => format!("connect {}, ", shown(connect)),
    };
    Some(format!(
        "time: {connect}write {}, wait {}, read {}",
        shown(sent - began),
        shown(first_byte.saturating_duration_since(sent)),
        shown(whole.saturating_duration_since(first_byte))
    ))
}

/// What the server has counted: calls and microseconds.
pub fn of_server(counted: Option<(u64, u64)>) -> String {
    match counted {
        None | Some((0, _)) => String::new(),
        Some((1, us)) => format!("; the server counted {us} µs"),
        Some((calls, us)) => {
            let average = us / calls;
            format!("; the server counted {average} µs on average of {calls} calls")
        }
    }
}

fn shown(duration: Duration) -> String {
    let us = duration.as_micros();
    match us {
        0..1000 => format!("{us} µs"),
        1000..1_000_000 => format!("{:.2} ms", us as f64 / 1e3),
        _ => format!("{:.2} s", us as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_fitting_units() {
        let us = Duration::from_micros;
        assert_eq!(shown(us(0)), "0 µs");
        assert_eq!(shown(us(999)), "999 µs");
        assert_eq!(shown(us(1500)), "1.50 ms");
        assert_eq!(shown(us(2_500_000)), "2.50 s");
    }

    #[test]
    fn a_line_tells_the_steps() {
        let now = Instant::now();
        let mut moments = Moments {
            sent: Some((now, now)),
            first_byte: Some(now),
            whole: Some(now + Duration::from_millis(3)),
            ..Moments::default()
        };
        let told = of_client(&moments).unwrap();
        assert_eq!(told, "time: write 0 µs, wait 0 µs, read 3.00 ms");
        moments.connect = Duration::from_millis(2);
        assert!(
            of_client(&moments)
                .unwrap()
                .starts_with("time: connect 2.00 ms, ")
        );
        assert_eq!(of_client(&Moments::default()), None);
    }

    #[test]
    fn the_count_of_the_server_may_be_an_average() {
        assert_eq!(of_server(None), "");
        assert_eq!(of_server(Some((0, 0))), "");
        assert_eq!(of_server(Some((1, 7))), "; the server counted 7 µs");
        assert_eq!(
            of_server(Some((2, 7))),
            "; the server counted 3 µs on average of 2 calls"
        );
    }
}
