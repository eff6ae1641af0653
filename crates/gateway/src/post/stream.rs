//! Stream: the pieces of an answer on their way to a client, of each of which the end may be held back.
//!
//! What is held back of a text goes out with the piece that decides it: the next one, or the one with which its choice ends.

use std::{collections::BTreeMap, sync::Arc};

use evenkeel_config::{Changes, Post, Stream};
use evenkeel_core::ResultCode;
use tokio::sync::mpsc::{Receiver, Sender};

use super::{
    Unfit,
    chat::{Choice, choices, quoted, said, text},
    guarded, told,
};
use crate::{
    path::{Attempting, Chunk, Ended, Meaning, Notes, Piece},
    protocol::{
        openai::scan::Said,
        patch::{Patch, patched},
    },
};

/// Which text of a stream: its choice, and its key.
type Place = (u64, &'static str);

/// Follows an attempt, and sends its pieces on.
pub(super) async fn follow(
    mut attempt: Attempting,
    (out, mut pieces): (Sender<Piece>, Receiver<Piece>),
    post: Arc<Post>,
    sent: usize,
) -> Ended {
    let mut filter = Filter { post: &post, sent, texts: BTreeMap::new(), changes: Changes::default() };
    let (mut open, mut ended) = (true, None);
    let (ended, failed) = loop {
        tokio::select! {
            biased;
            piece = pieces.recv(), if open => match piece {
                None => open = false,
                Some(piece) => match guarded(|| filter.piece(piece)) {
                    Ok(piece) => drop(out.send(piece).await),
                    Err(unfit) => break (Ended::bare(unfit.result(), Some(200)), unfit.step()),
                },
            },
            it = &mut attempt, if ended.is_none() => ended = Some(it),
        }
        // Its pieces come before the end that followed them.
        if let (false, Some(ended)) = (open, ended.take_if(|_| !open)) {
            break (ended, None);
        }
    };
    let (notes, left) = ended.left.notes();
    let notes = Notes { posted: told(&post, &filter.changes, failed), ..notes };
    Ended { left: left.noted(notes), ..ended }
}

/// The texts of a stream on their way.
struct Filter<'p> {
    post: &'p Post,
    /// Characters that were sent of its answer before.
    sent: usize,
    texts: BTreeMap<Place, Stream>,
    changes: Changes,
}

impl Filter<'_> {
    fn piece(&mut self, piece: Piece) -> Result<Piece, Unfit> {
        Ok(match piece {
            Piece::Event(chunk, meaning) => {
                let chunk = self.chunk(chunk)?;
                let meaning = match meaning {
                    // It has spoken, and nothing of that can be used yet.
                    Meaning::Content if !has_content(&chunk) => Meaning::Reasoning,
                    Meaning::Reasoning | Meaning::Nothing if has_content(&chunk) => Meaning::Content,
                    meaning => meaning,
                };
                Piece::Event(chunk, meaning)
            }
            Piece::Last(chunk) => Piece::Last(self.chunk(chunk)?),
            piece => piece,
        })
    }

    fn chunk(&mut self, chunk: Chunk) -> Result<Chunk, Unfit> {
        let data = chunk.event.data.clone();
        let mut patches = Vec::new();
        for choice in choices(&data, Said::Delta).map_err(|_| Unfit::Form(ResultCode::GuardOutput))? {
            self.choice(&data, choice, &mut patches)?;
        }
        if patches.is_empty() { Ok(chunk) } else { remade(&chunk, patched(&data, patches)) }
    }

    fn choice(&mut self, data: &[u8], choice: Choice, patches: &mut Vec<Patch>) -> Result<(), Unfit> {
        if choice.odd {
            return Err(Unfit::Form(ResultCode::GuardOutput));
        }
        let ends = |key: &str| choice.finished || (choice.other && key == "content");
        for (key, place) in &choice.texts {
            let said_now = text(data, place)?;
            let (post, sent) = (self.post, self.sent);
            let stream = self.texts.entry((choice.index, key)).or_insert_with(|| post.stream(said(key), sent));
            let mut made = stream.push(&said_now, &mut self.changes);
            if ends(key) {
                made += &stream.end(&mut self.changes);
                self.texts.remove(&(choice.index, *key));
            }
            if made != said_now {
                patches.push((place.clone(), quoted(&made)));
            }
        }
        let keys: Vec<_> = self.texts.keys().filter(|it| it.0 == choice.index && ends(it.1)).copied().collect();
        for place in keys {
            let Some(mut stream) = self.texts.remove(&place) else { continue };
            let rest = stream.end(&mut self.changes);
            if let (false, Some((at, empty))) = (rest.is_empty(), choice.inside) {
                patches.push((at..at, member(place.1, &rest, empty)));
            }
        }
        patches.extend(choice.without_unseen(self.post));
        // The pieces are cut otherwise than their words.
        patches.extend(choice.logprobs.map(|place| (place, b"null".to_vec())));
        Ok(())
    }
}

