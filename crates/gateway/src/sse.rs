//! Sse: reads and writes server-sent events, as bytes.
//!
//! Not a judge: what an event says is the protocol's business. Bytes stay bytes until an event is complete, since
//! UTF-8 may be split anywhere.
//!
//! # Invariants
//! - `SSE-1`: however the bytes are split, the same events come out (OAI-03).
//! - `SSE-2`: no more than [`EVENT_MAX`] bytes of an unfinished event are held.
//! - `SSE-3`: an event without data is no event.
//!
//! # Source
//! WHATWG HTML, section 9.2, without reconnection; `docs/design/protocols.md`, section 4.3; F-129.

use bytes::{Bytes, BytesMut};

/// The largest event; a longer one is a failure of the upstream.
pub(crate) const EVENT_MAX: usize = 1 << 20;
/// The event that ends a stream.
pub(crate) const DONE: &[u8] = b"data: [DONE]\n\n";
/// What is written while there is nothing to say.
pub(crate) const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// An event with data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// The data; several lines are joined with LF.
    pub(crate) data: Bytes,
    /// Its bytes as they came, if they are in the form that we write.
    raw: Option<Bytes>,
}

impl Event {
    /// Makes one of data in one line.
    pub(crate) fn of(data: Bytes) -> Self {
        Self { data, raw: None }
    }

    /// Returns the bytes to forward: one `data` line and an empty one, as they came where they came like that.
    pub(crate) fn forward(&self) -> Bytes {
        self.raw.clone().unwrap_or_else(|| write_event(&self.data))
    }
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Between two events.
    Clean,
    /// Within the event `[DONE]`, which counts.
    Done,
    /// Within any other event.
    Cut,
}

/// An event is longer than [`EVENT_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Writes an event with one `data` line. Line breaks in it become spaces: within JSON they stand between tokens only.
pub(crate) fn write_event(data: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(data.len() + 8);
    out.extend_from_slice(b"data: ");
    out.extend(data.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
    out.extend_from_slice(b"\n\n");
    out.into()
}

/// Cuts a stream of bytes into events.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    /// The bytes of the event that is not finished, and what comes after it.
    held: BytesMut,
    /// Where the line begins that is not finished.
    line: usize,
    /// Up to where that line was searched for its end.
    searched: usize,
    /// Whether the beginning of the stream was looked at.
    begun: bool,
    /// The last line ended with CR, so that a LF now belongs to it.
    after_cr: bool,
    /// The event so far.
    unfinished: Unfinished,
}

/// What is known of the event that is being read.
#[derive(Debug, Default)]
struct Unfinished {
    /// Where the data stands, if it has one line of it.
    data: Option<(usize, usize)>,
    /// The data, if it has several.
    joined: Option<BytesMut>,
    /// Whether a line was not in the form that we write.
    odd: bool,
}

impl Scanner {
    /// Takes bytes as they come. Events are then to be taken with [`event`](Self::event) until there are none.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// Returns the next complete event.
    ///
    /// # Errors
    /// The event is too long; nothing can be read after it.
    pub(crate) fn event(&mut self) -> Result<Option<Event>, TooLong> {
        if !self.begin() {
            return Ok(None);
        }
        loop {
            let Some(end) = self.line_end() else {
                let fits = self.held.len() <= EVENT_MAX;
                return if fits { Ok(None) } else { Err(TooLong) };
            };
            if end >= EVENT_MAX {
                return Err(TooLong);
            }
            let line = (self.line, end);
            let lf = self.held[end] == b'\n';
            self.after_cr = !lf;
            self.line = end + 1;
            self.searched = end + 1;
            if line.0 < line.1 {
                self.take_line(line);
            } else if let Some(event) = self.dispatch(lf) {
                return Ok(Some(event));
            }
        }
    }

    /// Says how the stream ended. Whole events must have been taken before.
    pub(crate) fn finish(mut self) -> End {
        let rest = (self.line, self.held.len());
        let open = self.held[self.line..].first().is_some_and(|byte| *byte != b':');
        if open {
            self.take_line(rest);
        }
        let data = match (&self.unfinished.joined, self.unfinished.data) {
            (Some(joined), _) => joined,
            (None, Some((from, to))) => &self.held[from..to],
            (None, None) => &[][..],
        };
        match data {
            data if data.starts_with(b"[DONE]") => End::Done,
            [] if !open => End::Clean,
            _ => End::Cut,
        }
    }

    /// Drops a byte order mark; false while it is not clear whether there is one.
    fn begin(&mut self) -> bool {
        if !self.begun {
            if self.held.starts_with(BYTE_ORDER_MARK) {
                let _ = self.held.split_to(BYTE_ORDER_MARK.len());
            } else if BYTE_ORDER_MARK.starts_with(&self.held) {
                return false;
            }
            self.begun = true;
        }
        true
    }

    /// Returns where the unfinished line ends, if it does.
    fn line_end(&mut self) -> Option<usize> {
        if self.after_cr && self.held.get(self.line) == Some(&b'\n') {
            self.after_cr = false;
            self.unfinished.odd = true;
            self.line += 1;
            self.searched = self.searched.max(self.line);
        }
        let found = self.held[self.searched..].iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let end = found.map(|found| self.searched + found);
        self.searched = end.unwrap_or(self.held.len());
        end
    }

    /// Reads one line that is not empty.
    fn take_line(&mut self, (from, to): (usize, usize)) {
        let line = &self.held[from..to];
        let value = match line.strip_prefix(b"data") {
            Some([]) => to,
            Some([b':', b' ', ..]) => from + 6,
            Some([b':', ..]) => from + 5,
            // Comments, `event`, `id`, `retry`, and what nobody knows.
            _ => {
                self.unfinished.odd = true;
                if self.unfinished.data.is_none() && self.unfinished.joined.is_none() {
                    self.drop_line(to);
                }
                return;
            }
        };
        self.unfinished.odd |= from != 0;
        match (&mut self.unfinished.joined, self.unfinished.data.take()) {
            (Some(joined), _) => {
                joined.extend_from_slice(b"\n");
                joined.extend_from_slice(&self.held[value..to]);
            }
            (None, Some((first, end))) => {
                let mut joined = BytesMut::from(&self.held[first..end]);
                joined.extend_from_slice(b"\n");
                joined.extend_from_slice(&self.held[value..to]);
                self.unfinished.joined = Some(joined);
            }
            (None, None) => self.unfinished.data = Some((value, to)),
        }
    }

    /// Lets go of a line that says nothing, so that a peer cannot fill the buffer with comments.
    fn drop_line(&mut self, to: usize) {
        if to < self.held.len() {
            let _ = self.held.split_to(to + 1);
            self.line = 0;
            self.searched = 0;
            self.unfinished.odd = false;
        }
    }

    /// Ends the event at an empty line.
    fn dispatch(&mut self, lf: bool) -> Option<Event> {
        let raw = self.held.split_to(self.line).freeze();
        self.line = 0;
        self.searched = 0;
        let Unfinished { data, joined, odd } = std::mem::take(&mut self.unfinished);
        let data = match (joined, data) {
            (Some(joined), _) if joined.iter().all(|byte| *byte == b'\n') => return None,
            (Some(joined), _) => return Some(Event { data: joined.freeze(), raw: None }),
            (None, Some((from, to))) if from < to => raw.slice(from..to),
            (None, _) => return None,
        };
        let canonical = lf && !odd && raw.len() == data.len() + 8;
        Some(Event { data, raw: canonical.then_some(raw) })
    }
}

#[cfg(test)]
mod tests;
