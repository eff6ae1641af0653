//! Path: one way to answer, behind one trait, and the registry of its kinds, one line a kind.
//!
//! A path knows what it calls and nothing of clients, tiers or deadlines: it is started, it reports pieces, and it is
//! stopped by being dropped.
//!
//! A new kind is a file here, a line in the registry below, and the same two in `config/schema/path`.

use std::{borrow::Cow, future::Future, pin::Pin, sync::Arc};

use bytes::{Bytes, BytesMut};
use evenkeel_config::{Kind, PathSpec, Post};
use evenkeel_core::{Nanos, ResultCode};
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::mpsc;

use crate::{
    ask::Ask,
    bill::Counts,
    cache::{Came, Similar},
    calibration::Scale,
    clock::Clock,
    judge::Judged,
    post::Posted,
    protocol::{
        json::Reader,
        openai::{
            envelope::{Changes, Envelope, Identity},
            scan::{Said, Says, scan},
        },
    },
    rope,
    sse::{self, Event},
    tensor::{InferAnswer, Known, Mapping},
    upstream::{Call, Upstream, in_body},
};

/// One way to answer.
pub(crate) trait Path: Send + Sync {
    /// Makes one attempt, and returns how it ended. Pieces of a stream go out before.
    fn attempt(self: Arc<Self>, ask: Arc<Ask>, call: Call, pieces: Pieces) -> Attempting;

    /// Answers at once, without anything that can fail, with the object `evenkeel` in it; none for a path that can.
    fn certain(&self, _ask: &Ask, _evenkeel: &str) -> Option<Certain> {
        None
    }

    /// Returns the file that it computes with; none for a path that computes with none.
    fn model(&self) -> Option<&Arc<ModelFile>> {
        None
    }

    /// Says why it cannot answer, as far as is known without asking it, for those who look after it.
    fn unready(&self) -> Option<String> {
        None
    }

    /// Returns what the steps of its route did to an answer that is certain, when it was made ready.
    fn posted(&self) -> &[Posted] {
        &[]
    }
}

/// An attempt on its way; dropping it stops it and closes what it called.
pub(crate) type Attempting = Pin<Box<dyn Future<Output = Ended> + Send>>;

/// Where the pieces of a stream go; none where no stream was asked for.
pub(crate) type Pieces = Option<mpsc::Sender<Piece>>;

/// A piece of a stream.
#[derive(Debug)]
pub(crate) enum Piece {
    /// The headers that go to the client, and who answers, before everything else.
    Begin(HeaderMap, Arc<str>),
    /// One event, and what it means.
    Event(Chunk, Meaning),
    /// The last event of a stream in which a malformed one was left out.
    Last(Chunk),
    /// A malformed event was left out, which is a failure where nothing was sent yet (F-128).
    Skipped,
    /// It has said so many tokens in ten seconds, which is less than a stream of its path must (F-029).
    Slow(u64),
    /// A sign of life that is not forwarded.
    Alive,
}

/// One event of a stream, looked at.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub(crate) event: Event,
    /// Where something of ours can be inserted.
    pub(crate) envelope: Envelope,
    /// What it says to a client.
    pub(crate) says: Says,
    /// What it costs.
    pub(crate) counts: Counts,
}

impl Chunk {
    /// Returns its text, decoded; none where it has none, or more than that.
    pub(crate) fn text(&self) -> Option<Cow<'_, str>> {
        let span = self.says.text.clone().filter(|_| !self.says.other)?;
        // It was scanned, so it can be read.
        Some(Reader::new(&self.event.data[span], 1).ok()?.string().ok()?.decode())
    }

    /// Writes it as part of another stream, from a byte of its text on.
    pub(crate) fn adopt(&self, part: Part<'_>, from: usize) -> Bytes {
        let Part { identity, model, evenkeel, usage } = part;
        let text = self.text().filter(|_| from > 0);
        let rest = self.says.text.clone().zip(text.as_deref().map(|text| &text[from..]));
        let changes = Changes { evenkeel, model, identity: Some(identity), text: rest, usage };
        sse::write_event(&self.envelope.change(&self.event.data, changes))
    }

    /// Makes an event of other bytes, where they are one. What it cost stays what it was: the model has said it.
    pub(crate) fn remade(&self, data: Bytes) -> Option<Self> {
        let scan = scan(&data, Said::Delta).ok()?;
        Some(Self { event: Event::of(data), envelope: scan.envelope, says: scan.says, counts: self.counts })
    }

    /// Counts the characters that a client can use; what is no text is counted by its bytes.
    pub(crate) fn characters(&self) -> usize {
        match self.text() {
            Some(text) => text.chars().count(),
            None if self.says.text.is_some() || self.says.other => self.event.data.len(),
            None => 0,
        }
    }
}

