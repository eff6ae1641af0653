//! Stream: faults in how an answer arrives: its time, its events, its framing, its end.
//!
//! It is not about content, which is said already. Every edit also has a meaning for a plain answer, or the fault does
//! not concern plain answers.
//!
//! # Invariants
//! - `STREAM-1`: `k` counts tokens, not events: `after_tokens: 3` lets exactly three tokens out.

use std::time::Duration;

use super::{
    After, Broken, CutHow, Fault, KeepAlive, LineEnd, Tail,
    content::Content,
    refusal::{PAGE, TEXT},
};
use crate::{
    draw::Draw,
    protocol::{
        Dialect,
        error::ApiError,
        openai::{self, Completion},
    },
    reply::{Close, Drip, Framing, Kind, Piece, Reply},
};

/// What stands in the middle of garbled bytes; tests look for it where it must not be.
const GARBLE: &str = "\u{fffd}<garbled>";
/// How many bytes of value a huge header has, each.
const FILLER: u64 = 4_096;

/// Edits how an answer arrives, if the fault is of that kind.
pub(crate) fn edit(reply: &mut Reply, fault: &Fault, content: &Content, draw: &mut Draw) {
    match fault {
        Fault::Latency { ms } | Fault::LatencySpike { ms, .. } => reply.late += Duration::from_millis(*ms),
        Fault::LatencyLongTailed { shape, median_ms, spread, max_ms } => {
            let ms = long_tailed(*shape, *median_ms as f64, *spread, draw).min(*max_ms as f64);
            reply.late += Duration::from_secs_f64(ms / 1e3);
        }
        Fault::HeadersThenSilence {} => {
            reply.pieces.clear();
            reply.close = Close::Hold(None);
        }
        Fault::SlowFirstToken { ms, role } => {
            let first = reply.pieces.iter_mut().find(|piece| !role || matches!(piece.kind, Kind::Token | Kind::Plain));
            if let Some(first) = first {
                first.wait += Duration::from_millis(*ms);
            }
        }
        Fault::SlowTokens { every_ms } => pace(reply, *every_ms),
        Fault::IgnoreCancel { every_ms } => {
            reply.heedless = true;
            pace(reply, *every_ms);
        }
        Fault::Cut { after_tokens, how } => cut(reply, *after_tokens, *how),
        Fault::Stall { after_tokens, for_ms } => {
            let _ = truncate(reply, *after_tokens);
            reply.close = Close::Hold(for_ms.map(Duration::from_millis));
        }
        Fault::SlowDrip { bytes, every_ms, close_after_ms } => {
            let bytes = usize::try_from(*bytes).unwrap_or(usize::MAX);
            reply.drip = Some(Drip { bytes, every: Duration::from_millis(*every_ms), head: true });
            if let Some(ms) = close_after_ms {
                reply.close = Close::WholeThenFin(Duration::from_millis(*ms));
            }
        }
        Fault::BrokenChunked { how } => broken_chunked(reply, *how),
        Fault::WrongContentType { content_type, own_body } => {
            reply.set_content_type(content_type);
            if !own_body {
                reply.framing = Framing::Length(PAGE.len());
                reply.pieces = vec![Piece::new(Kind::Plain, PAGE)];
            }
        }
        Fault::HugeHeaders { bytes } => {
            for index in 0..bytes.div_ceil(FILLER) {
                let length = FILLER.min(bytes - index * FILLER) as usize;
                reply.headers.push((format!("x-filler-{index}").into(), "x".repeat(length)));
            }
        }
        Fault::GarbledEvent { at_token } => garble(reply, *at_token),
        _ => {
            if let Content::Chat(chat) = content {
                edit_chat(reply, fault, &chat.completion);
            }
        }
    }
}

