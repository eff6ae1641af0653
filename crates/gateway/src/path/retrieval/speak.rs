//! Speak: an answer of our own as the pieces of a stream, judged event by event like a model's.

use std::sync::Arc;

use evenkeel_core::ResultCode;
use http::HeaderMap;
use tokio::sync::mpsc::Sender;

use crate::{
    path::{Chunk, Ended, Meaning, Piece},
    protocol::openai::{
        event::{Step, StreamJudge},
        own::{Meta, own_stream},
        peek::ChatPeek,
    },
    sse::Scanner,
};

/// Says a text as a stream, to its verified end.
pub(super) async fn stream(said: &str, asked: (&ChatPeek, Meta<'_>), model: &Arc<str>, out: Sender<Piece>) -> Ended {
    let (peek, meta) = asked;
    let (mut judge, mut scanner) = (StreamJudge::new(peek), Scanner::default());
    own_stream(said, peek.n, peek.include_usage, meta).iter().for_each(|event| scanner.push(event));
    let _ = out.send(Piece::Begin(HeaderMap::new(), model.clone())).await;
    while let Ok(Some(event)) = scanner.event() {
        let judged = judge.event(&event.data);
        let meaning = match judged.step {
            Step::Content => Meaning::Content,
            Step::Nothing => Meaning::Nothing,
            Step::Complete(result) | Step::Failed(result) => return Ended::bare(result, None),
            _ => continue,
        };
        let counts = judged.counts();
        let chunk = Chunk { event, envelope: judged.envelope, says: judged.says, counts };
        let _ = out.send(Piece::Event(chunk, meaning)).await;
        if meaning == Meaning::Content {
            judge.commit();
        }
    }
    Ended::bare(ResultCode::Truncated, None)
}
