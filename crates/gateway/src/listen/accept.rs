//! Accept: takes connections while there is room, and leaves none behind when it stops.
//!
//! # Invariants
//! - `ACC-1`: at most `server.connections` are served at once; whoever comes then is told so, not left to wait (F-087);
//!   where connections are encrypted, by its end.
//! - `ACC-2`: a connection that the system has taken for us is served, also when the listener closes right after (F-175).
//! - `ACC-3`: whoever was told that it is connected, and whose word of that is on its way, still is (F-175).

use std::{future::Future, io, pin::pin, sync::Arc, time::Duration};

use tokio::net::{TcpListener, TcpStream};

use super::{connection::serve, farewell};
use crate::gateway::{Phase, Shared, reached};

/// Connections that are told at once that there is no room; what comes beyond them is closed without a word.
const MOST_TURNED_AWAY: usize = 64;
/// Connections of the queue that cannot be had before the rest of it is given up; what has no end must not hold up a drain.
const MOST_FAILED: usize = 4096;
/// How long a handshake that was begun may take to end: longer than a way round the world, and less than the second after
/// which who was not heard asks again.
const LAST_HANDSHAKE: Duration = Duration::from_millis(500);

/// Takes connections until the gateway closes.
pub(crate) async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    // Whoever waits for the last connection to go waits for the listener first.
    let Some(_seat) = shared.connections.enter(usize::MAX) else { return };
    let (mut draining, mut ending) = (shared.phase.subscribe(), shared.phase.subscribe());
    take_until(&listener, &take(&shared), reached(&mut draining, Phase::Draining)).await;
    let end = async {
        tokio::select! {
            () = tokio::time::sleep(LAST_HANDSHAKE) => {}
            () = reached(&mut ending, Phase::Last) => {}
        }
    };
    finish(listener, &take(&shared), end).await;
}

/// Takes connections until something happens.
async fn take_until(listener: &TcpListener, take: &impl Fn(TcpStream), end: impl Future<Output = ()>) {
    let mut end = pin!(end);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => take(stream),
                // No file descriptor is left, or the peer is gone again: neither ends the listener (PR-03).
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            () = end.as_mut() => return,
        }
    }
}

/// Takes who is on the way, and closes: until the end handshakes that were begun are finished, and none is begun.
async fn finish(listener: TcpListener, take: &impl Fn(TcpStream), end: impl Future<Output = ()>) {
    let _ = refuse_new(&listener);
    take_until(&listener, take, end).await;
    let Ok(listener) = listener.into_std() else { return };
    empty(
        || listener.accept(),
        |(stream, _)| {
            if let Ok(stream) = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream)) {
                take(stream);
            }
        },
    );
}

/// Takes what is left of a queue, however many of it cannot be had: a peer that is gone again, or a moment without a file
/// descriptor, is not the end of it.
fn empty<T>(mut accept: impl FnMut() -> io::Result<T>, mut take: impl FnMut(T)) {
    let mut failed = 0;
    while failed < MOST_FAILED {
        match accept() {
            Ok(it) => take(it),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(_) => failed += 1,
        }
    }
}

/// Gives connections their seats, or turns them away.
fn take(shared: &Arc<Shared>) -> impl Fn(TcpStream) {
    move |stream| seat(shared, stream)
}

#[expect(clippy::disallowed_methods, reason = "it holds its seat, and a drain waits until all seats are free")]
fn seat(shared: &Arc<Shared>, stream: TcpStream) {
    let (most, clear) = {
        let applied = shared.applied.load();
        (applied.deployment.server.connections as usize, applied.tls.is_none())
    };
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
            let word = if clear { farewell::TOO_MANY.into() } else { Vec::new() };
            farewell::say(&stream, &word).await;
            drop(seat);
        });
    }
}

/// Makes a listener deaf to who begins to connect now; what else is said to it, it hears: the last word of a handshake comes
/// to the listener, too. Closing it resets what the system has taken for us in the meantime. Who is not heard asks again
/// within a second, finds the port closed, and goes to where there is another.
#[cfg(target_os = "linux")]
fn refuse_new(listener: &TcpListener) -> io::Result<()> {
    use socket2::SockFilter;
    /// `BPF_LD | BPF_B | BPF_ABS`, `BPF_JMP | BPF_JSET | BPF_K`, `BPF_RET | BPF_K`.
    const LOAD_BYTE: u16 = 0x30;
    const IF_BITS: u16 = 0x45;
    const RETURN: u16 = 0x06;
    /// Where the flags stand in a TCP header, and the one with which a handshake begins (RFC 9293, section 3.1).
    const FLAGS: u32 = 13;
    const SYN: u32 = 2;
    // A filter returns how many bytes of a packet are kept.
    socket2::SockRef::from(listener).attach_filter(&[
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
        SockFilter::new(IF_BITS, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ])
}

#[cfg(not(target_os = "linux"))]
fn refuse_new(_: &TcpListener) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::SocketAddr;

    use socket2::{Domain, SockFilter, Socket, Type};
    use tokio::sync::{mpsc, oneshot};

    use super::*;

    /// Begins to connect, and does not wait for it.
    fn connecting(to: SocketAddr, deaf: bool) -> Socket {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None).expect("a socket");
        if deaf {
            socket.attach_filter(&[SockFilter::new(0x06, 0, 0, 0)]).expect("attached");
        }
        let _ = socket.connect(&to.into());
        socket
    }

    #[test]
    fn acc_2_f_175_who_cannot_be_had_is_not_the_end_of_the_queue() {
        let (gone, full, end) =
            (io::ErrorKind::ConnectionAborted, io::Error::from_raw_os_error(24), io::ErrorKind::WouldBlock);
        let mut queue = vec![Ok(1), Err(gone.into()), Ok(2), Err(full), Ok(3), Err(end.into()), Ok(4)].into_iter();
        let mut taken = Vec::new();
        empty(|| queue.next().expect("nobody asks beyond its end"), |it| taken.push(it));
        assert_eq!(taken, [1, 2, 3]);
        let mut asked = 0;
        let broken = || {
            asked += 1;
            Err(io::Error::from_raw_os_error(24))
        };
        empty(broken, |()| ());
        assert_eq!(asked, MOST_FAILED, "and it comes to an end");
    }

    #[tokio::test]
    async fn acc_3_f_175_a_handshake_that_was_begun_is_finished_and_none_is_begun() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its own");
        // It does not hear yet that it is connected, as from far away; the system will say so again.
        let far = connecting(address, true);
        let (taken, mut came) = mpsc::unbounded_channel();
        let (end, ended) = oneshot::channel::<()>();
        let finishing = async move {
            let take = |stream: TcpStream| taken.send(stream.peer_addr().expect("its own")).expect("it is looked at");
            finish(listener, &take, async { drop(ended.await) }).await;
        };
        let watching = async {
            // The listener is deaf by now: it is asked first.
            let late = connecting(address, false);
            far.detach_filter().expect("detached");
            let first = tokio::time::timeout(Duration::from_secs(20), came.recv()).await.expect("it is taken");
            assert_eq!(first, far.local_addr().expect("its own").as_socket());
            end.send(()).expect("it goes on");
            assert_eq!(came.recv().await, None, "not the one that came late");
            drop(late);
        };
        tokio::join!(biased; finishing, watching);
    }
}
