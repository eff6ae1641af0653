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
    if find::<h2::Error>(error).is_some_and(is_not_begun) {
        return ResultCode::Unsent;
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
    let framed = !chain(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).any(unreadable);
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
    use http_body_util::Full;
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

    /// Says whether a request has come: its head, after the preface of 24 bytes.
    fn is_asked(heard: &[u8]) -> bool {
        let mut rest = heard.get(24..).unwrap_or_default();
        while let [a, b, c, kind, ..] = *rest {
            if kind == HEADERS {
                return true;
            }
            rest = rest.get(9 + u32::from_be_bytes([0, a, b, c]) as usize..).unwrap_or_default();
        }
        false
    }

    /// Asks a server of HTTP/2 that answers a request with a frame, and closes.
    async fn told(answer: Vec<u8>) -> ResultCode {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let uri = format!("http://{}/", listener.local_addr().expect("its own"));
        let client: Client<HttpConnector, Full<Bytes>> =
            Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        let serving = async {
            let (mut stream, _) = listener.accept().await.expect("it comes");
            stream.write_all(&frame(SETTINGS, 0, &[])).await.expect("written");
            let mut heard = Vec::new();
            while !is_asked(&heard) {
                assert!(stream.read_buf(&mut heard).await.expect("it asks") > 0);
            }
            stream.write_all(&answer).await.expect("written");
            stream.shutdown().await.expect("shut");
            // A reset would take away what was said.
            let _ = stream.read_to_end(&mut heard).await;
        };
        let request = http::Request::post(uri).body(Full::from("x")).expect("a request");
        let (answer, ()) = tokio::join!(client.request(request), serving);
        classify(&answer.expect_err("there is no answer"))
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
