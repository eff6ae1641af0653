//! Standing: a question that is put to a server in the background, until it has been answered, and again when that may be out
//! of date.
//!
//! What is asked, and what becomes of the answer, is the business of who asks.
//!
//! # Invariants
//! - `STAND-1`: nobody waits for the answer.
//! - `STAND-2`: a server that cannot speak yet is asked again, with a pause in between.
//!
//! # Source
//! `docs/design/protocols.md`, sections 2.4 and 3.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How long a server is given to answer.
pub(super) const WAIT: Duration = Duration::from_secs(2);
/// How long one that could not speak is left alone: a server that starts gets four questions a second, not one for each
/// inference.
const PAUSE: Duration = Duration::from_millis(250);

/// A question, and whether it is to be put.
#[derive(Debug)]
pub(super) struct Standing {
    /// Nobody has asked since the server was last out of reach.
    stale: AtomicBool,
}

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// All that there is to be said.
    All,
    /// Nothing: it could not speak, as one that starts behind a proxy.
    Nothing,
    /// Nothing, and that will not change soon: it is to be left alone for so long.
    NothingFor(Duration),
}

impl Standing {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { stale: AtomicBool::new(true) })
    }

    /// Asks, where nobody has asked yet.
    pub(super) fn ask<F>(self: &Arc<Self>, asking: impl FnOnce() -> F)
    where
        F: Future<Output = Heard> + Send + 'static,
    {
        if !self.stale.swap(false, Ordering::Relaxed) {
            return;
        }
        let (this, asking) = (self.clone(), asking());
        #[expect(
            clippy::disallowed_methods,
            reason = "bounded by WAIT, and a server that was not asked in time is asked again"
        )]
        tokio::spawn(async move {
            let pause = match tokio::time::timeout(WAIT, asking).await {
                Ok(Heard::All) => return,
                Ok(Heard::NothingFor(pause)) => pause,
                Ok(Heard::Nothing) | Err(_) => PAUSE,
            };
            tokio::time::sleep(pause).await;
            this.doubt();
        });
    }

    /// A server that could not be reached may come back as another one: it is asked again when it answers.
    pub(super) fn doubt(&self) {
        self.stale.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[tokio::test]
    async fn stand_1_a_question_is_put_once_and_again_when_its_answer_is_in_doubt() {
        let (standing, asked) = (Standing::new(), Arc::new(AtomicUsize::new(0)));
        let put = || {
            let asked = asked.clone();
            standing.ask(|| async move {
                asked.fetch_add(1, Ordering::Relaxed);
                Heard::All
            });
        };
        let settled = async || {
            while Arc::strong_count(&standing) > 1 {
                tokio::task::yield_now().await;
            }
            asked.load(Ordering::Relaxed)
        };
        put();
        put();
        assert_eq!(asked.load(Ordering::Relaxed), 0, "nobody waits");
        assert_eq!(settled().await, 1);
        put();
        assert_eq!(settled().await, 1, "it has spoken");
        standing.doubt();
        put();
        put();
        assert_eq!(settled().await, 2);
    }
}
