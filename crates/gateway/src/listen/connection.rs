//! Connection: one client's, from its first byte to its last.
//!
//! # Invariants
//! - `CONN-A`: what the HTTP library refuses on its own, with its bare 400, 414 or 431 or a GOAWAY, is counted by kind; over HTTP/1
//!   those have the body of every other refusal (`bare`).
//! - `CONN-B`: a drain closes no connection of HTTP/1 on which a request may be on its way: one that is idle is closed
//!   after a second in which nothing came, and what comes is answered with `Connection: close` (F-175). HTTP/2 says which
//!   streams it still takes.
//! - `CONN-C`: what a client does not read costs what one connection may hold, and for `server.write` only (CL-05): over
//!   HTTP/1 the connection is closed then, over HTTP/2 that answer is reset.
//! - `CONN-D`: where the data plane encrypts nothing is served in the clear, and a certificate counts from the next connection
//!   on: those that stand keep the one that they began with (HP-14).

use std::{convert::Infallible, error::Error, pin::pin, sync::Arc, time::Duration};

use http::{HeaderValue, Version, header};
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, timeout_at},
};

use super::{
    bare::Bare,
    encrypt::{Failure, encrypt},
    farewell, handle,
    proper::MOST_HEADERS,
    pulse::{Pulse, Watched},
    socket::Socket,
    streams::Streams,
};
use crate::gateway::{Phase, Shared, reached};

/// Streams at once on one HTTP/2 connection (F-087).
const MOST_STREAMS: u32 = 100;
/// Streams that a client may open and take back before we have looked at them: a browser's few, not a flood's thousands.
const MOST_TAKEN_BACK: usize = 20;
/// Streams that a client may make us reset by breaking the rules.
const MOST_BROKEN: usize = 100;
/// Bytes of one HTTP/2 answer that wait for its client.
const MOST_UNSENT: usize = 256 << 10;
/// How long a drain waits for a request on an idle connection: longer than one is on its way.
pub(super) const LAST_CALL: Duration = Duration::from_secs(1);

/// How a connection ended.
enum End {
    /// By itself.
    Over(Option<Box<dyn Error + Send + Sync>>),
    /// No whole head came in time.
    NoHead,
    /// It makes us work for nothing.
    Flood,
    /// Before it was encrypted.
    Unencrypted(Failure),
}

/// Serves one connection to its end.
pub(super) async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    // Without it, small writes wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let (times, tls) = {
        let applied = shared.applied.load();
        let server = &applied.deployment.server;
        let head_by = Instant::now() + Duration::from_nanos(server.read_timeout.0);
        (Times { read: server.read_timeout.0, write: server.write.0, head_by }, applied.tls.clone())
    };
    let (stream, pulse) = (Arc::new(stream), Arc::new(Pulse::default()));
    let socket = Socket::new(stream.clone(), pulse.clone(), Duration::from_nanos(times.write));
    let end = match &tls {
        None => attend(&shared, socket, &pulse, times).await,
        Some(tls) => match timeout_at(times.head_by, encrypt(&shared, (&stream, socket), tls)).await {
            Ok(Ok(encrypted)) => attend(&shared, encrypted, &pulse, times).await,
            Ok(Err(failure)) => End::Unencrypted(failure),
            Err(_) => End::NoHead,
        },
    };
    let kind = match &end {
        End::Over(error) => error.as_deref().and_then(refusal),
        End::NoHead => Some(NO_HEAD),
        End::Flood => Some(BAD_HTTP2),
        End::Unencrypted(failure) => failure.kind(),
    };
    // Nothing at all is refused nothing: an idle connection that is closed was not asked for anything.
    let kind = kind.filter(|kind| *kind != NO_HEAD || pulse.is_heard());
    if let Some(kind) = kind {
        shared.events.refused(kind);
    }
    if *shared.phase.borrow() == Phase::Open {
        let word = match end {
            End::Unencrypted(Failure::Clear) => farewell::NOT_ENCRYPTED.into(),
            // In the clear nothing is said to who encrypts.
            _ if tls.is_some() => Vec::new(),
            End::Flood => farewell::calm(),
            _ if kind == Some(NO_HEAD) => farewell::TOO_SLOW.into(),
            _ => Vec::new(),
        };
        farewell::say(&stream, &word).await;
    }
}