/// What an event becomes as part of another stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    /// Whose part it becomes.
    pub(crate) identity: &'a Identity,
    /// Who has written it.
    pub(crate) model: &'a str,
    /// The object that is inserted.
    pub(crate) evenkeel: Option<&'a str>,
    /// What stands in place of its `usage`.
    pub(crate) usage: Option<&'a str>,
}

/// What an event of a stream means to the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Neither content nor reasoning.
    Nothing,
    /// A thought: alive, but not yet an answer.
    Reasoning,
    /// Something that a client can use.
    Content,
}

/// How an attempt ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) result: ResultCode,
    /// The status that came, where one came.
    pub(crate) status: Option<u16>,
    /// How long the server asked to be left alone, where it did.
    pub(crate) after: Option<Nanos>,
    pub(crate) left: Left,
}

/// What an attempt left behind.
#[derive(Debug, Default)]
pub(crate) enum Left {
    #[default]
    Nothing,
    /// A whole answer, who gave it, and where something of ours can be inserted.
    Answer { headers: HeaderMap, body: Bytes, envelope: Box<Envelope>, model: Arc<str>, counts: Counts },
    /// The tensors of an inference, accepted by the route's contract.
    Infer(InferAnswer),
    /// The same, and the rows of which its model is not sure enough, in ascending order (OIP-35).
    Judged(InferAnswer, Vec<usize>),
    /// A body that is whole and no answer, and what it cost.
    NoAnswer(Bytes, Counts),
    /// The body of an error, which may be the client's to see.
    Error(Bytes),
    /// The documents that were found, the best first, and the rest of what it left.
    Found(Search, Box<Left>),
    /// An earlier answer to other words, where one was found, and what came of looking for it.
    Near(Option<Similar>, Option<Came>),
    /// What only the shell knows of the attempt, and the rest of what it left.
    Noted(Box<Notes>, Box<Left>),
}

/// What only the shell knows of an attempt: the core decides nothing by it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Notes {
    /// By which rule how many rows were answered.
    pub(crate) rules: Vec<Ruled>,
    /// What the steps of its route did to its answer.
    pub(crate) posted: Vec<Posted>,
    /// How sure its model was, where somebody asked.
    pub(crate) judged: Option<Judged>,
}

/// Rows that a rule has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ruled {
    /// Its id; none where no rule held.
    pub(crate) rule: Option<String>,
    /// The rule whose condition could not be computed, so that `otherwise` was answered.
    pub(crate) failed: Option<String>,
    pub(crate) rows: u64,
}

impl Left {
    /// Adds what only the shell knows of the attempt.
    pub(crate) fn noted(self, notes: Notes) -> Self {
        if notes == Notes::default() { self } else { Self::Noted(notes.into(), self.into()) }
    }

    /// Takes out what only the shell knows of the attempt.
    pub(crate) fn notes(self) -> (Notes, Self) {
        match self {
            Self::Noted(notes, left) => (*notes, *left),
            Self::Found(documents, left) => {
                let (notes, left) = left.notes();
                (notes, Self::Found(documents, left.into()))
            }
            left => (Notes::default(), left),
        }
    }

    /// Takes out the documents that were found.
    pub(crate) fn documents(self) -> (Search, Self) {
        match self {
            Self::Found(search, left) => (search, *left),
            left => (Search::default(), left),
        }
    }
}

