//! Meant: what the last words of one request mean, asked of each encoder once, whoever wants to know it.
//!
//! # Invariants
//! - `MEANT-1`: of the same words an encoder is asked once a request, also where it has not said it: no request waits twice.
//! - `MEANT-2`: who waits for what another one has asked waits no longer than it may itself.

use std::{fmt, sync::Arc, time::Duration};

use evenkeel_core::{Nanos, ResultCode};
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::{
    path::{Embedder, Unsaid},
    upstream::Repute,
};

/// What an encoder said of some words.
type Said = Result<Arc<[f32]>, Unsaid>;

/// What the last words of a request mean.
pub(crate) struct Meant {
    asked: Mutex<Vec<Asked>>,
    /// The request may go to some regions only, or to nobody but who answers it (F-036, F-151): where an encoder is is not known.
    pub(crate) stays: bool,
}

struct Asked {
    whom: Arc<Repute>,
    words: Box<str>,
    said: Arc<OnceCell<Said>>,
}

impl fmt::Debug for Meant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meant").field("stays", &self.stays).finish_non_exhaustive()
    }
}

impl Meant {
    /// Knows nothing yet.
    pub(crate) fn new(stays: bool) -> Self {
        Self { asked: Mutex::default(), stays }
    }

    /// Returns what words mean, as an encoder says or has said; `moment` is entropy, and the time that is left.
    pub(crate) async fn of(&self, embedder: &Embedder, words: &str, moment: (u64, Nanos)) -> Said {
        // What is asked about is no more than this, and so it is the same question.
        let words = &words[..words.floor_char_boundary(evenkeel_signals::text::MEANT)];
        let (said, is_first) = self.place(embedder, words);
        let ask = said.get_or_init(|| async { embedder.vector(words, moment).await.map(Arc::from) });
        if is_first {
            // It has a clock of its own, which tells its breaker.
            return ask.await.clone();
        }
        let wait = Duration::from_nanos(embedder.budget(moment.1));
        let late = Err(Unsaid::Failed(ResultCode::TotalTimeout));
        tokio::time::timeout(wait, ask).await.map_or(late, Clone::clone)
    }

    /// Returns where it is said, and whether nobody has asked before.
    fn place(&self, embedder: &Embedder, words: &str) -> (Arc<OnceCell<Said>>, bool) {
        let mut asked = self.asked.lock();
        if let Some(it) = asked.iter().find(|it| embedder.is_of(&it.whom) && *it.words == *words) {
            return (it.said.clone(), false);
        }
        let said = Arc::<OnceCell<Said>>::default();
        asked.push(Asked { whom: embedder.repute().clone(), words: words.into(), said: said.clone() });
        (said, true)
    }
}
