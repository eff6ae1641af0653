//! The client, as the task of its request sees it: one reply, perhaps a stream, and whether anybody is still there.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};

use crate::reply::Reply;

/// Events that wait for a client to read them.
const EVENTS: usize = 64;
/// The least time between two excuses, whatever clock they are for.
const SHORTEST: Duration = Duration::from_millis(1);
/// No path is to be excused while the client does not read.
pub(super) const UNEXCUSED: Option<(Duration, fn())> = None;

/// One client.
#[derive(Debug)]
pub(super) struct Client {
    reply: Option<oneshot::Sender<Reply>>,
    events: Option<mpsc::Sender<Bytes>>,
    gone: Option<oneshot::Receiver<Unread>>,
    /// How long it may leave its stream unread (CL-05).
    write: Duration,
}

/// Why a client did not get an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is gone.
    Gone,
    /// It has not read for too long.
    Slow,
}

/// Says that somebody waits for the answer, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Presence {
    alive: Option<oneshot::Sender<Unread>>,
}

impl Presence {
    /// Makes one, and what hears of its end.
    pub(super) fn new() -> (Self, oneshot::Receiver<Unread>) {
        let (alive, gone) = oneshot::channel();
        (Self { alive: Some(alive) }, gone)
    }

    /// Says that whoever waits does not read; a guard that is just dropped says that nobody waits.
    pub(crate) fn leave_unread(&mut self) {
        if let Some(alive) = self.alive.take() {
            // The request may be over.
            let _ = alive.send(Unread::Slow);
        }
    }
}

impl Client {
    pub(super) fn new(reply: oneshot::Sender<Reply>, gone: oneshot::Receiver<Unread>, write: Duration) -> Self {
        Self { reply: Some(reply), events: None, gone: Some(gone), write }
    }

    pub(super) fn is_streaming(&self) -> bool {
        self.events.is_some()
    }

    /// Waits until the client goes, and says once why.
    pub(super) async fn gone(&mut self) -> Unread {
        match &mut self.gone {
            Some(gone) => {
                let why = gone.await;
                self.gone = None;
                why.unwrap_or(Unread::Gone)
            }
            None => std::future::pending().await,
        }
    }

    /// Says why nobody takes events any more.
    fn closed(&mut self) -> Unread {
        let why = self.gone.take().and_then(|mut gone| gone.try_recv().ok());
        why.unwrap_or(Unread::Gone)
    }

    /// Sends the whole reply; only the first is heard.
    pub(super) fn reply(&mut self, reply: Reply) {
        if let Some(sender) = self.reply.take() {
            // Nobody may be waiting any more, which `gone` says.
            let _ = sender.send(reply);
        }
    }

    /// Sends the head of a stream.
    pub(super) fn begin(&mut self, headers: HeaderMap) {
        let (sender, events) = mpsc::channel(EVENTS);
        self.events = Some(sender);
        self.reply(Reply::Stream { headers, events });
    }

    /// Sends an event. While the client does not read, the excuse is called at once, and again each time its time is over.
    pub(super) async fn send(&mut self, event: Bytes, excuse: Option<(Duration, impl Fn())>) -> Result<(), Unread> {
        let Some(sender) = &self.events else { return Err(Unread::Gone) };
        let event = match sender.try_send(event) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Closed(_)) => return Err(self.closed()),
            Err(TrySendError::Full(event)) => event,
        };
        let (sender, mut left) = (sender.clone(), self.write);
        while !left.is_zero() {
            let mut wait = left;
            if let Some((often, excuse)) = &excuse {
                wait = left.min(*often).max(SHORTEST);
                excuse();
            }
            match tokio::time::timeout(wait, sender.reserve()).await {
                Ok(Ok(permit)) => {
                    permit.send(event);
                    return Ok(());
                }
                Ok(Err(_)) => return Err(self.closed()),
                Err(_) => left = left.saturating_sub(wait),
            }
        }
        Err(Unread::Slow)
    }

    /// Sends an event if there is room for it now.
    pub(super) fn offer(&self, event: Bytes) {
        if let Some(sender) = &self.events {
            // Without room nobody reads it in any case.
            let _ = sender.try_send(event);
        }
    }
}
