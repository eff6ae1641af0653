//! The body of a response: all at once, or the events of a stream as they come.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval_at},
};

use crate::{driver::request::Presence, sse};

/// A stream that is silent this long gets a comment, so that nobody in between takes it for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Bytes of an answer that are handed on at once: what lies beyond them is ours to drop where nobody reads it (HP-10). It is
/// also what a client of HTTP/2 must take in `server.write`, to count as one that reads.
const PIECE: usize = 16 << 10;

/// The body of a response.
#[derive(Debug)]
pub(crate) enum Body {
    Whole(Option<Bytes>),
    Stream(Stream),
}

/// A stream, and the guard that says whether somebody reads it.
#[derive(Debug)]
pub(crate) struct Stream {
    events: mpsc::Receiver<Bytes>,
    silence: Interval,
    presence: Option<Presence>,
}

impl Body {
    pub(super) fn stream(events: mpsc::Receiver<Bytes>, presence: Option<Presence>) -> Self {
        let mut silence = interval_at(tokio::time::Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
        silence.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self::Stream(Stream { events, silence, presence })
    }

    /// Notes that the client does not read it; without that, one that is dropped has a client that is gone.
    pub(super) fn leave_unread(&mut self) {
        if let Self::Stream(Stream { presence: Some(presence), .. }) = self {
            presence.leave_unread();
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes))
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(whole) => Poll::Ready(piece(whole).map(|it| Ok(Frame::data(it)))),
            Self::Stream(stream) => {
                if let Poll::Ready(event) = stream.events.poll_recv(context) {
                    stream.silence.reset();
                    return Poll::Ready(event.map(|event| Ok(Frame::data(event))));
                }
                match stream.silence.poll_tick(context) {
                    Poll::Ready(_) => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(sse::KEEP_ALIVE))))),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None)) || matches!(self, Self::Whole(Some(rest)) if rest.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

/// Takes the next piece of an answer; none at its end.
fn piece(whole: &mut Option<Bytes>) -> Option<Bytes> {
    let mut rest = whole.take().filter(|it| !it.is_empty())?;
    let piece = rest.split_to(rest.len().min(PIECE));
    *whole = Some(rest).filter(|it| !it.is_empty());
    Some(piece)
}