/// How long a client may take.
#[derive(Clone, Copy)]
struct Times {
    /// For the head of a request, in nanoseconds.
    read: u64,
    /// For reading an answer, in nanoseconds.
    write: u64,
    /// Until the first head has come, the handshake before it included.
    head_by: Instant,
}

/// What a head that does not come is counted as.
const NO_HEAD: &str = "head_too_slow";
/// What a client that breaks or strains the rules of HTTP/2 is counted as.
const BAD_HTTP2: &str = "bad_http2";

/// Runs a connection for as long as it may.
async fn attend<S>(shared: &Arc<Shared>, stream: S, pulse: &Arc<Pulse>, times: Times) -> End
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let builder = builder(Duration::from_nanos(times.read), Duration::from_nanos(times.write));
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let version = request.version();
        let (shared, asked) = (shared.clone(), pulse.ask(version == Version::HTTP_2));
        async move {
            let mut response = handle(&shared, request).await;
            if version < Version::HTTP_2 && *shared.phase.borrow() != Phase::Open {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response.map(|body| Watched::new(body, asked)))
        }
    });
    let stream = Bare::new(stream, pulse.clone());
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut phase = shared.phase.subscribe();
    // The HTTP library's own clock starts with the first bytes that show which version is spoken; whoever sends less than
    // that, or nothing, is let go by this one (CL-06).
    let mut patience = pin!(tokio::time::sleep_until(times.head_by));
    let mut waited = false;
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => return End::Over(ended.err()),
            () = reached(&mut phase, Phase::Draining) => break,
            () = pulse.flooded() => return End::Flood,
            () = patience.as_mut(), if !waited => {
                if pulse.asked() == 0 {
                    return End::NoHead;
                }
                waited = true;
            }
        }
    }
    while !pulse.is_http2() {
        let before = pulse.asked();
        tokio::select! {
            biased;
            ended = connection.as_mut() => return End::Over(ended.err()),
            () = reached(&mut phase, Phase::Last) => break,
            () = tokio::time::sleep(LAST_CALL) => {}
        }
        if pulse.is_idle() && pulse.asked() == before {
            break;
        }
    }
    connection.as_mut().graceful_shutdown();
    End::Over(connection.await.err())
}

fn builder(read: Duration, write: Duration) -> auto::Builder<Streams> {
    let mut builder = auto::Builder::new(Streams { write });
    builder.http1().timer(TokioTimer::new()).header_read_timeout(read).max_buf_size(MOST_HEADERS as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST_STREAMS)
        // What is larger than it may be is let in, to be refused with words (`proper`), unless it is far larger.
        .max_header_list_size(2 * MOST_HEADERS)
        .max_pending_accept_reset_streams(MOST_TAKEN_BACK)
        .max_local_error_reset_streams(MOST_BROKEN)
        .max_send_buf_size(MOST_UNSENT)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10));
    builder
}

/// Returns what a refusal by the HTTP library is counted as; none where nothing was refused, the client went away.
fn refusal(error: &(dyn Error + Send + Sync + 'static)) -> Option<&'static str> {
    let hyper = error.downcast_ref::<hyper::Error>()?;
    match () {
        () if hyper.is_parse_too_large() => Some("head_too_large"),
        () if hyper.is_parse() => Some("bad_http"),
        // Its own kind is not told otherwise.
        () if hyper.to_string() == "http2 error" => Some(BAD_HTTP2),
        () if hyper.is_timeout() => Some(NO_HEAD),
        () => None,
    }
}
