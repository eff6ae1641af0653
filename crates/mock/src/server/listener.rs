//! Listener: accepts connections, and closes and opens the model port.
//!
//! It is not the connection's life; that is `connection`.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket},
    sync::watch,
    task::JoinSet,
    time::sleep,
};

use super::{
    Gate, ServeError, Shared,
    connection::{self, Port},
};

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
        let held = held(address).await;
        shared.open.send_replace(false);
        closed(&mut gate, &shared).await;
        listener = match held.listen(BACKLOG) {
            Ok(listener) => listener,
            Err(_) => again(address).await,
        };
        shared.open.send_replace(true);
    }
}

/// Waits until the gate is open, and opens it when the time of a refusal is over.
async fn closed(gate: &mut watch::Receiver<Gate>, shared: &Shared) {
    loop {
        let now = *gate.borrow_and_update();
        if !now.closed() {
            return;
        }
        let over = async {
            match now.refused {
                Some((Some(wait), _)) => sleep(wait).await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = gate.changed() => {}
            () = over => {
                shared.gate.send_if_modified(|gate| {
                    let same = gate.refused == now.refused;
                    if same {
                        gate.refused = None;
                    }
                    same
                });
            }
        }
    }
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