/// The file of a model that is computed in this process.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ModelFile {
    /// SHA-256 of its content, in hexadecimal digits.
    pub(crate) sha256: String,
    /// SHA-256 of the key that signed it, where one is asked for.
    pub(crate) signed_by: Option<String>,
}

/// What was looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Search {
    /// The documents that were found, the best first.
    pub(crate) documents: Vec<Found>,
    /// How the call ended of whoever says what a question means, or why none was made; none where the path has nobody who does.
    pub(crate) embedder: Option<Result<(), Unsaid>>,
    /// Bytes of the passages that a model had to read besides what was asked.
    pub(crate) added: usize,
}

/// A document that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) id: String,
    /// How well it fits, in thousandths, as it was compared.
    pub(crate) confidence_permille: u16,
    /// What the window of the model that read it has left of it; none where it was not too long for that.
    pub(crate) window: Option<Shortened>,
}

/// What a window has left of a passage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shortened {
    /// Its beginning.
    Cut,
    /// Nothing.
    LeftOut,
}

impl Shortened {
    /// Returns the name that records use.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::LeftOut => "left_out",
        }
    }
}

/// The answer of a path that cannot fail.
#[derive(Debug)]
pub(crate) enum Certain {
    /// In one piece.
    Whole(Bytes),
    /// As the events of a stream, to its end.
    Events(Vec<Bytes>),
    /// As tensors.
    Infer(InferAnswer),
}

impl Ended {
    /// An end with nothing to show.
    pub(crate) fn bare(result: ResultCode, status: Option<u16>) -> Self {
        Self { result, status, after: None, left: Left::Nothing }
    }

    /// Adds the documents that were found.
    pub(crate) fn with(self, search: Search) -> Self {
        Self { left: Left::Found(search, Box::new(self.left)), ..self }
    }
}

pub(crate) use retrieval::{Embedder, Unsaid};

mod queue;
mod workers;

macro_rules! registry {
    ($($file:ident: $kind:ident,)*) => {
        $(mod $file;)*

        /// Makes the path that a deployment describes.
        ///
        /// # Errors
        /// Why it can never answer: its model is damaged, or does not fit the route.
        pub(crate) fn build(site: Site<'_>) -> Result<Arc<dyn Path>, String> {
            match &site.spec.kind { $(Kind::$kind(kind) => $file::$kind::path(kind, site),)* }
        }
    };
}

registry! {
    ensemble: Ensemble,
    openai: Openai,
    oip: Oip,
    retrieval: Retrieval,
    cache: Cache,
    onnx: Onnx,
    rules: Rules,
    fixed: Fixed,
}

/// What a path is built from, besides its own fields.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) spec: &'a PathSpec,
    /// What the core holds of it.
    pub(crate) path: &'a evenkeel_core::Path,
    pub(crate) upstream: Option<&'a Arc<Upstream>>,
    /// Finds an upstream that it asks besides; none where paths are only tried.
    pub(crate) others: &'a dyn Fn(&str) -> Option<Arc<Upstream>>,
    /// What its route takes and gives, as far as that is known.
    pub(crate) known: &'a Arc<Known>,
    /// The scale that its scores are brought to, where it is another one.
    pub(crate) scale: Option<&'a Scale>,
    /// What its route does to every answer.
    pub(crate) post: &'a Arc<Post>,
    /// What time it is.
    pub(crate) clock: Clock,
    /// It is tier 0 of its route, whose model says what is not known.
    pub(crate) is_first: bool,
}

impl Site<'_> {
    /// Returns how what the path answers becomes what its route gives.
    fn mapping(self) -> Result<Mapping, String> {
        Ok(Mapping::new(self.spec, self.path, self.known.declared())?.on(self.scale))
    }
}

/// Reads a body up to a bound.
pub(crate) async fn read(mut body: Incoming, most: usize) -> Result<Bytes, ResultCode> {
    let declared = body.size_hint().exact().and_then(|it| usize::try_from(it).ok()).unwrap_or(0).min(most);
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| in_body(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > most {
            return Err(ResultCode::AnswerTooLarge);
        }
        if whole.capacity() - whole.len() < data.len() {
            whole.reserve(rope::trusted(declared, whole.len()).max(data.len()));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}