/// Edits what only chat has: events with a meaning, and an output that can go on for ever.
fn edit_chat(reply: &mut Reply, fault: &Fault, completion: &Completion) {
    match fault {
        Fault::KeepaliveOnly { kind, every_ms } => keep_alive(reply, *kind, *every_ms, completion),
        Fault::ErrorEvent { after_tokens, role, kind, code } => {
            let _ = truncate(reply, *after_tokens);
            if !role && *after_tokens == 0 {
                reply.pieces.clear();
            }
            say_error(reply, kind, code);
        }
        Fault::DoneMissing { hold, reset } => {
            reply.pieces.retain(|piece| piece.kind != Kind::Done);
            reply.close = match (hold, reset) {
                (true, _) => Close::Hold(None),
                (_, true) => Close::Rst,
                _ => Close::WholeThenFin(Duration::ZERO),
            };
        }
        Fault::AfterFinish { events, error } => {
            let after = reply.pieces.iter().rposition(|piece| piece.kind == Kind::Finish).map_or(0, |at| at + 1);
            let empty = openai::delta_event(completion, Kind::Extra, false, Some(""));
            reply.pieces.splice(after..after, std::iter::repeat_n(empty, *events as usize));
            if *error {
                reply.pieces.truncate(after + *events as usize);
                say_error(reply, "server_error", "server_error");
            }
        }
        Fault::AfterDone { what } => reply.pieces.push(match what {
            After::Done => Piece::event(Kind::Done, "[DONE]"),
            After::Content => openai::delta_event(completion, Kind::Extra, false, Some(" after the end")),
        }),
        Fault::Endless { every_ms } => endless(reply, *every_ms),
        Fault::HugeLine { bytes, at_token } => {
            let text = "x".repeat(usize::try_from(*bytes).unwrap_or(usize::MAX));
            if let Some(index) = token(reply, *at_token) {
                let huge = openai::delta_event(completion, Kind::Token, false, Some(&text));
                let old = &reply.pieces[index];
                reply.pieces[index] = huge.waiting(old.wait).carrying(old.tokens);
            }
        }
        Fault::SplitEvents { bytes, line_end, comments } => {
            for (index, piece) in reply.pieces.iter_mut().enumerate() {
                piece.bytes = respell(&piece.bytes, *line_end, *comments, index);
            }
            let bytes = usize::try_from(*bytes).unwrap_or(usize::MAX);
            reply.drip = Some(Drip { bytes, every: Duration::ZERO, head: false });
        }
        _ => {}
    }
}

/// Draws milliseconds around a median.
pub(super) fn long_tailed(shape: Tail, median: f64, spread: f64, draw: &mut Draw) -> f64 {
    match shape {
        Tail::Lognormal => median * (spread * draw.normal()).exp(),
        // The median of a Pareto distribution is its scale times 2^(1/alpha); 1 − u is never 0.
        Tail::Pareto => median * (2.0 * (1.0 - draw.unit())).powf(-1.0 / spread),
    }
}

/// Puts a pause before every token; a plain answer waits for as many.
fn pace(reply: &mut Reply, every_ms: u64) {
    let every = Duration::from_millis(every_ms);
    if let [plain] = &mut reply.pieces[..]
        && plain.kind == Kind::Plain
    {
        let tokens = std::mem::take(&mut plain.tokens).max(1);
        let beat = Piece::new(Kind::Extra, Vec::new()).waiting(every).carrying(1);
        reply.pieces.splice(0..0, std::iter::repeat_n(beat, tokens as usize));
        return;
    }
    reply.pieces.iter_mut().filter(|piece| piece.tokens > 0).for_each(|piece| piece.wait = every);
}

/// Returns the piece of the `number`th token, counted from 1; beyond the last, the last.
fn token(reply: &Reply, number: u32) -> Option<usize> {
    let mut tokens = reply.pieces.iter().enumerate().filter(|(_, piece)| piece.tokens > 0).map(|(index, _)| index);
    let at = (number.max(1) - 1) as usize;
    tokens.clone().nth(at).or_else(|| tokens.next_back())
}

/// Drops everything after so many tokens, at the latest what ends an answer. Returns the first piece that was dropped.
/// Ends it with an error event.
fn say_error(reply: &mut Reply, kind: &str, code: &str) {
    let error = ApiError::new(200, kind, code, TEXT).body(Dialect::OpenAi);
    reply.pieces.push(Piece::event(Kind::Extra, &error.to_string()));
    reply.close = Close::WholeThenFin(Duration::ZERO);
}

fn truncate(reply: &mut Reply, after_tokens: u32) -> Option<Piece> {
    reply.split_plain(after_tokens);
    let mut said = 0;
    let end = reply.pieces.iter().position(|piece| match piece.kind {
        Kind::Lead | Kind::Extra => false,
        Kind::Plain => std::mem::replace(&mut said, u32::MAX) == u32::MAX,
        Kind::Token if piece.tokens == 0 => false,
        Kind::Token => {
            said += piece.tokens;
            said > after_tokens
        }
        Kind::Finish | Kind::Usage | Kind::Done => true,
    });
    reply.pieces.drain(end?..).next()
}

