//! Listener: accepts connections, and closes and opens the model port.
//!
//! It is not the connection's life; that is `connection`.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    Gate, ServeError, Shared,
    connection::{self, Port},
};
use crate::fault::Closing;

/// How long an attempt to connect hangs until it counts as swallowed.
const SWALLOWED: Duration = Duration::from_millis(50);
/// How many places a system may give a listener that asked for none.
const MOST_TAKEN: usize = 16;
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;
/// The pause after a failed accept (no file descriptors) or bind (the port is taken).
const AGAIN: Duration = Duration::from_millis(20);

/// Binds a listening socket.
pub(super) fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    hold(address).and_then(|socket| socket.listen(BACKLOG)).map_err(|source| ServeError::Listen { address, source })
}

/// Binds a socket that does not listen: the port is ours, and closed.
fn hold(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Without it, connections that linger in TIME_WAIT would keep us from our own port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Serves the control port; nothing closes it.
pub(super) async fn control(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    accept(&listener, &mut connections, &shared, Port::Control).await;
}

/// Serves the model port, and follows the gate.
pub(super) async fn models(mut listener: TcpListener, address: SocketAddr, shared: Arc<Shared>) {
    let mut gate = shared.gate.subscribe();
    loop {
        let mut connections = JoinSet::new();
        tokio::select! {
            () = accept(&listener, &mut connections, &shared, Port::Models) => unreachable!("accepting has no end of its own"),
            // The sender lives in `shared`: the wait ends by the value alone.
            _ = gate.wait_for(|gate| gate.closed()) => {}
        }
        drop(listener);
        // Each connection sees the gate by itself and ends with an RST.
        while connections.join_next().await.is_some() {}
        let up = loop {
            let down = *gate.borrow_and_update();
            if !down.closed() {
                break down;
            }
            let held = held(address).await;
            let swallowing = match down.fault {
                Some((Closing { swallow: true, .. }, _)) if !down.killed => Some(swallow(held, address).await),
                _ => None,
            };
            shared.stands.send_replace(down);
            changed(&mut gate, down, &shared).await;
            drop(swallowing);
        };
        listener = again(address).await;
        shared.stands.send_replace(up);
    }
}

/// Waits until the gate changes; when the time of a fault is over, changes it.
async fn changed(gate: &mut watch::Receiver<Gate>, down: Gate, shared: &Shared) {
    let over = async {
        match down.fault {
            Some((Closing { wait: Some(wait), .. }, _)) => sleep(wait).await,
            _ => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = gate.changed() => {}
        () = over => {
            shared.gate.send_if_modified(|gate| {
                let same = gate.fault == down.fault;
                if same {
                    gate.fault = None;
                }
                same
            });
        }
    }
}

/// Makes attempts to connect hang: a listener without a backlog, whose one place is taken, lets the system drop the rest.
async fn swallow(held: TcpSocket, address: SocketAddr) -> Option<(TcpListener, Vec<TcpStream>)> {
    let listener = held.listen(0).ok()?;
    let mut taken = Vec::new();
    while taken.len() < MOST_TAKEN
        && let Ok(Ok(stream)) = timeout(SWALLOWED, TcpStream::connect(address)).await
    {
        taken.push(stream);
    }
    Some((listener, taken))
}

async fn held(address: SocketAddr) -> TcpSocket {
    loop {
        match hold(address) {
            Ok(socket) => return socket,
            Err(_) => sleep(AGAIN).await,
        }
    }
}

async fn again(address: SocketAddr) -> TcpListener {
    loop {
        match bind(address) {
            Ok(listener) => return listener,
            Err(_) => sleep(AGAIN).await,
        }
    }
}

async fn accept(listener: &TcpListener, connections: &mut JoinSet<()>, shared: &Arc<Shared>, port: Port) {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(connection::run(stream, shared.clone(), port))),
                Err(_) => sleep(AGAIN).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}
