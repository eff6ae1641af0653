//! Raw: sockets without HTTP: upstreams that do what no server does, and clients that send what no client sends.

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};

/// What a raw upstream does with a connection.
pub(crate) type Serve = fn(TcpStream) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// An upstream of our own. Dropped, it ends.
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Listener {
    /// Serves every connection by a function.
    pub(crate) async fn start(serve: Serve) -> Listener {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = accepted.clone();
        let accepting = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Relaxed);
                connections.spawn(serve(stream));
            }
        });
        Listener { address, accepted, accepting }
    }

    /// Returns how many connections came.
    pub(crate) fn connections(&self) -> usize {
        self.accepted.load(Relaxed)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Reads the head of a request, and as much of its body as comes with it.
pub(crate) async fn read_request(stream: &mut TcpStream) -> Vec<u8> {
    let (mut all, mut part) = (Vec::new(), [0; 16 * 1024]);
    while !all.windows(4).any(|it| it == b"\r\n\r\n") {
        match stream.read(&mut part).await {
            Ok(count) if count > 0 => all.extend_from_slice(&part[..count]),
            _ => break,
        }
    }
    all
}

/// What a raw client saw.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) bytes: Vec<u8>,
    /// The other side closed the connection, by FIN or RST.
    pub(crate) closed: bool,
}

impl Heard {
    /// Returns it as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Returns the statuses of all answers in it, in order.
    pub(crate) fn statuses(&self) -> Vec<u16> {
        let text = self.text();
        let heads = text.split("HTTP/1.").skip(1);
        heads.filter_map(|head| head.get(2..5)?.parse().ok()).collect()
    }
}

/// Sends bytes and reads until the other side closes, or is silent for a while.
pub(crate) async fn shout(to: SocketAddr, bytes: &[u8], quiet: Duration) -> Heard {
    let mut stream = TcpStream::connect(to).await.expect("somebody listens");
    // Whoever refuses in the middle of what we send closes before we are done.
    let _ = stream.write_all(bytes).await;
    listen(&mut stream, quiet).await
}

/// Reads until the other side closes, or is silent for a while.
pub(crate) async fn listen(stream: &mut TcpStream, quiet: Duration) -> Heard {
    let (mut bytes, mut part) = (Vec::new(), [0; 16 * 1024]);
    loop {
        match timeout(quiet, stream.read(&mut part)).await {
            Ok(Ok(0) | Err(_)) => return Heard { bytes, closed: true },
            Ok(Ok(count)) => bytes.extend_from_slice(&part[..count]),
            Err(_) => return Heard { bytes, closed: false },
        }
    }
}
