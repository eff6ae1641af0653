//! Raw: a client that sends what a test says, byte by byte, and sees what really comes back.

use std::{net::SocketAddr, path::Path, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::client::{CONFIG, Kit};

/// How long anything may take to come that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    heard: Vec<u8>,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// A chat request of a route.
pub(crate) fn chat(route: &str, stream: bool) -> String {
    format!(r#"{{"model":"{route}","stream":{stream},"messages":[{{"role":"user","content":"x"}}]}}"#)
}

/// A request with a body, and with more headers, each ended by CRLF.
pub(crate) fn post(headers: &str, body: &str) -> String {
    let length = body.len();
    format!("POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\n{headers}content-length: {length}\r\n\r\n{body}")
}

/// The usual kit, with other keys of the server besides.
pub(crate) async fn kit(server: &str) -> Kit {
    kit_with(server, "").await
}

/// The same with more routes.
pub(crate) async fn kit_with(server: &str, routes: &str) -> Kit {
    let config = CONFIG.replace("max_body: 1MiB", &format!("max_body: 1MiB, {server}"));
    let config = config.replace("max_answer: 64KiB", "max_answer: 64MiB").replace("stall: 300ms", "stall: 600ms");
    let config = config + routes;
    Kit::of(&config, Path::new("."), Default::default()).await
}

/// Returns how often a kind was refused before admission.
pub(crate) fn refused(kit: &Kit, kind: &str) -> u64 {
    let name = format!("evenkeel_refused_before_admission_total{{kind=\"{kind}\"}} ");
    let metrics = kit.gateway.metrics();
    metrics.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().expect("a count"))
}

impl Raw {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.expect("somebody listens"), heard: Vec::new() }
    }

    /// Connects with a small window, so that little is on the way that nobody has read.
    pub(crate) async fn narrow(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4 << 10).expect("set");
        Self { stream: socket.connect(address).await.expect("somebody listens"), heard: Vec::new() }
    }

    /// Sends bytes on a new connection.
    pub(crate) async fn say(kit: &Kit, bytes: impl AsRef<[u8]>) -> Self {
        let mut raw = Self::to(kit.gateway.address()).await;
        raw.send(bytes).await;
        raw
    }

    /// Sends bytes; the other side may have closed before it took all of them.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Reads the next answer; none where the connection ends before one.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        loop {
            if let Some((answer, size)) = parse(&self.heard) {
                self.heard.drain(..size);
                return Some(answer);
            }
            if self.more().await == 0 {
                return None;
            }
        }
    }

    /// Reads until the other side closes; returns what came.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.more().await > 0 {}
        std::mem::take(&mut self.heard)
    }

    async fn more(&mut self) -> usize {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.heard)).await;
        // A reset is an end as well.
        read.expect("something comes, or it ends").unwrap_or(0)
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// Says whether the connection closes after it.
    pub(crate) fn closes(&self) -> bool {
        self.head.contains("connection: close")
    }
}

/// Reads one answer from the beginning of what came, and says how long it is; none where it is not whole.
fn parse(heard: &[u8]) -> Option<(Answer, usize)> {
    let end = heard.windows(4).position(|it| it == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&heard[..end]).to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let (body, size) = match length {
        Some(length) => {
            let length: usize = length.parse().ok()?;
            (heard.get(end..end + length)?.to_vec(), end + length)
        }
        None if head.contains("transfer-encoding: chunked") => {
            let last = heard[end..].windows(5).position(|it| it == b"0\r\n\r\n")?;
            (heard[end..end + last].to_vec(), end + last + 5)
        }
        None => (Vec::new(), end),
    };
    Some((Answer { status, head, body }, size))
}
