//! Reads the body of a request: within its limit, and not slower than a kilobyte a second (CL-06, CL-14).

use std::time::Duration;

use bytes::Bytes;
use evenkeel_config::Server;
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use hyper::body::Body;

use super::{
    Fault,
    coding::{Coding, Reading, Spoilt, Vessel},
};
use crate::{bodies::Held, protocol::problem::Problem};

/// Bytes of a refused body that are read all the same, and for how long.
const DISCARDED: usize = 16 << 20;
const LINGER: Duration = Duration::from_secs(2);

/// What a body may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Bytes at most.
    pub(super) most: u64,
    /// In each of these, `least` bytes must come, or the end.
    pub(super) window: Duration,
    pub(super) least: usize,
    /// Bytes of all bodies at most.
    pub(super) all: u64,
}

impl Bounds {
    /// A kilobyte a second, over ten.
    pub(super) fn of(server: &Server) -> Self {
        let (most, all) = (server.max_body.0, server.body_bytes.0);
        Self { most, window: Duration::from_secs(10), least: 10 << 10, all }
    }
}

/// What a piece of reading came to.
enum Read {
    More,
    Done,
    Spoilt(Spoilt),
}

/// Reads a body within its bounds, takes off what it was compressed with, and counts it in `held`. After a refusal the
/// connection is closed: what is still to come of the body is not worth waiting for.
pub(super) async fn body<B>(headers: &HeaderMap, mut body: B, bounds: Bounds, held: &mut Held) -> Result<Bytes, Fault>
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Send,
{
    let Bounds { most, window, least, all } = bounds;
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok()).and_then(|it| it.parse().ok());
    if declared.is_some_and(|declared: u64| declared > most) {
        // Whoever asks first has not sent it, and to read on would tell it to (HP-09).
        if !headers.contains_key(header::EXPECT) {
            discard(body);
        }
        return Err(too_large(most));
    }
    let coding = Coding::of(headers, &header::CONTENT_ENCODING).ok_or_else(|| {
        let message = "the body's Content-Encoding is not read here; send it in gzip, in deflate, or as it is";
        Fault::closing(Problem::UnknownEncoding, "unknown_encoding", message)
    })?;
    let mut whole = Reading::new(coding, Vessel::new(held, (most, all), declared.unwrap_or(0)));
    let mut received = 0_u64;
    loop {
        let reading = async {
            let mut came = 0;
            while came < least {
                match body.frame().await {
                    None => return Ok(Read::Done),
                    Some(Ok(frame)) => {
                        let data = frame.into_data().unwrap_or_default();
                        came += data.len();
                        received += data.len() as u64;
                        // What was compressed may be nothing at all, for ever.
                        if received > most {
                            return Ok(Read::Spoilt(Spoilt::TooLarge));
                        }
                        if let Err(spoilt) = whole.push(&data).await {
                            return Ok(Read::Spoilt(spoilt));
                        }
                    }
                    Some(Err(_)) => {
                        return Err(cut());
                    }
                }
            }
            Ok(Read::More)
        };
        match tokio::time::timeout(window, reading).await {
            Ok(Ok(Read::Done)) => return whole.finish().map_err(|spoilt| refuse(spoilt, most)),
            Ok(Ok(Read::More)) => {}
            Ok(Ok(Read::Spoilt(spoilt))) => {
                discard(body);
                return Err(refuse(spoilt, most));
            }
            Ok(Err(fault)) => return Err(fault),
            Err(_) => return Err(too_slow()),
        }
    }
}

pub(super) fn cut() -> Fault {
    let message = "the body ended before its end, or is framed wrongly";
    Fault::closing(Problem::Invalid, "body_cut", message)
}

pub(super) fn too_slow() -> Fault {
    let message = "the body came slower than 1 KiB/s for 10 s";
    Fault::closing(Problem::TooSlow, "too_slow", message)
}

pub(super) fn too_large(most: u64) -> Fault {
    let message = format!("the body is larger than {most} bytes (server.max_body)");
    Fault::closing(Problem::TooLarge, "too_large", message)
}

/// Says what is wrong with a body that cannot be had.
pub(super) fn refuse(spoilt: Spoilt, most: u64) -> Fault {
    match spoilt {
        Spoilt::TooLarge => too_large(most),
        Spoilt::NoRoom => {
            let message = "too many bytes of requests are held (server.body_bytes); come back later";
            Fault::closing(Problem::Overloaded, "body_bytes", message)
        }
        Spoilt::Broken => {
            let message = "the body is not what its Content-Encoding says";
            Fault::closing(Problem::Invalid, "bad_encoding", message)
        }
    }
}

/// Reads on for a moment what nobody wants: a client that is still writing when its connection closes sees a broken pipe
/// instead of the answer that says why.
#[expect(clippy::disallowed_methods, reason = "bounded by LINGER, and nobody waits for what is read")]
fn discard<B>(mut body: B)
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Send,
{
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

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        pin::Pin,
        sync::Arc,
        task::{Context, Poll},
    };

    use hyper::body::Frame;

    use super::*;
    use crate::bodies::Bodies;

    /// Says its pieces, and then nothing, for ever.
    struct Stuck(Vec<&'static [u8]>);

    impl Body for Stuck {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match self.0.pop() {
                Some(piece) => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(piece))))),
                None => Poll::Pending,
            }
        }
    }

    #[tokio::test]
    async fn cl_06_a_body_that_comes_too_slowly_is_not_waited_for() {
        let bounds = Bounds { most: 100, window: Duration::from_millis(10), least: 4, all: 1_000 };
        let bodies = Arc::new(Bodies::default());
        for pieces in [vec![], vec![&b"abc"[..]], vec![b"abcd", b"efg"]] {
            let fault =
                body(&HeaderMap::new(), Stuck(pieces), bounds, &mut bodies.hold()).await.expect_err("it never ends");
            assert_eq!((fault.problem.status(), fault.kind, fault.close), (408, "too_slow", true));
        }
        let large = Stuck(vec![&[0; 101]]);
        let fault = body(&HeaderMap::new(), large, bounds, &mut bodies.hold()).await.expect_err("it is too large");
        assert_eq!((fault.problem.status(), fault.kind, fault.close), (413, "too_large", true));
    }

    #[tokio::test]
    async fn oip_02_a_body_that_is_compressed_from_nothing_does_not_go_on_for_ever() {
        const NOTHING: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x03\0\0\0\0\0\0\0\0\0";
        let bounds = Bounds { most: 100, window: Duration::from_secs(10), least: 1_000_000, all: 1_000 };
        let headers = HeaderMap::from_iter([(header::CONTENT_ENCODING, "gzip".parse().expect("a value"))]);
        let fault = body(&headers, Stuck(vec![NOTHING; 6]), bounds, &mut Arc::new(Bodies::default()).hold()).await;
        assert_eq!(fault.expect_err("it is larger than a body may be").kind, "too_large");
    }

    #[tokio::test]
    async fn f_087_a_body_that_all_together_have_no_room_for_is_refused_and_given_back() {
        let bounds = Bounds { most: 100, window: Duration::from_millis(10), least: 4, all: 100 };
        let bodies = Arc::new(Bodies::default());
        let mut other = bodies.hold();
        other.grow(95, 100);
        let fault = body(&HeaderMap::new(), Stuck(vec![b"efg", b"abcd"]), bounds, &mut bodies.hold()).await;
        let fault = fault.expect_err("there is room for five");
        assert_eq!((fault.problem.status(), fault.kind, fault.close), (503, "body_bytes", true));
        assert_eq!(bodies.share(100).thousandths(), 950);
    }
}
