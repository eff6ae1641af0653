//! Frames: the messages of a call, each behind five bytes that say how long it is, within the bounds of any body.
//!
//! # Invariants
//! - `FRAMES-1`: a length is not believed: a message over the limit is refused before it is read, and memory grows with what
//!   comes (HP-12).
//! - `FRAMES-2`: a message that has begun to come may not come slower than a body; between two of a stream nobody is hurried.
//!
//! # Source
//! *gRPC over HTTP/2*: Length-Prefixed-Message, Message-Encoding.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName};
use http_body_util::BodyExt;
use hyper::body::Body;

use super::super::{
    Fault,
    coding::{Coding, Reading, Vessel},
    read::{self, Bounds},
};
use crate::{bodies::Held, protocol::problem::Problem, rope::Rope};

/// What a message is compressed with, where it says that it is.
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
/// Bytes before a message.
const PREFIX: usize = 5;
/// The largest message that is sent: readers of protocol buffers take no larger one, whatever its length can say.
pub(super) const MOST: usize = i32::MAX as usize;

/// The messages of a call.
pub(super) struct Frames<B> {
    body: B,
    /// What came and belongs to no message yet.
    rest: Bytes,
    coding: Coding,
    bounds: Bounds,
}

impl<B> Frames<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    pub(super) fn new(headers: &HeaderMap, body: B, bounds: Bounds) -> Result<Self, Fault> {
        let coding = Coding::of(headers, &ENCODING).ok_or_else(|| {
            let message = "this grpc-encoding is not read here; send messages in gzip, in deflate, or as they are";
            Fault::new(Problem::UnknownEncoding, "unknown_encoding", message)
        })?;
        Ok(Self { body, rest: Bytes::new(), coding, bounds })
    }

    /// Reads the message of a call that has one.
    pub(super) async fn only(&mut self, held: &mut Held) -> Result<Bytes, Fault> {
        let first = tokio::time::timeout(self.bounds.window, self.is_there()).await;
        let message = match first.map_err(|_| read::too_slow())?? {
            true => self.message(held).await?,
            false => return Err(bad_frame("the call has no message")),
        };
        if self.rest.is_empty() { Ok(message) } else { Err(bad_frame("the call has more than one message")) }
    }

    /// Reads the next message of a stream; none at its end.
    pub(super) async fn next(&mut self, held: &mut Held) -> Result<Option<Bytes>, Fault> {
        Ok(if self.is_there().await? { Some(self.message(held).await?) } else { None })
    }

    /// Waits for the first byte of a message; says whether there is one.
    async fn is_there(&mut self) -> Result<bool, Fault> {
        Ok(!self.rest.is_empty() || self.more().await?)
    }

    /// Reads a message of which something is there.
    async fn message(&mut self, held: &mut Held) -> Result<Bytes, Fault> {
        let Bounds { most, window, least, all } = self.bounds;
        let reading = async {
            while self.rest.len() < PREFIX {
                let before = std::mem::take(&mut self.rest);
                if !self.more().await? {
                    return Err(read::cut());
                }
                self.rest = [before, std::mem::take(&mut self.rest)].concat().into();
            }
            Ok(())
        };
        tokio::time::timeout(window, reading).await.map_err(|_| read::too_slow())??;
        let (packed, length) = (self.rest.get_u8(), u64::from(self.rest.get_u32()));
        let coding = match packed {
            0 => Coding::Identity,
            1 if self.coding != Coding::Identity => self.coding,
            1 => return Err(bad_frame("a message is marked as compressed, and grpc-encoding does not say how")),
            _ => return Err(bad_frame("a message is marked with a flag that there is not")),
        };
        if length > most {
            return Err(read::too_large(most));
        }
        let mut left = length as usize;
        let mut whole = Reading::new(coding, Vessel::new(held, (most, all), length));
        while left > 0 {
            let reading = async {
                let mut came = 0;
                while left > 0 && came < least {
                    if self.rest.is_empty() && !self.more().await? {
                        return Err(read::cut());
                    }
                    let part = self.rest.split_to(self.rest.len().min(left));
                    whole.push(&part).await.map_err(|spoilt| read::refuse(spoilt, most))?;
                    (left, came) = (left - part.len(), came + part.len());
                }
                Ok(())
            };
            tokio::time::timeout(window, reading).await.map_err(|_| read::too_slow())??;
        }
        whole.finish().map_err(|spoilt| read::refuse(spoilt, most))
    }

    /// Waits for more of the body; says whether there was more.
    async fn more(&mut self) -> Result<bool, Fault> {
        loop {
            match self.body.frame().await {
                None => return Ok(false),
                Some(Err(_)) => return Err(read::cut()),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => {
                        self.rest = data;
                        return Ok(true);
                    }
                    _ => {}
                },
            }
        }
    }
}

fn bad_frame(message: &str) -> Fault {
    Fault::new(Problem::Invalid, "bad_frame", message)
}