/// Writes a member for the beginning of an object.
fn member(key: &str, text: &str, alone: bool) -> Vec<u8> {
    let comma: &[u8] = if alone { b"" } else { b"," };
    [b"\"", key.as_bytes(), b"\":", &quoted(text), comma].concat()
}

fn has_content(chunk: &Chunk) -> bool {
    chunk.says.text.is_some() || chunk.says.other
}

fn remade(chunk: &Chunk, data: bytes::Bytes) -> Result<Chunk, Unfit> {
    chunk.remade(data).ok_or(Unfit::Form(ResultCode::GuardOutput))
}

/// Does to a stream that is held to its end what is done to the whole answer: each text stands in the first event that has some
/// of it.
pub(super) fn whole(chunks: Vec<Chunk>, post: &Post, changes: &mut Changes) -> Result<Vec<Chunk>, Unfit> {
    let mut texts: BTreeMap<Place, String> = BTreeMap::new();
    let mut found = Vec::with_capacity(chunks.len());
    for chunk in &chunks {
        let in_it = choices(&chunk.event.data, Said::Delta).map_err(|_| Unfit::Form(ResultCode::GuardOutput))?;
        for choice in &in_it {
            if choice.odd {
                return Err(Unfit::Form(ResultCode::GuardOutput));
            }
            for (key, place) in &choice.texts {
                *texts.entry((choice.index, key)).or_default() += &text(&chunk.event.data, place)?;
            }
        }
        found.push(in_it);
    }
    let mut made = BTreeMap::new();
    for (place, text) in texts.into_iter().filter(|it| !it.1.is_empty()) {
        let it = post.text(&text, said(place.1), changes)?;
        if it.is_empty() && place.1 == "content" {
            return Err(Unfit::Form(ResultCode::GuardOutput));
        }
        if it != text {
            made.insert(place, it);
        }
    }
    let changed: Vec<Place> = made.keys().copied().collect();
    let rewrite = |(chunk, choices): (Chunk, Vec<Choice>)| {
        let mut patches: Vec<Patch> = Vec::new();
        for choice in choices {
            let before = patches.len();
            for (key, place) in choice.texts.iter().filter(|it| changed.contains(&(choice.index, it.0))) {
                patches.push((place.clone(), quoted(&made.remove(&(choice.index, *key)).unwrap_or_default())));
            }
            patches.extend(choice.without_unseen(post));
            if patches.len() > before {
                patches.extend(choice.logprobs.map(|place| (place, b"null".to_vec())));
            }
        }
        if patches.is_empty() { Ok(chunk) } else { remade_of(&chunk, patches) }
    };
    chunks.into_iter().zip(found).map(rewrite).collect()
}

fn remade_of(chunk: &Chunk, patches: Vec<Patch>) -> Result<Chunk, Unfit> {
    remade(chunk, patched(&chunk.event.data, patches))
}
