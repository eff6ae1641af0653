//! Garbage: a proxy before a real server that lets everything pass, or spoils what the server answers, on cue.
//!
//! It knows as much of HTTP/1.1 and of HTTP/2 as it needs to spoil an answer and leave the rest right: where one begins and
//! ends, and which frame has its bytes.

use std::{net::SocketAddr, sync::Arc};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// How an answer is spoiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Garbage {
    /// Bytes that are no answer in any protocol, and the end of the connection.
    Noise,
    /// Half of an answer, and the end of the connection.
    Cut,
    /// A head that is right, and a body in which every byte is another.
    Scrambled,
    /// A whole answer of half a document, or of half a message.
    Half,
    /// A page for people under 200.
    Page,
}

impl Garbage {
    pub(crate) const ALL: [Self; 5] = [Self::Noise, Self::Cut, Self::Scrambled, Self::Half, Self::Page];
}

/// A proxy, running until the runtime ends.
pub(crate) struct Proxy {
    pub(crate) url: String,
    cue: Arc<Mutex<Option<Garbage>>>,
}

const PAGE: &[u8] = b"<html><body>We are down for maintenance.</body></html>";
/// `:status: 200` and `content-type: text/html`, without the dynamic table (RFC 7541, 6.1 and 6.2.2).
const PAGE_HEAD: &[u8] = b"\x88\x0f\x10\x09text/html";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

impl Proxy {
    /// Starts one before a server that speaks REST, or gRPC.
    pub(crate) async fn start(target: &str, is_grpc: bool) -> Self {
        let target: SocketAddr = target.strip_prefix("http://").expect("an address").parse().expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (url, cue) = (format!("http://{}", listener.local_addr().expect("bound")), Arc::new(Mutex::new(None)));
        let of = cue.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, target, (is_grpc, of.clone())));
            }
        });
        Self { url, cue }
    }

    /// Spoils what is answered from now on, or lets it pass.
    pub(crate) fn spoil(&self, how: Option<Garbage>) {
        *self.cue.lock() = how;
    }
}

type Cue = (bool, Arc<Mutex<Option<Garbage>>>);

/// Lets one connection pass. Either side that ends it ends it for both.
async fn pass(client: TcpStream, target: SocketAddr, (is_grpc, cue): Cue) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((mut asks, told), (answers, mut asked)) = (client.into_split(), server.into_split());
    let back = async {
        let _ = match is_grpc {
            true => frames(answers, told, &cue).await,
            false => answers_of(answers, told, &cue).await,
        };
    };
    tokio::select! {
        _ = tokio::io::copy(&mut asks, &mut asked) => {}
        () = back => {}
    }
}

/// Passes answers of HTTP/1.1 on, each in one piece, until one is spoiled so that the connection ends.
async fn answers_of(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    cue: &Mutex<Option<Garbage>>,
) -> std::io::Result<()> {
    let mut seen = Vec::new();
    loop {
        let (head, whole) = loop {
            if let Some(measured) = measure(&seen) {
                break measured;
            }
            if from.read_buf(&mut seen).await? == 0 {
                return to.write_all(&seen).await;
            }
        };
        let answer: Vec<u8> = seen.drain(..whole).collect();
        let (head, body) = answer.split_at(head);
        let how = *cue.lock();
        let page = |kind: &str, body: &[u8]| {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", body.len());
            [head.as_bytes(), body].concat()
        };
        let spoiled = match how {
            None => answer,
            Some(Garbage::Noise) => noise(),
            Some(Garbage::Cut) => [head, &body[..body.len() / 2]].concat(),
            Some(Garbage::Scrambled) => [head, &scrambled(body)].concat(),
            Some(Garbage::Half) => page("application/json", br#"{"model_name":"home-value","outputs":[{"name":"sco"#),
            Some(Garbage::Page) => page("text/html", PAGE),
        };
        to.write_all(&spoiled).await?;
        if matches!(how, Some(Garbage::Noise | Garbage::Cut)) {
            return Ok(());
        }
    }
}

/// Returns how long the head of an answer is, and the whole of it, as soon as both are there.
fn measure(seen: &[u8]) -> Option<(usize, usize)> {
    let head = seen.windows(4).position(|it| it == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&seen[..head]).to_lowercase();
    let value = |name: &str| text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()));
    let body = match value("content-length:") {
        Some(length) => length.parse().ok()?,
        None if value("transfer-encoding:").is_some() => seen[head..].windows(5).position(|it| it == b"0\r\n\r\n")? + 5,
        None => 0,
    };
    (seen.len() >= head + body).then_some((head, head + body))
}

/// Passes the frames of HTTP/2 on, until one is spoiled so that the connection ends.
async fn frames(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, cue: &Mutex<Option<Garbage>>) -> std::io::Result<()> {
    loop {
        let mut head = [0; 9];
        from.read_exact(&mut head).await?;
        let mut body = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        from.read_exact(&mut body).await?;
        let stream = [head[5], head[6], head[7], head[8]];
        let is_data = head[3] == DATA && body.len() > 5;
        let how = *cue.lock();
        match how {
            Some(Garbage::Noise) if matches!(head[3], DATA | HEADERS) => return to.write_all(&noise()).await,
            Some(Garbage::Page) if head[3] == HEADERS => {
                let page = [frame((HEADERS, END_HEADERS), stream, PAGE_HEAD), frame((DATA, END_STREAM), stream, PAGE)];
                to.write_all(&page.concat()).await?;
                // What the server said with its own head is not known to the client's table: the connection is over.
                return Ok(());
            }
            Some(Garbage::Cut) if is_data => {
                return to.write_all(&[&head[..], &body[..body.len() / 2]].concat()).await;
            }
            Some(Garbage::Scrambled) if is_data => body = scrambled(&body),
            Some(Garbage::Half) if is_data => {
                let half = &body[5..5 + (body.len() - 5) / 2];
                let message = [&[0][..], &(half.len() as u32).to_be_bytes(), half].concat();
                to.write_all(&frame((DATA, head[4]), stream, &message)).await?;
                continue;
            }
            _ => {}
        }
        to.write_all(&[&head[..], &body].concat()).await?;
    }
}

fn frame((kind, flags): (u8, u8), stream: [u8; 4], body: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = (body.len() as u32).to_be_bytes();
    [&length[..], &[kind, flags], &stream, body].concat()
}

fn scrambled(body: &[u8]) -> Vec<u8> {
    body.iter().map(|byte| byte ^ 0x5a).collect()
}

/// The same every time: a protocol that takes it for an answer once would do so always.
fn noise() -> Vec<u8> {
    (0..200_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}