/// Puts its length before a message of at most [`MOST`] bytes.
pub(super) fn framed(message: Rope) -> Rope {
    let mut prefix = BytesMut::with_capacity(PREFIX);
    prefix.put_u8(0);
    prefix.put_u32(
        u32::try_from(message.len())
            .expect("an answer that is larger is refused, and what we say of ourselves is small"),
    );
    let mut framed = Rope::from(prefix.freeze());
    framed.append(message);
    framed
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        convert::Infallible,
        io::Write,
        pin::Pin,
        sync::Arc,
        task::{Context, Poll},
        time::Duration,
    };

    use flate2::{Compression, write::GzEncoder};
    use hyper::body::Frame;
    use proptest::prelude::*;

    use super::*;
    use crate::bodies::Bodies;

    const BOUNDS: Bounds = Bounds { most: 100, window: Duration::from_millis(10), least: 4, all: 1_000 };

    /// A body in pieces, which ends, or goes on without saying anything.
    struct Pieces(VecDeque<Vec<u8>>, bool);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match self.0.pop_front() {
                Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece.into())))),
                None if self.1 => Poll::Ready(None),
                None => Poll::Pending,
            }
        }
    }

    fn body(pieces: Vec<Vec<u8>>, ends: bool) -> Pieces {
        Pieces(pieces.into(), ends)
    }

    fn frame(packed: u8, message: &[u8]) -> Vec<u8> {
        [&[packed], &(message.len() as u32).to_be_bytes()[..], message].concat()
    }

    async fn all(pieces: Vec<Vec<u8>>, encoding: Option<&'static str>) -> Result<Vec<Bytes>, Fault> {
        let headers = encoding.map(|it| (ENCODING, it.parse().expect("a value"))).into_iter().collect();
        let mut frames = Frames::new(&headers, body(pieces, true), BOUNDS)?;
        let bodies = Arc::new(Bodies::default());
        let mut messages = Vec::new();
        while let Some(message) = frames.next(&mut bodies.hold()).await? {
            messages.push(message);
        }
        Ok(messages)
    }

    #[tokio::test]
    async fn hp_12_a_length_is_not_believed_and_a_flag_wants_its_encoding() {
        let bodies = Arc::new(Bodies::default());
        let check = async |sent: Vec<u8>, encoding, status, kind| {
            let fault = all(vec![sent], encoding).await.expect_err(kind);
            assert_eq!((fault.problem.status(), fault.kind), (status, kind));
        };
        check(b"\0\xff\xff\xff\xff".to_vec(), None, 413, "too_large").await;
        check(frame(0, &[7; 101]), None, 413, "too_large").await;
        check(frame(1, b"abc"), None, 400, "bad_frame").await;
        check(frame(1, b"abc"), Some("identity"), 400, "bad_frame").await;
        check(frame(2, b"abc"), None, 400, "bad_frame").await;
        check(frame(1, b"abc"), Some("gzip"), 400, "bad_encoding").await;
        check(frame(0, b"abc")[..4].to_vec(), None, 400, "body_cut").await;
        check(frame(0, b"abc")[..6].to_vec(), None, 400, "body_cut").await;
        check(frame(0, b"abc"), Some("snappy"), 415, "unknown_encoding").await;
        let none =
            Frames::new(&HeaderMap::new(), body(vec![], true), BOUNDS).expect("fine").only(&mut bodies.hold()).await;
        assert_eq!(none.expect_err("no message").kind, "bad_frame");
        let two = [frame(0, b"a"), frame(0, b"b")].concat();
        let two =
            Frames::new(&HeaderMap::new(), body(vec![two], true), BOUNDS).expect("fine").only(&mut bodies.hold()).await;
        assert_eq!(two.expect_err("two messages").kind, "bad_frame");
    }

    #[tokio::test]
    async fn cl_06_a_message_that_comes_too_slowly_is_not_waited_for() {
        let bodies = Arc::new(Bodies::default());
        for pieces in [vec![], vec![b"\0\0".to_vec()], vec![b"\0\0\0\0\x05abc".to_vec()]] {
            let mut frames = Frames::new(&HeaderMap::new(), body(pieces, false), BOUNDS).expect("fine");
            let fault = frames.only(&mut bodies.hold()).await.expect_err("it never ends");
            assert_eq!(fault.kind, "too_slow");
        }
    }

    #[tokio::test]
    async fn oip_02_a_message_may_be_compressed_and_is_held_in_its_full_size() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&[b'a'; 101]).expect("memory");
        let packed = encoder.finish().expect("memory");
        let fault = all(vec![frame(1, &packed)], Some("gzip")).await.expect_err("it grows too large");
        assert_eq!(fault.kind, "too_large");
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(b"abc").expect("memory");
        let packed = encoder.finish().expect("memory");
        let sent = vec![frame(1, &packed), frame(0, b"def")];
        assert_eq!(all(sent, Some("gzip")).await.expect("two"), [&b"abc"[..], b"def"], "each says for itself");
    }

    proptest! {
        #[test]
        fn messages_come_as_they_were_however_they_are_cut(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..5), piece in 1..40_usize,
        ) {
            let sent: Vec<u8> = messages.iter().flat_map(|message| frame(0, message)).collect();
            let pieces = sent.chunks(piece).map(<[u8]>::to_vec).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
            let read = runtime.block_on(all(pieces, None)).expect("well-formed");
            prop_assert_eq!(read, messages);
        }
    }
}
