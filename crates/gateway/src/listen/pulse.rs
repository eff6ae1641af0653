//! Pulse: what is known of a client's connection besides its bytes: what it speaks, what it waits for, whether it reads.
//!
//! # Invariants
//! - `PULSE-1`: an answer counts as unread from when the client could have it until it asks for more, and not while it is
//!   we who owe it something.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::Notify;

use super::body::Body;

/// What is known of one connection.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// Requests that came.
    asked: AtomicUsize,
    /// Requests that are not answered to their end.
    open: AtomicUsize,
    http2: AtomicBool,
    /// Bytes came, and none went since.
    heard: AtomicBool,
    /// Answers of which the client has not asked for more.
    unread: AtomicUsize,
    /// It has asked for more of one since somebody looked.
    moved: AtomicBool,
    /// The client did not read for too long.
    slow: AtomicBool,
    /// Requests that were taken back before they had an answer.
    taken_back: AtomicUsize,
    flooded: Notify,
}

/// Requests that a client may take back before it is looked at how many it has waited for.
const MOST_TAKEN_BACK: usize = 200;

impl Pulse {
    /// Notes a request; it is open for as long as what is returned lives.
    pub(super) fn ask(self: &Arc<Self>, http2: bool) -> Asked {
        self.asked.fetch_add(1, Relaxed);
        self.open.fetch_add(1, Relaxed);
        self.http2.store(http2, Relaxed);
        Asked { pulse: self.clone(), answered: false }
    }

    /// Waits until the client has taken back many requests, and more than it has waited for: it makes us start work that
    /// nobody wants (HP-10, the "rapid reset").
    pub(super) async fn flooded(&self) {
        self.flooded.notified().await;
    }

    fn take_back(&self) {
        let taken = self.taken_back.fetch_add(1, Relaxed) + 1;
        if taken >= MOST_TAKEN_BACK && 2 * taken > self.asked() {
            self.flooded.notify_one();
        }
    }

    /// Returns how many requests came.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(Relaxed)
    }

    /// Says whether nothing is under way, not even the beginning of a request.
    pub(super) fn is_idle(&self) -> bool {
        self.open.load(Relaxed) == 0 && !self.is_heard()
    }

    pub(super) fn is_http2(&self) -> bool {
        self.http2.load(Relaxed)
    }

    /// Says whether bytes came that nothing has answered.
    pub(super) fn is_heard(&self) -> bool {
        self.heard.load(Relaxed)
    }

    pub(super) fn hear(&self, heard: bool) {
        self.heard.store(heard, Relaxed);
    }

    /// Says whether answers wait for the client, and none has moved since this was last asked.
    pub(super) fn is_stuck(&self) -> bool {
        !self.moved.swap(false, Relaxed) && self.unread.load(Relaxed) > 0
    }

    /// Notes that the client has not read for too long.
    pub(super) fn give_up(&self) {
        self.slow.store(true, Relaxed);
    }
}

/// A request that is not answered to its end.
#[derive(Debug)]
pub(super) struct Asked {
    pulse: Arc<Pulse>,
    answered: bool,
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.pulse.open.fetch_sub(1, Relaxed);
        if !self.answered {
            self.pulse.take_back();
        }
    }
}

/// The body of a response, on a connection whose pulse is felt.
#[derive(Debug)]
pub(super) struct Watched {
    body: Body,
    asked: Asked,
    /// It counts as unread.
    unread: bool,
}

impl Watched {
    pub(super) fn new(body: Body, mut asked: Asked) -> Self {
        asked.answered = true;
        asked.pulse.unread.fetch_add(1, Relaxed);
        Self { body, asked, unread: true }
    }

    fn count(&mut self, unread: bool) {
        match (std::mem::replace(&mut self.unread, unread), unread) {
            (false, true) => drop(self.asked.pulse.unread.fetch_add(1, Relaxed)),
            (true, false) => drop(self.asked.pulse.unread.fetch_sub(1, Relaxed)),
            _ => {}
        }
    }
}

impl hyper::body::Body for Watched {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.asked.pulse.moved.store(true, Relaxed);
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.count(polled.is_ready());
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.count(false);
        if self.asked.pulse.slow.load(Relaxed) {
            self.body.leave_unread();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use hyper::body::Body as _;
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn cl_05_an_answer_is_unread_only_while_it_is_the_clients_turn() {
        let pulse = Arc::new(Pulse::default());
        let (sender, events) = mpsc::channel(4);
        let mut body = Watched::new(Body::stream(events, None), pulse.ask(true));
        let poll = |body: &mut Watched| Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop())).is_ready();
        assert!(pulse.is_stuck(), "PULSE-1: the head is out, and nobody asks for the rest");
        assert!(!poll(&mut body) && !pulse.is_stuck() && !pulse.is_stuck(), "it is we who owe an event");
        sender.try_send(Bytes::from_static(b"x")).expect("there is room");
        assert!(poll(&mut body) && !pulse.is_stuck(), "it has moved");
        assert!(pulse.is_stuck() && !pulse.is_idle());
        drop(body);
        assert!(!pulse.is_stuck() && pulse.is_idle());
    }

    #[tokio::test]
    async fn hp_10_only_who_takes_back_many_and_most_of_its_requests_is_a_flood() {
        let pulse = Arc::new(Pulse::default());
        (0..MOST_TAKEN_BACK).for_each(|_| drop(Watched::new(Body::from(Bytes::new()), pulse.ask(true))));
        (0..MOST_TAKEN_BACK).for_each(|_| drop(pulse.ask(true)));
        let flooded = async |pulse: &Pulse| {
            tokio::select! { biased; () = pulse.flooded() => true, () = std::future::ready(()) => false }
        };
        assert!(!flooded(&pulse).await, "as many as it waited for");
        drop(pulse.ask(true));
        assert!(flooded(&pulse).await);
    }
}
