//! Guarding: an input that cannot decide anything any more is judged beside the first attempt, and told in the record.

use std::{future::pending, pin::Pin};

use evenkeel_core::Decision;

use super::{Submission, Task, drift::Rows};
use crate::{
    clock::Clock,
    guard::{Judged, Told},
};

/// An input that is being judged.
pub(super) type Judging = Pin<Box<dyn Future<Output = Judged> + Send>>;

/// Begins to judge an input that was not judged before; none where nothing is asked of it.
pub(super) fn beside(it: &Submission, clock: Clock) -> Option<Judging> {
    let guard = it.applied.guards[it.route.index()].clone().filter(|_| it.judged.is_none())?;
    let ask = it.ask.clone();
    Some(Box::pin(async move { guard.judge(&ask.question, &ask.body, (clock.now(), ask.question.oldest())).await }))
}

/// Waits until an input is judged; for ever, where none is.
pub(super) async fn next(judging: &mut Option<Judging>) -> Judged {
    match judging {
        Some(it) => {
            let judged = it.await;
            *judging = None;
            judged
        }
        None => pending().await,
    }
}

impl Task {
    /// Returns what guards found, and learns from what became of the request.
    pub(super) async fn guarded(&mut self, decision: &Decision) -> Option<Told> {
        if let Some(judging) = self.judging.take() {
            self.it.judged = Some(judging.await);
        }
        let Judged { told, seen, rows } = self.it.judged.take()?;
        self.rows = Rows { seen: rows, of: told.of, ..Rows::default() };
        let guard = self.it.applied.guards[self.it.route.index()].as_ref();
        if let (Some(risk), Some(seen)) = (guard.and_then(|it| it.risk.as_ref()), seen) {
            self.lesson = risk.learn(self.driver.clock.now(), seen, decision);
        }
        Some(told)
    }
}