fn cut(reply: &mut Reply, after_tokens: u32, how: CutHow) {
    let next = truncate(reply, after_tokens);
    reply.close = match how {
        CutHow::Rst => Close::Rst,
        CutHow::FinBetweenEvents => Close::Fin,
        CutHow::BetweenEvents => {
            // A clean end needs a framing that can end anywhere.
            reply.framing = Framing::Chunked;
            Close::WholeThenFin(Duration::ZERO)
        }
        CutHow::Fin => {
            if let Some(next) = next.filter(|_| reply.framing == Framing::Chunked) {
                reply.pieces.push(half_chunk(&next.bytes, next.bytes.len()));
            }
            Close::Fin
        }
    };
}

/// Makes a chunk that declares a size and carries half of the bytes.
fn half_chunk(bytes: &[u8], size: usize) -> Piece {
    let mut half = format!("{size:x}\r\n").into_bytes();
    half.extend_from_slice(&bytes[..bytes.len() / 2]);
    Piece::raw(half)
}

fn broken_chunked(reply: &mut Reply, how: Broken) {
    reply.framing = Framing::Chunked;
    reply.close = Close::Fin;
    if how == Broken::MissingEnd {
        return;
    }
    let index = reply.pieces.iter().position(|piece| matches!(piece.kind, Kind::Token | Kind::Plain)).unwrap_or(0);
    let bytes = reply.pieces.drain(index..).next().map_or_else(Vec::new, |piece| piece.bytes);
    let size = match how {
        Broken::BadSize => "zz",
        Broken::Negative => "-1",
        Broken::Overflow => "fffffffffffffffff",
        Broken::ShortChunk | Broken::MissingEnd => {
            reply.pieces.push(half_chunk(&bytes, bytes.len()));
            return;
        }
    };
    let mut chunk = format!("{size}\r\n").into_bytes();
    chunk.extend_from_slice(&bytes);
    chunk.extend_from_slice(b"\r\n");
    reply.pieces.push(Piece::raw(chunk));
}

fn garble(reply: &mut Reply, at_token: u32) {
    if let Some(index) = reply.pieces.iter().position(|piece| piece.kind == Kind::Plain) {
        let body = &mut reply.pieces[index].bytes;
        body.truncate(body.len() / 2);
        body.extend_from_slice(GARBLE.as_bytes());
        reply.framing = Framing::Length(body.len());
    } else if let Some(index) = token(reply, at_token) {
        let event = &mut reply.pieces[index].bytes;
        event.truncate(event.len() / 2);
        event.extend_from_slice(GARBLE.as_bytes());
        event.extend_from_slice(b"\n\n");
    }
}

fn keep_alive(reply: &mut Reply, kind: KeepAlive, every_ms: u64, completion: &Completion) {
    let plain = reply.pieces.first().is_some_and(|piece| piece.kind == Kind::Plain);
    let piece = match kind {
        // White space before JSON is what servers send to keep a plain answer alive.
        _ if plain => Piece::new(Kind::Extra, "\n"),
        KeepAlive::Comment => Piece::new(Kind::Extra, ": keep-alive\n\n"),
        KeepAlive::Role => openai::delta_event(completion, Kind::Extra, true, None),
        KeepAlive::EmptyDelta => openai::delta_event(completion, Kind::Extra, false, Some("")),
    };
    reply.framing = Framing::Chunked;
    // A loop without any pause would be a flood, which is another fault.
    reply.pieces = vec![piece.waiting(Duration::from_millis(every_ms.max(1)))];
    reply.again = Some(0);
}

fn endless(reply: &mut Reply, every_ms: u64) {
    let every = Duration::from_millis(every_ms);
    if let Some(last) = reply.pieces.iter().rposition(|piece| piece.tokens > 0 && piece.kind == Kind::Token) {
        reply.pieces.truncate(last + 1);
        reply.pieces[last].wait = every;
        reply.again = Some(last);
        return;
    }
    let open = r#"{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":""#;
    let word = Piece::new(Kind::Extra, "and on ").carrying(2).waiting(every);
    reply.framing = Framing::Chunked;
    reply.pieces = vec![Piece::new(Kind::Extra, open), word];
    reply.again = Some(1);
}

/// Writes an event with other line ends, and with a comment before it.
fn respell(event: &[u8], line_end: LineEnd, comments: bool, index: usize) -> Vec<u8> {
    let end: &[u8] = match line_end {
        LineEnd::Lf => b"\n",
        LineEnd::Crlf => b"\r\n",
        LineEnd::Cr => b"\r",
        LineEnd::Mixed => [&b"\n"[..], b"\r\n", b"\r"][index % 3],
    };
    let comment: &[u8] = if comments { b": still here\n" } else { b"" };
    let bytes = comment.iter().chain(event);
    bytes
        .flat_map(|byte| if *byte == b'\n' { end.iter() } else { std::slice::from_ref(byte).iter() })
        .copied()
        .collect()
}
