//! What a failed call proves: the result by how far the request came (`failures.md`, section 1, class `target`).

use std::{error::Error, io};

use evenkeel_core::ResultCode;
use hyper_util::client::legacy;

use super::{connect::Handshake, line::Past};

/// Classifies a call that brought no answer. That no byte of one came on a connection that was kept is the proof that
/// the server had gone before it was asked (F-043). All that is asked is pure, so that asking again is safe (F-034).
pub(super) fn classify(error: &legacy::Error) -> ResultCode {
    if error.is_connect() {
        return connecting(error);
    }
    if let Some(h2) = find::<h2::Error>(error) {
        // No turns of bytes count here: streams are mixed, and one that was begun long ago ends with its connection, too.
        return match () {
            () if is_not_begun(h2) => ResultCode::Unsent,
            () if h2.is_library() => ResultCode::ProtocolError,
            () => ResultCode::Reset,
        };
    }
    if let Some(hyper) = find::<hyper::Error>(error) {
        if hyper.is_canceled() {
            return ResultCode::Unsent;
        }
        if hyper.is_parse() {
            return ResultCode::ProtocolError;
        }
    }
    if error.connect_info().is_some_and(Past::is_stale) { ResultCode::Unsent } else { ResultCode::Reset }
}

/// Says whether a server of HTTP/2 has said that it did not begin what it was asked: it refused the stream, or it went away
/// and named a last stream before this one (RFC 9113, sections 6.8 and 8.7). What it had begun does not end with its GOAWAY.
fn is_not_begun(error: &h2::Error) -> bool {
    let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    error.is_remote() && (refused || error.is_go_away())
}

/// What the system says when this process, or the machine, has nothing left for another connection: ENFILE and EMFILE, which
/// are the same everywhere, ENOMEM, and ENOBUFS and EADDRNOTAVAIL (no port is left) as Linux and as BSD number them.
const OURS: [i32; 7] = [23, 24, 12, 105, 55, 99, 49];

/// Says whether a clock of the connection fired: nobody refused anything.
pub(super) fn is_timeout(error: &legacy::Error) -> bool {
    let by_clock = |cause: &io::Error| cause.kind() == io::ErrorKind::TimedOut;
    let slow = |shake: &Handshake| matches!(shake, Handshake::Slow(_));
    chain(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).any(by_clock)
        || find::<Handshake>(error).is_some_and(slow)
}

/// Classifies a body that broke off, or whose framing is none: what HTTP does not allow is the server's error, and no cut.
pub(crate) fn in_body(error: &hyper::Error) -> ResultCode {
    let unreadable =
        |cause: &io::Error| matches!(cause.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData);
    let framed = !chain(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).any(unreadable)
        && !find::<h2::Error>(error).is_some_and(h2::Error::is_library);
    if framed && !error.is_parse() { ResultCode::Truncated } else { ResultCode::ProtocolError }
}

fn connecting(error: &legacy::Error) -> ResultCode {
    if find::<Handshake>(error).is_some() {
        return ResultCode::TlsFailed;
    }
    let number = chain(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).find_map(io::Error::raw_os_error);
    let unresolved = chain(error).any(|cause| cause.to_string().contains("dns error"));
    match () {
        () if number.is_some_and(|number| OURS.contains(&number)) => ResultCode::OwnLimit,
        // The system's resolver does not say that it could not open its own files.
        () if unresolved && no_descriptor_is_left() => ResultCode::OwnLimit,
        () if unresolved => ResultCode::DnsFailed,
        () => ResultCode::ConnectFailed,
    }
}

/// Says whether this process cannot open anything (PR-03).
fn no_descriptor_is_left() -> bool {
    let opened = std::fs::File::open("/dev/null");
    opened.is_err_and(|error| error.raw_os_error().is_some_and(|number| OURS.contains(&number)))
}

/// Returns the last cause of an error, in words.
pub(super) fn why(error: &legacy::Error) -> String {
    chain(error).last().map_or_else(String::new, ToString::to_string)
}

/// Walks an error and its causes, also those that an io::Error carries inside.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inside) => Some(inside),
            None => error.source(),
        }
    }
    std::iter::successors(Some(error), |error| below(*error))
}

