//! Reads the body of a request: within its limit, and not slower than a kilobyte a second (CL-06, CL-14).

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::Fault;
use crate::protocol::problem::Problem;

/// In each of these, this many bytes must come.
const WINDOW: Duration = Duration::from_secs(10);
const LEAST: usize = 10 << 10;
/// Bytes of a refused body that are read all the same, and for how long.
const DISCARDED: usize = 16 << 20;
const LINGER: Duration = Duration::from_secs(2);

/// Reads a body of at most `most` bytes.
pub(super) async fn body(headers: &HeaderMap, mut body: Incoming, most: u64) -> Result<Bytes, Fault> {
    let too_large = || {
        Fault::new(Problem::TooLarge, "too_large", format!("the body is larger than {most} bytes (server.max_body)"))
    };
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok()).and_then(|it| it.parse().ok());
    if declared.is_some_and(|declared: u64| declared > most) {
        discard(body);
        return Err(too_large());
    }
    if headers.get(header::CONTENT_ENCODING).is_some_and(|it| !it.as_bytes().eq_ignore_ascii_case(b"identity")) {
        let message = "the body's Content-Encoding is not read here; send it as it is";
        return Err(Fault::new(Problem::UnknownEncoding, "unknown_encoding", message));
    }
    let mut whole = BytesMut::new();
    loop {
        let before = whole.len();
        let window = async {
            while whole.len() - before < LEAST {
                match body.frame().await {
                    None => return Ok(Some(true)),
                    Some(Ok(frame)) => whole.extend_from_slice(&frame.into_data().unwrap_or_default()),
                    Some(Err(_)) => {
                        return Err(Fault::new(Problem::Invalid, "body_cut", "the body ended before its end"));
                    }
                }
                if whole.len() as u64 > most {
                    return Ok(None);
                }
            }
            Ok(Some(false))
        };
        match tokio::time::timeout(WINDOW, window).await {
            Ok(Ok(Some(true))) => return Ok(whole.freeze()),
            Ok(Ok(Some(false))) => {}
            Ok(Ok(None)) => {
                discard(body);
                return Err(too_large());
            }
            Ok(Err(fault)) => return Err(fault),
            Err(_) => {
                let message = "the body came slower than 1 KiB/s for 10 s";
                return Err(Fault::new(Problem::TooSlow, "too_slow", message));
            }
        }
    }
}

/// Reads on for a moment what nobody wants: a client that is still writing when its connection closes sees a broken pipe
/// instead of the answer that says why.
#[expect(clippy::disallowed_methods, reason = "bounded by LINGER, and nobody waits for what is read")]
fn discard(mut body: Incoming) {
    let rest = async move {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.into_data().map_or(0, |data| data.len());
            if read > DISCARDED {
                break;
            }
        }
    };
    tokio::spawn(tokio::time::timeout(LINGER, rest));
}
