//! Streams: runs the answers of an HTTP/2 connection, each with a clock for a client that leaves it unread (CL-05).
//!
//! On HTTP/1 an answer has the socket for itself, and `socket` sees who does not read. On HTTP/2 a client can leave one
//! answer unread and take all the others, so each has a clock of its own.
//!
//! # Invariants
//! - `STREAMS-1`: an answer counts as unread from when the client could have it until there is leave to send more of it, and
//!   not while it is we who owe it something.
//! - `STREAMS-2`: one that is unread for `server.write` is reset; those beside it go on.
//!
//! # When it misleads
//! Leave comes by windows and by our buffers, not by what the client's program has taken: whatever a client has opened its
//! window for counts as read, and the last piece of an answer is handed over with its end, so nobody waits for that.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use hyper::rt::Executor;
use tokio::time::{Instant, Sleep};

tokio::task_local! {
    /// The answer that the running task sends.
    static READING: Arc<Reading>;
}

/// Whose turn it is with one answer.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// It is the client's.
    unread: AtomicBool,
    /// How often it was the client's turn.
    turns: AtomicUsize,
    slow: AtomicBool,
}

impl Reading {
    /// Returns that of the running task; none on HTTP/1.
    pub(super) fn here() -> Option<Arc<Self>> {
        READING.try_with(Arc::clone).ok()
    }

    /// Notes that it is the client's turn, or ours.
    pub(super) fn turn(&self, clients: bool) {
        self.unread.store(clients, Relaxed);
        if clients {
            self.turns.fetch_add(1, Relaxed);
        }
    }

    /// Says whether the client has left it unread for too long.
    pub(super) fn is_slow(&self) -> bool {
        self.slow.load(Relaxed)
    }
}

/// Runs the answers of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Streams {
    /// How long each may be left unread.
    pub(super) write: Duration,
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    #[expect(
        clippy::disallowed_methods,
        reason = "it ends with its connection, which holds a seat that a drain waits for"
    )]
    fn execute(&self, answer: F) {
        let reading = Arc::new(Reading::default());
        tokio::spawn(READING.scope(reading.clone(), run(answer, reading, self.write)));
    }
}

/// Sends one answer, until it is sent or was left unread for too long.
async fn run(answer: impl Future<Output = ()>, reading: Arc<Reading>, write: Duration) {
    let mut clock = Clock { write, turn: 0, waiting: None };
    // It is dropped with the clock's last word noted, so that its body knows why.
    let mut answer = pin!(answer);
    poll_fn(|context| match answer.as_mut().poll(context) {
        Poll::Pending => clock.poll(context, &reading),
        Poll::Ready(()) => Poll::Ready(()),
    })
    .await;
}

/// Waits with a client whose turn it is.
struct Clock {
    write: Duration,
    /// The turn that is waited for.
    turn: usize,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Clock {
    fn poll(&mut self, context: &mut Context<'_>, reading: &Reading) -> Poll<()> {
        if !reading.unread.load(Relaxed) {
            return Poll::Pending;
        }
        let until = Instant::now() + self.write;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if std::mem::replace(&mut self.turn, reading.turns.load(Relaxed)) != reading.turns.load(Relaxed) {
            waiting.as_mut().reset(until);
        }
        if waiting.as_mut().poll(context).is_ready() {
            reading.slow.store(true, Relaxed);
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITE: Duration = Duration::from_millis(20);

    /// Lets an answer run that has begun, and says whether it was left for being unread.
    async fn left(answer: impl AsyncFnOnce(&Reading)) -> bool {
        let reading = Arc::new(Reading::default());
        run(answer(&reading), reading.clone(), WRITE).await;
        reading.is_slow()
    }

    #[tokio::test]
    async fn cl_05_an_answer_is_left_only_while_it_is_the_clients_turn_for_too_long() {
        assert!(!left(async |_| tokio::time::sleep(2 * WRITE).await).await, "nothing is answered yet");
        let unread = async |it: &Reading| {
            it.turn(true);
            std::future::pending().await
        };
        assert!(left(unread).await);
        let owed = async |it: &Reading| {
            it.turn(true);
            it.turn(false);
            tokio::time::sleep(2 * WRITE).await;
        };
        assert!(!left(owed).await, "it is we who owe an event");
        let read = async |it: &Reading| {
            for _ in 0..40 {
                it.turn(true);
                tokio::time::sleep(WRITE / 20).await;
            }
        };
        assert!(!left(read).await, "each piece that is taken starts the clock anew");
    }
}