/// Finds the cause of a kind in an error.
pub(super) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    chain(error).find_map(|cause| cause.downcast_ref::<E>())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::{BodyExt, Full};
    use hyper_util::{
        client::legacy::{Client, connect::HttpConnector},
        rt::TokioExecutor,
    };
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    const GOAWAY: u8 = 7;
    const NO_ERROR: u32 = 0;
    const INTERNAL_ERROR: u32 = 2;
    const REFUSED_STREAM: u32 = 7;

    fn frame(kind: u8, stream: u32, numbers: &[u32]) -> Vec<u8> {
        let payload: Vec<u8> = numbers.iter().flat_map(|it| it.to_be_bytes()).collect();
        let length = u32::try_from(payload.len()).expect("a small frame").to_be_bytes();
        [&length[1..], &[kind, 0], &stream.to_be_bytes(), &payload].concat()
    }

    /// The head of an answer of 200, and whether that is all of it.
    fn head(stream: u32, is_all: bool) -> Vec<u8> {
        [&[0, 0, 1, HEADERS, 4 | u8::from(is_all)], &stream.to_be_bytes()[..], &[0x88]].concat()
    }

    /// Counts the requests that have come: their heads, after the preface of 24 bytes.
    fn asked(heard: &[u8]) -> usize {
        let (mut rest, mut heads) = (heard.get(24..).unwrap_or_default(), 0);
        while let [a, b, c, kind, ..] = *rest {
            heads += usize::from(kind == HEADERS);
            rest = rest.get(9 + u32::from_be_bytes([0, a, b, c]) as usize..).unwrap_or_default();
        }
        heads
    }

    /// Asks a server of HTTP/2 that answers a request with a frame, and closes.
    async fn told(answer: Vec<u8>) -> ResultCode {
        after(None, answer).await
    }

    /// Asks a server of HTTP/2 that has answered before on the same connection.
    async fn after_an_answer(first: Vec<u8>, answer: Vec<u8>) -> ResultCode {
        after(Some(first), answer).await
    }

    async fn after(first: Option<Vec<u8>>, answer: Vec<u8>) -> ResultCode {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let uri = format!("http://{}/", listener.local_addr().expect("its own"));
        let client: Client<HttpConnector, Full<Bytes>> =
            Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        let serving = async {
            let (mut stream, _) = listener.accept().await.expect("it comes");
            stream.write_all(&frame(SETTINGS, 0, &[])).await.expect("written");
            let mut heard = Vec::new();
            for (at, answer) in first.iter().chain([&answer]).enumerate() {
                while asked(&heard) <= at {
                    assert!(stream.read_buf(&mut heard).await.expect("it asks") > 0);
                }
                stream.write_all(answer).await.expect("written");
            }
            stream.shutdown().await.expect("shut");
            // A reset would take away what was said.
            let _ = stream.read_to_end(&mut heard).await;
        };
        let request = http::Request::post(uri).body(Full::from("x")).expect("a request");
        let asking = async {
            if first.is_some() {
                client.request(request.clone()).await.expect("it answers once");
            }
            client.request(request.clone()).await
        };
        let (answer, ()) = tokio::join!(asking, serving);
        match answer {
            Ok(begun) => in_body(&begun.collect().await.expect_err("there is no end")),
            Err(error) => classify(&error),
        }
    }

    #[tokio::test]
    async fn oip_40_up_11_bytes_that_are_no_http_2_are_an_answer_of_a_broken_server_also_on_a_kept_connection() {
        let noise = || (0..200_u8).map(|byte| byte.wrapping_mul(89) ^ 0xa7).collect::<Vec<u8>>();
        assert_eq!(told(noise()).await, ResultCode::ProtocolError);
        // A frame of a kind that is known, and longer than was agreed.
        assert_eq!(told(vec![0xff, 0xff, 0xff, HEADERS, 0, 0, 0, 0, 1]).await, ResultCode::ProtocolError);
        for again in [noise(), Vec::new()] {
            let expected = if again.is_empty() { ResultCode::Reset } else { ResultCode::ProtocolError };
            assert_eq!(after_an_answer(head(1, true), again).await, expected, "HTTP/2 says what was not begun");
        }
        assert_eq!(told([head(1, false), noise()].concat()).await, ResultCode::ProtocolError, "in the body");
        assert_eq!(told(head(1, false)).await, ResultCode::Truncated, "a cut is none");
    }

    #[tokio::test]
    async fn up_12_what_an_http_2_server_has_not_begun_was_not_sent() {
        assert_eq!(told(frame(RST_STREAM, 1, &[REFUSED_STREAM])).await, ResultCode::Unsent);
        for why in [NO_ERROR, INTERNAL_ERROR] {
            assert_eq!(
                told(frame(GOAWAY, 0, &[0, why])).await,
                ResultCode::Unsent,
                "{why}: the last that it began is none"
            );
            assert_eq!(told(frame(GOAWAY, 0, &[1, why])).await, ResultCode::Reset, "{why}: it had begun this one");
        }
        assert_eq!(told(frame(RST_STREAM, 1, &[INTERNAL_ERROR])).await, ResultCode::Reset);
        assert_eq!(told(Vec::new()).await, ResultCode::Reset);
    }
}
