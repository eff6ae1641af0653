//! Farewell: the last word on a connection, and a moment in which it can be read.
//!
//! A socket that is closed while bytes lie unread in it is reset, and the reset may overtake the answer that says why.

use std::time::Duration;

use tokio::{net::TcpStream, time::timeout};

use crate::protocol::{front::Front, problem::Problem};

/// A refusal without a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal(Problem, &'static str);

/// What a client hears that sent no whole head in time.
pub(super) const TOO_SLOW: Refusal = Refusal(Problem::TooSlow, "the headers did not come within server.read_timeout");
/// What a client hears that is one too many.
pub(super) const TOO_MANY: Refusal = Refusal(Problem::Overloaded, "too many connections are open");

/// What a client hears that does not encrypt.
pub(super) const NOT_ENCRYPTED: Refusal =
    Refusal(Problem::Invalid, "this port speaks TLS: write https:// in place of http://");

/// Bytes that are read and thrown away, and how long for them to come.
const DISCARDED: usize = 64 << 10;
const LINGER: Duration = Duration::from_secs(1);

/// Says a last word, which may be none, and lets the client read what was said.
pub(super) async fn say(stream: &TcpStream, word: &[u8]) {
    // What does not fit into an empty buffer has nobody who reads it.
    let _ = stream.try_write(word);
    let _ = socket2::SockRef::from(stream).shutdown(std::net::Shutdown::Write);
    let _ = timeout(LINGER, discard(stream)).await;
}

async fn discard(stream: &TcpStream) {
    let (mut buffer, mut read) = ([0; 4 << 10], 0);
    while read < DISCARDED && stream.readable().await.is_ok() {
        match stream.try_read(&mut buffer) {
            Ok(0) => return,
            Ok(more) => read += more,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

impl From<Refusal> for Vec<u8> {
    fn from(Refusal(problem, message): Refusal) -> Self {
        refusal(Front::Openai, problem, message)
    }
}

/// Writes a whole answer that is the last one of its connection.
pub(super) fn refusal(front: Front, problem: Problem, message: &str) -> Vec<u8> {
    let status = problem.status();
    let reason = http::StatusCode::from_u16(status).ok().and_then(|it| it.canonical_reason()).unwrap_or_default();
    let body = front.error_body(problem, message, None);
    // Nobody is to repeat what would be refused again.
    let retry = if status == 503 { "retry-after: 1\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: application/json\r\nx-should-retry: false\r\n{retry}connection: \
         close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

/// Writes a GOAWAY that says ENHANCE_YOUR_CALM (RFC 9113, sections 6.8 and 7); the streams that it names are all of them.
pub(super) fn calm() -> Vec<u8> {
    [&[0, 0, 8, 7, 0, 0, 0, 0, 0][..], &0x7fff_ffff_u32.to_be_bytes(), &11_u32.to_be_bytes()].concat()
}
