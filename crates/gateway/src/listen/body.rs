//! The body of a response: all at once, or the events of a stream as they come.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use hyper::body::{Frame, SizeHint};
use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval_at},
};

use crate::{driver::request::Presence, protocol::oip_grpc::status::Code, reply::GRPC_STATUS, rope::Rope, sse};

/// A stream that is silent this long gets a comment, so that nobody in between takes it for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The body of a response.
#[derive(Debug)]
pub(crate) enum Body {
    Whole(Rope),
    Stream(Stream),
    /// Messages of gRPC, and how they end.
    Messages(Messages),
}

/// Messages of gRPC.
#[derive(Debug)]
pub(crate) struct Messages {
    /// What of the last one is to be sent.
    rest: Rope,
    /// Where others come from; none where there is only one.
    others: Option<mpsc::Receiver<Said>>,
    end: Option<HeaderMap>,
}

/// What a stream of messages says next.
#[derive(Debug)]
pub(crate) enum Said {
    /// A message, with its length before it.
    Message(Rope),
    /// How it ended.
    End(HeaderMap),
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

    /// Makes the answer of a call of one message, which went well.
    pub(super) fn message(message: Rope) -> Self {
        let end = HeaderMap::from_iter([(HeaderName::from_static(GRPC_STATUS), HeaderValue::from(Code::OK.0))]);
        Self::Messages(Messages { rest: message, others: None, end: Some(end) })
    }

    /// Makes the answer of a call of several; where nobody says how it ends, its client is told that nobody knows.
    pub(super) fn messages(others: mpsc::Receiver<Said>) -> Self {
        Self::Messages(Messages { rest: Rope::default(), others: Some(others), end: None })
    }

    /// Notes that the client does not read it; without that, one that is dropped has a client that is gone.
    pub(super) fn leave_unread(&mut self) {
        if let Self::Stream(Stream { presence: Some(presence), .. }) = self {
            presence.leave_unread();
        }
    }
}

impl From<Rope> for Body {
    fn from(rope: Rope) -> Self {
        Self::Whole(rope)
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(whole) => Poll::Ready(whole.next_piece().map(|it| Ok(Frame::data(it)))),
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
            Self::Messages(messages) => messages.poll(context).map(|frame| frame.map(Ok)),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(rest) if rest.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(rope) => rope.size_hint(),
            Self::Stream(_) | Self::Messages(_) => SizeHint::default(),
        }
    }
}

impl Messages {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        loop {
            if let Some(piece) = self.rest.next_piece() {
                return Poll::Ready(Some(Frame::data(piece)));
            }
            let Some(others) = &mut self.others else { return Poll::Ready(self.end.take().map(Frame::trailers)) };
            match others.poll_recv(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Said::Message(message))) => self.rest = message,
                Poll::Ready(Some(Said::End(end))) => (self.others, self.end) = (None, Some(end)),
                Poll::Ready(None) => (self.others, self.end) = (None, Some(lost())),
            }
        }
    }
}

/// How a stream ends of which nobody has said how.
fn lost() -> HeaderMap {
    let code = HeaderValue::from(Code::INTERNAL.0);
    HeaderMap::from_iter([(HeaderName::from_static(GRPC_STATUS), code)])
}
