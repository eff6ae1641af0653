//! Standing: a question that is put to a server in the background, until it has been answered, and again when that may be out
//! of date.
//!
//! What is asked, and what becomes of the answer, is the business of who asks.
//!
//! # Invariants
//! - `STAND-1`: nobody waits for the answer.
//! - `STAND-2`: a server that cannot speak yet is asked again; between any two questions there is a pause, and never are two on
//!   their way.
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
    /// A question is on its way, or the last one was not long ago.
    busy: AtomicBool,
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
        Arc::new(Self { stale: AtomicBool::new(true), busy: AtomicBool::new(false) })
    }

    /// Asks, where nobody has asked yet.
    pub(super) fn ask<F>(self: &Arc<Self>, asking: impl FnOnce() -> F)
    where
        F: Future<Output = Heard> + Send + 'static,
    {
        if !self.stale.load(Ordering::Relaxed) || self.busy.swap(true, Ordering::AcqRel) {
            return;
        }
        self.stale.store(false, Ordering::Relaxed);
        let (this, asking) = (self.clone(), asking());
        #[expect(
            clippy::disallowed_methods,
            reason = "bounded by WAIT, and a server that was not asked in time is asked again"
        )]
        tokio::spawn(async move {
            let (pause, all) = match tokio::time::timeout(WAIT, asking).await {
                Ok(Heard::All) => (PAUSE, true),
                Ok(Heard::NothingFor(pause)) => (pause, false),
                Ok(Heard::Nothing) | Err(_) => (PAUSE, false),
            };
            tokio::time::sleep(pause).await;
            if !all {
                this.doubt();
            }
            this.busy.store(false, Ordering::Release);
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

    /// A question that counts how often it is put.
    fn put(standing: &Arc<Standing>, asked: &Arc<AtomicUsize>) {
        let asked = asked.clone();
        standing.ask(|| async move {
            asked.fetch_add(1, Ordering::Relaxed);
            Heard::All
        });
    }

    #[tokio::test(start_paused = true)]
    async fn stand_1_stand_2_a_question_is_put_once_and_again_when_its_answer_is_in_doubt_but_not_at_once() {
        let (standing, asked) = (Standing::new(), Arc::new(AtomicUsize::new(0)));
        let count = || asked.load(Ordering::Relaxed);
        put(&standing, &asked);
        put(&standing, &asked);
        assert_eq!(count(), 0, "nobody waits");
        tokio::time::sleep(2 * PAUSE).await;
        put(&standing, &asked);
        tokio::time::sleep(2 * PAUSE).await;
        assert_eq!(count(), 1, "it has spoken");
        // A server that fails again and again, between answers.
        let begun = tokio::time::Instant::now();
        for _ in 0..1_000 {
            standing.doubt();
            put(&standing, &asked);
            tokio::time::sleep(PAUSE / 100).await;
        }
        let pauses = begun.elapsed().div_duration_f64(PAUSE);
        let again = (count() - 1) as f64;
        assert!(pauses > 9.0 && (again - pauses).abs() <= 2.0, "{again} in {pauses} pauses");
    }
}
