//! Guarding: an input that cannot decide anything any more is judged beside the first attempt, and told in the record.

use std::{
    future::{Future, pending},
    pin::Pin,
};

use evenkeel_core::Decision;

use super::{Submission, Task, drift::Rows};
use crate::{
    clock::Clock,
    guard::{Judged, Meaning, Told},
};

/// Something about an input that is on its way.
enum Coming<T> {
    /// Nobody asks.
    Never,
    Soon(Pin<Box<dyn Future<Output = T> + Send>>),
    Here(T),
}

/// An input that is being judged.
pub(super) struct Judging {
    look: Coming<Judged>,
    meaning: Coming<Option<Meaning>>,
}

impl<T> Coming<T> {
    fn soon(it: Option<impl Future<Output = T> + Send + 'static>) -> Self {
        it.map_or(Self::Never, |it| Self::Soon(Box::pin(it)))
    }

    /// Waits until it is here; for ever, where it is, or nothing comes.
    async fn come(&mut self) {
        match self {
            Self::Soon(it) => {
                let here = it.await;
                *self = Self::Here(here);
            }
            Self::Never | Self::Here(_) => pending().await,
        }
    }

    /// Returns it once it is here.
    async fn here(self) -> Option<T> {
        match self {
            Self::Never => None,
            Self::Soon(it) => Some(it.await),
            Self::Here(it) => Some(it),
        }
    }

    /// Returns it where it is here, and `late` where it is on its way.
    fn so_far(self, late: T) -> Option<T> {
        match self {
            Self::Never => None,
            Self::Soon(_) => Some(late),
            Self::Here(it) => Some(it),
        }
    }
}

impl Judging {
    /// Begins to judge an input that was not judged before, and to ask what its text means, where that moves nothing; none where there is
    /// neither.
    pub(super) fn beside(it: &Submission, clock: Clock) -> Option<Self> {
        let guard = it.applied.guards[it.route.index()].clone();
        let look = guard.clone().filter(|_| it.judged.is_none()).map(|guard| {
            let ask = it.ask.clone();
            async move { guard.judge(&ask.question, &ask.body, (clock.now(), ask.question.oldest())).await }
        });
        let meaning = guard.filter(|guard| guard.has_encoder() && !guard.weighs_meaning()).map(|guard| {
            let (ask, meant) = (it.ask.clone(), it.meant.clone());
            let deadline = it.applied.deployment.revision.routes[it.route.index()].deadline;
            let left = it.terms.deadline.map_or(deadline, |it| it.min(deadline)).saturating_sub(it.terms.spent);
            let entropy = it.terms.entropy;
            async move { guard.meaning(&ask.body, (&meant, (entropy, left))).await }
        });
        let asks = look.is_some() || meaning.is_some();
        asks.then(|| Self { look: Coming::soon(look), meaning: Coming::soon(meaning) })
    }
}

/// Goes on with judging an input until something of it is here; for ever, where nothing comes.
pub(super) async fn go_on(judging: &mut Option<Judging>) {
    let Some(it) = judging else { return pending().await };
    tokio::select! {
        () = it.look.come() => {}
        () = it.meaning.come() => {}
    }
}

impl Task {
    /// Returns what guards found, and learns from what became of the request.
    pub(super) async fn guarded(&mut self, decision: &Decision) -> Option<Told> {
        let before = self.it.judged.take();
        let (judged, meaning) = match self.judging.take() {
            // Nobody waits for a meaning that moves nothing (FAR-2).
            Some(Judging { look, meaning }) => (look.here().await.or(before), meaning.so_far(Some(Meaning::LATE))),
            None => (before, None),
        };
        let Judged { mut told, seen, rows } = judged?;
        meaning.flatten().into_iter().for_each(|it| told.hear(it));
        self.rows = Rows { seen: rows, of: told.of, ..Rows::default() };
        let guard = self.it.applied.guards[self.it.route.index()].as_ref();
        if let (Some(risk), Some(seen)) = (guard.and_then(|it| it.risk.as_ref()), seen) {
            self.lesson = risk.learn(self.driver.clock.now(), seen, decision);
        }
        Some(told)
    }
}
