//! Pulse: what is known of a client's connection besides its bytes: what it speaks, what it waits for, what it took back.
//!
//! Whether it reads is the socket's to see, and, of one answer among several, that of `streams`.

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

use super::{body::Body, streams::Reading};

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

    /// Says whether every request that came is answered.
    pub(super) fn is_answered(&self) -> bool {
        self.open.load(Relaxed) == 0
    }

    /// Says whether nothing is under way, not even the beginning of a request.
    pub(super) fn is_idle(&self) -> bool {
        self.is_answered() && !self.is_heard()
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
    /// Whose turn it is, on HTTP/2.
    reading: Option<Arc<Reading>>,
}

impl Watched {
    pub(super) fn new(body: Body, mut asked: Asked) -> Self {
        asked.answered = true;
        let it = Self { body, asked, reading: Reading::here() };
        it.turn(true);
        it
    }

    fn turn(&self, clients: bool) {
        if let Some(reading) = &self.reading {
            reading.turn(clients);
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
        // To be asked is to have leave to send.
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.turn(polled.is_ready());
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
        if self.asked.pulse.slow.load(Relaxed) || self.reading.as_ref().is_some_and(|it| it.is_slow()) {
            self.body.leave_unread();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rope::Rope;

    #[tokio::test]
    async fn hp_10_only_who_takes_back_many_and_most_of_its_requests_is_a_flood() {
        let pulse = Arc::new(Pulse::default());
        (0..MOST_TAKEN_BACK).for_each(|_| drop(Watched::new(Body::from(Rope::default()), pulse.ask(true))));
        (0..MOST_TAKEN_BACK).for_each(|_| drop(pulse.ask(true)));
        let flooded = async |pulse: &Pulse| {
            tokio::select! { biased; () = pulse.flooded() => true, () = std::future::ready(()) => false }
        };
        assert!(!flooded(&pulse).await, "as many as it waited for");
        drop(pulse.ask(true));
        assert!(flooded(&pulse).await);
    }
}
