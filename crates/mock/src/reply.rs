//! Reply: one HTTP answer before it becomes bytes: status, headers, and a body in pieces that know what they are.
//!
//! It is not the writing: `wire` plays the script that a reply turns into. Faults edit a reply; they never write.
//!
//! # Invariants
//! - `REPLY-1`: an unedited reply is valid HTTP, and its script has no flush: one write when nothing waits.
//! - `REPLY-2`: `Framing::Length` is the length the head declares; an edit that cuts pieces leaves it, and so breaks the
//!   promise on purpose.

use std::{borrow::Cow, time::Duration};

use crate::{
    server::Head,
    wire::{End, Script, Step},
};

/// What a piece of a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A whole plain body, or a part of one.
    Plain,
    /// An event that opens a choice: the role.
    Lead,
    /// An event with output: text, tool call or reasoning.
    Token,
    /// The event with the finish reason.
    Finish,
    /// The event with the usage.
    Usage,
    /// `[DONE]`.
    Done,
    /// Anything that a fault added.
    Extra,
}

/// One piece of a body: a chunk of its own where the framing has chunks.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) kind: Kind,
    /// The pause before it.
    pub(crate) wait: Duration,
    pub(crate) bytes: Vec<u8>,
    /// How many tokens of output it carries.
    pub(crate) tokens: u32,
    /// The bytes carry their own framing, or defy it.
    pub(crate) raw: bool,
}

impl Piece {
    /// Makes a piece without output or pause.
    pub(crate) fn new(kind: Kind, bytes: impl Into<Vec<u8>>) -> Piece {
        Piece { kind, wait: Duration::ZERO, bytes: bytes.into(), tokens: 0, raw: false }
    }

    /// Makes a server-sent event of one `data` line.
    pub(crate) fn event(kind: Kind, data: &str) -> Piece {
        Piece::new(kind, format!("data: {data}\n\n"))
    }

    /// Makes bytes that stand outside the framing.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Piece {
        Piece { raw: true, ..Piece::new(Kind::Extra, bytes) }
    }

    pub(crate) fn waiting(self, wait: Duration) -> Piece {
        Piece { wait, ..self }
    }

    pub(crate) fn carrying(self, tokens: u32) -> Piece {
        Piece { tokens, ..self }
    }
}

/// How the head says where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(usize),
    Chunked,
    /// No body at all (204).
    Absent,
}

/// What comes after the last piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Close {
    /// The end of the framing; the connection lives on.
    Whole,
    /// The end of the framing, and FIN only after a while.
    WholeThenFin(Duration),
    /// Silence, for a while or until the client leaves, then FIN.
    Hold(Option<Duration>),
    /// FIN without the end of the framing.
    Fin,
    /// RST.
    Rst,
}

/// Small writes with a pause after each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drip {
    pub(crate) bytes: usize,
    pub(crate) every: Duration,
    /// The head drips as well.
    pub(crate) head: bool,
}

/// One answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(Cow<'static, str>, String)>,
    pub(crate) framing: Framing,
    /// The pause before the head.
    pub(crate) late: Duration,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) close: Close,
    /// The piece to go back to after the last one, for ever.
    pub(crate) again: Option<usize>,
    pub(crate) drip: Option<Drip>,
    /// Goes on after the client left.
    pub(crate) heedless: bool,
}

/// What the request asked of the framing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// HTTP/1.0: no chunks.
    pub(crate) old: bool,
    pub(crate) keep_alive: bool,
    /// HEAD: no body.
    pub(crate) head_only: bool,
}

impl Asked {
    /// Reads it from the head of a request.
    pub(crate) fn by(head: &Head) -> Asked {
        Asked { old: head.old, keep_alive: head.keep_alive(), head_only: head.method == "HEAD" }
    }
}

