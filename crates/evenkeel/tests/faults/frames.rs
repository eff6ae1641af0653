//! Frames: HTTP/2 by hand, for what no HTTP library sends.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;
/// `END_STREAM` and `END_HEADERS`.
pub(crate) const WHOLE: u8 = 5;
/// The error code that ends a flood.
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// A request that is fine.
pub(crate) const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":path", "/v1/models"), (":authority", "t")];

/// A frame that came.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// Says whether it ends the connection because of a flood.
    pub(crate) fn calms(&self) -> bool {
        self.kind == GOAWAY && self.payload.get(4..8) == Some(&ENHANCE_YOUR_CALM.to_be_bytes())
    }
}

/// Writes a frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a small frame").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Writes fields as HPACK literals that nobody indexes (RFC 7541, section 6.2.2).
pub(crate) fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).expect("short")], text.as_bytes()].concat();
    fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

/// Greets, sends what is given, and returns what comes until the other side closes or is silent for a while.
pub(crate) async fn talk(to: SocketAddr, bytes: &[u8], quiet: Duration) -> (Vec<Frame>, bool) {
    let (mut reader, mut writer) = TcpStream::connect(to).await.expect("it listens").into_split();
    let greeting = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    let sending = async {
        let _ = writer.write_all(&greeting).await;
        // Whoever ends the connection takes no more.
        let _ = writer.write_all(bytes).await;
        writer
    };
    let mut heard = Vec::new();
    let hearing = async {
        loop {
            match timeout(quiet, reader.read_buf(&mut heard)).await {
                Ok(Ok(1..)) => {}
                Ok(_) => return true,
                Err(_) => return false,
            }
        }
    };
    let (_writer, closed) = tokio::join!(sending, hearing);
    (read(&heard), closed)
}

/// Reads the frames of a client that are whole, behind its preface.
pub(crate) fn of_client(heard: &[u8]) -> Vec<Frame> {
    read(heard.get(PREFACE.len()..).unwrap_or_default())
}

/// Reads the frames that are whole.
fn read(mut heard: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let [a, b, c, kind, flags, s, t, u, v, more @ ..] = heard {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let Some((payload, after)) = more.split_at_checked(length) else { break };
        let stream = u32::from_be_bytes([*s, *t, *u, *v]);
        frames.push(Frame { kind: *kind, flags: *flags, stream, payload: payload.to_vec() });
        heard = after;
    }
    frames
}
