//! What is learned of a server, and of a model on it, while it answers.

use std::sync::Arc;

use super::{dialect::Spoken, model::Model};
use crate::{protocol::oip_rest::Dialect, upstream::Upstream};

/// What a path learns of its server.
pub(super) struct Learned {
    upstream: Arc<Upstream>,
    dialect: Arc<Spoken>,
    /// None where the file says what the model takes, or another tier's model does.
    model: Option<Arc<Model>>,
}

impl Learned {
    /// Begins to learn.
    pub(super) fn new(upstream: Arc<Upstream>, model: Option<Arc<Model>>) -> Self {
        let dialect = Spoken::new(upstream.dialect());
        dialect.ask(&upstream, 0);
        Self { upstream, dialect, model }
    }

    /// Returns what the server understands, as far as that is known.
    pub(super) fn dialect(&self) -> Dialect {
        self.dialect.now()
    }

    /// A replica has answered: it can say what is not known yet.
    pub(super) fn ask(&self, replica: usize) {
        self.dialect.ask(&self.upstream, replica);
        self.model.iter().for_each(|model| model.ask(replica));
    }

    /// The server was out of reach, and may come back as another one.
    pub(super) fn doubt(&self) {
        self.dialect.doubt();
        self.model.iter().for_each(|model| model.doubt());
    }
}