impl Reply {
    /// Makes a plain answer of one piece.
    pub(crate) fn plain(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Reply {
        let piece = Piece::new(Kind::Plain, body);
        let framing = Framing::Length(piece.bytes.len());
        Reply::with(status, content_type, framing, vec![piece])
    }

    /// Makes a JSON answer.
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Reply {
        Reply::plain(status, "application/json", body.to_string())
    }

    /// Makes a stream of server-sent events.
    pub(crate) fn stream(pieces: Vec<Piece>) -> Reply {
        let mut reply = Reply::with(200, "text/event-stream; charset=utf-8", Framing::Chunked, pieces);
        reply.headers.push((Cow::Borrowed("cache-control"), "no-cache".to_owned()));
        reply
    }

    fn with(status: u16, content_type: &'static str, framing: Framing, pieces: Vec<Piece>) -> Reply {
        Reply {
            status,
            headers: vec![(Cow::Borrowed("content-type"), content_type.to_owned())],
            framing,
            late: Duration::ZERO,
            pieces,
            close: Close::Whole,
            again: None,
            drip: None,
            heedless: false,
        }
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((Cow::Borrowed(name), value.into()));
        self
    }

    /// Makes the head wait.
    pub(crate) fn late(self, late: Duration) -> Reply {
        Reply { late, ..self }
    }

    /// Declares another content type.
    pub(crate) fn set_content_type(&mut self, content_type: &str) {
        for (_, value) in self.headers.iter_mut().filter(|(name, _)| name == "content-type") {
            *value = content_type.to_owned();
        }
    }

    /// Cuts a plain body in two, in the proportion of the tokens, so that both parts have something in them.
    pub(crate) fn split_plain(&mut self, after_tokens: u32) {
        let [whole] = &mut self.pieces[..] else { return };
        let (length, tokens) = (whole.bytes.len(), whole.tokens.max(1));
        let share =
            if whole.tokens == 0 { length / 2 } else { length * after_tokens.min(tokens) as usize / tokens as usize };
        let rest = whole.bytes.split_off(share.clamp(1.min(length), length.saturating_sub(1)));
        let said = after_tokens.min(whole.tokens);
        let left = whole.tokens - said;
        whole.tokens = said;
        self.pieces.push(Piece::new(Kind::Plain, rest).carrying(left));
    }

    /// Turns the answer into what the wire is to do.
    pub(crate) fn script(mut self, asked: Asked) -> Script {
        if asked.head_only {
            self.pieces.clear();
        }
        let chunked = self.framing == Framing::Chunked && !asked.old;
        let whole = matches!(self.close, Close::Whole);
        let keep = asked.keep_alive && whole && !(asked.old && self.framing == Framing::Chunked);
        let mut steps = Steps { list: Vec::with_capacity(self.pieces.len() + 4), drip: self.drip };
        if !self.late.is_zero() {
            steps.list.push(Step::Pause(self.late));
        }
        let head = self.head(chunked, asked.keep_alive && !asked.old);
        steps.send(head, 0, self.drip.is_some_and(|drip| drip.head));
        let mut starts = Vec::with_capacity(self.pieces.len());
        for piece in self.pieces {
            starts.push(steps.list.len());
            if !piece.wait.is_zero() {
                steps.list.push(Step::Pause(piece.wait));
            }
            let bytes = if chunked && !piece.raw { chunk(&piece.bytes) } else { piece.bytes };
            steps.send(bytes, piece.tokens, true);
        }
        if let Some(start) = self.again.and_then(|index| starts.get(index)) {
            steps.list.push(Step::Again(*start));
        }
        if chunked && !asked.head_only && matches!(self.close, Close::Whole | Close::WholeThenFin(_)) {
            steps.send(b"0\r\n\r\n".to_vec(), 0, true);
        }
        match self.close {
            Close::WholeThenFin(wait) | Close::Hold(Some(wait)) => steps.list.push(Step::Pause(wait)),
            Close::Hold(None) => steps.list.push(Step::Silence),
            Close::Whole | Close::Fin | Close::Rst => {}
        }
        let end = match self.close {
            Close::Rst => End::Rst,
            Close::Whole if keep => End::Keep,
            _ => End::Fin,
        };
        Script { status: Some(self.status), steps: steps.list, end, heedless: self.heedless, whole }
    }

    fn head(&self, chunked: bool, keep_alive: bool) -> Vec<u8> {
        let reason = http::StatusCode::from_u16(self.status).ok().and_then(|status| status.canonical_reason());
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason.unwrap_or("Unknown"));
        for (name, value) in &self.headers {
            head.push_str(name);
            head.push_str(": ");
            // A line break would start a header of its own.
            head.extend(value.chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }));
            head.push_str("\r\n");
        }
        match self.framing {
            Framing::Length(length) => head.push_str(&format!("content-length: {length}\r\n")),
            Framing::Chunked if chunked => head.push_str("transfer-encoding: chunked\r\n"),
            Framing::Chunked | Framing::Absent => {}
        }
        head.push_str(if keep_alive { "\r\n" } else { "connection: close\r\n\r\n" });
        head.into_bytes()
    }
}

/// Wraps bytes as one chunk. An empty one would end the body, so it is left out.
fn chunk(bytes: &[u8]) -> Vec<u8> {
    if bytes.is_empty() {
        return Vec::new();
    }
    let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
    framed.extend_from_slice(bytes);
    framed.extend_from_slice(b"\r\n");
    framed
}

/// The steps so far, and how they drip.
struct Steps {
    list: Vec<Step>,
    drip: Option<Drip>,
}

impl Steps {
    fn send(&mut self, bytes: Vec<u8>, tokens: u32, drips: bool) {
        let Some(drip) = self.drip.filter(|_| drips) else {
            self.list.push(Step::Send { bytes: bytes.into(), tokens });
            return;
        };
        let bytes = bytes::Bytes::from(bytes);
        let count = bytes.len().div_ceil(drip.bytes);
        for index in 0..count {
            let from = index * drip.bytes;
            let part = bytes.slice(from..bytes.len().min(from + drip.bytes));
            // The tokens have left when the last byte has.
            self.list.push(Step::Send { bytes: part, tokens: if index + 1 == count { tokens } else { 0 } });
            self.list.push(if drip.every.is_zero() { Step::Flush } else { Step::Pause(drip.every) });
        }
    }
}
