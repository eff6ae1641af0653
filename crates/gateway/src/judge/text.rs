//! Text: how sure a model was of a completion, by the log-probabilities of its tokens: they are asked for where the client did not, and it
//! gets none that it did not ask for (JUDGE-1).

use std::{collections::BTreeMap, sync::Arc};

use evenkeel_config::{Accept, Logprobs};

use super::{Asked, Judged};
use crate::{
    ask::{Ask, Question},
    path::{Attempting, Chunk, Ended, Left, Path, Pieces},
    protocol::openai::{
        answer::judge_chat,
        logprobs::{Choice, left_out, read},
        peek::ChatPeek,
        scan::Said,
    },
    upstream::Call,
};

/// Makes an attempt, and has its answer looked at; a stream is looked at where it is held ([`held`]).
pub(crate) fn attempt(
    path: Arc<dyn Path>,
    ask: &Arc<Ask>,
    (call, out): (Call, Pieces),
    (accept, asked): (Accept, Asked),
) -> Attempting {
    let (asking, ask) = (ask.asking_logprobs().map_or_else(|| ask.clone(), Arc::new), ask.clone());
    Box::pin(async move {
        let ended = path.attempt(asking, call, out).await;
        let Question::Chat(peek) = &ask.question else { return ended };
        if ask.is_stream() || !ended.result.is_ok() {
            return ended;
        }
        let (mut notes, left) = ended.left.notes();
        let (left, judged) = looked_at(left, peek, (&accept, asked));
        notes.judged = judged;
        Ended { left: left.noted(notes), ..ended }
    })
}

fn looked_at(left: Left, peek: &ChatPeek, by: (&Accept, Asked)) -> (Left, Option<Judged>) {
    let Left::Answer { headers, body, envelope, model, counts } = left else { return (left, None) };
    // It was scanned, so it can be read.
    let choices = read(&body, Said::Message).unwrap_or_default();
    let judged = judged(choices.iter().map(|it| &it.tokens[..]), by);
    let bare = if peek.wants_logprobs() { None } else { left_out(&body, &choices) };
    let bare = bare.and_then(|body| Some((judge_chat(&body, peek).ok()?.envelope, body)));
    let (envelope, body) = bare.unwrap_or((envelope, body));
    (Left::Answer { headers, body, envelope, model, counts }, Some(judged))
}

/// Looks at a stream that is held to its end; returns it as its client wants it.
pub(crate) fn held(chunks: Vec<Chunk>, peek: &ChatPeek, by: (&Accept, Asked)) -> (Vec<Chunk>, Judged) {
    let mut texts: BTreeMap<u64, Vec<f64>> = (0..u64::from(peek.n)).map(|index| (index, Vec::new())).collect();
    let look = |chunk: Chunk| {
        let choices = read(&chunk.event.data, Said::Delta).unwrap_or_default();
        for Choice { index, tokens, .. } in &choices {
            texts.entry(*index).or_default().extend(tokens);
        }
        let bare = if peek.wants_logprobs() { None } else { left_out(&chunk.event.data, &choices) };
        bare.and_then(|data| chunk.remade(data)).unwrap_or(chunk)
    };
    let chunks = chunks.into_iter().map(look).collect();
    let judged = judged(texts.values().map(Vec::as_slice), by);
    (chunks, judged)
}

/// Looks at the tokens of each choice: all of them are given, so the least sure one counts.
fn judged<'t>(choices: impl Iterator<Item = &'t [f64]>, (accept, asked): (&Accept, Asked)) -> Judged {
    let looked = choices.map(|tokens| accept.look_at_text(Logprobs::of(tokens).as_ref()));
    let judged = Judged::of(&looked.collect::<Vec<_>>(), accept, asked);
    // It is accepted as a whole, or not at all.
    Judged {
        low: judged.low.min(1),
        said: [judged.least].into(),
        rows: judged.rows.map(|it| [it.iter().copied().min().unwrap_or(0)].into()),
        ..judged
    }
}
