//! Notifies systemd that the server is ready or about to end, with `supervised systemd` or `auto`
//! (<https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html>).

use crate::state::Server;
use crate::state::config::Supervision;
use sd_notify::NotifyState;

/// Announces that the dump is loaded and clients are served.
pub fn announce_ready(server: &Server) {
    let status = NotifyState::Status("Ready to accept connections");
    notify(server, &[status, NotifyState::Ready]);
}

/// Announces that the server is about to end.
pub fn announce_stopping(server: &Server) {
    notify(server, &[NotifyState::Stopping]);
}

fn notify(server: &Server, states: &[NotifyState]) {
    if server.config.supervision() != Supervision::Systemd {
        return;
    }
    if let Err(error) = sd_notify::notify(states) {
        server
            .log
            .warning(format_args!("Cannot notify the supervisor: {error}"));
    }
}
