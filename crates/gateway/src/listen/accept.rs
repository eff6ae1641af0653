//! Accept: takes connections while there is room, and leaves none behind when it stops.
//!
//! # Invariants
//! - `ACC-1`: at most `server.connections` are served at once; whoever comes then is told so, not left to wait (F-087).
//! - `ACC-2`: a connection that the system has taken for us is served, also when the listener closes right after (F-175).

use std::{io, sync::Arc, time::Duration};

use tokio::net::{TcpListener, TcpStream};

use super::{connection::serve, farewell};
use crate::gateway::{Phase, Shared, reached};

/// Connections that are told at once that there is no room; what comes beyond them is closed without a word.
const MOST_TURNED_AWAY: usize = 64;

/// Takes connections until the gateway closes.
pub(crate) async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    // Whoever waits for the last connection to go waits for the listener first.
    let Some(_seat) = shared.connections.enter(usize::MAX) else { return };
    let mut phase = shared.phase.subscribe();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => take(&shared, stream),
                // No file descriptor is left, or the peer is gone again: neither ends the listener (PR-03).
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            () = reached(&mut phase, Phase::Draining) => break,
        }
    }
    let Ok(listener) = listener.into_std() else { return };
    let _ = refuse_new(&listener);
    while let Ok((stream, _)) = listener.accept() {
        if let Ok(stream) = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream)) {
            take(&shared, stream);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "it holds its seat, and a drain waits until all seats are free")]
fn take(shared: &Arc<Shared>, stream: TcpStream) {
    let most = shared.applied.load().deployment.server.connections as usize;
    // One seat is the listener's.
    if let Some(seat) = shared.connections.enter(most.saturating_add(1)) {
        let shared = shared.clone();
        tokio::spawn(async move {
            serve(shared, stream).await;
            drop(seat);
        });
        return;
    }
    shared.events.refused("too_many_connections");
    if let Some(seat) = shared.turned_away.enter(MOST_TURNED_AWAY) {
        tokio::spawn(async move {
            farewell::say(&stream, &Vec::from(farewell::TOO_MANY)).await;
            drop(seat);
        });
    }
}

/// Makes a listener deaf to who comes now. Closing it resets what the system has taken for us in the meantime; who is not
/// heard asks again within a second, finds the port closed, and goes to where there is another.
#[cfg(target_os = "linux")]
fn refuse_new(listener: &std::net::TcpListener) -> io::Result<()> {
    /// `BPF_RET | BPF_K`: a filter of one instruction, which keeps no byte of any packet.
    const RETURN: u16 = 0x06;
    socket2::SockRef::from(listener).attach_filter(&[socket2::SockFilter::new(RETURN, 0, 0, 0)])
}

#[cfg(not(target_os = "linux"))]
fn refuse_new(_: &std::net::TcpListener) -> io::Result<()> {
    Ok(())
}
