//! Attempt: one request as the provider saw it, from its last byte to the end of the answer.
//!
//! It is not the request itself: of a body the digest is shown, and the bytes only where they were kept.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Clock;
use crate::{protocol::Work, server::Head};

/// Headers whose value is never shown.
const SECRET: [&str; 5] = ["authorization", "proxy-authorization", "api-key", "x-api-key", "cookie"];
/// No time yet.
const NEVER: u64 = u64::MAX;

/// How the answer to an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It has not.
    Open,
    /// The whole answer was sent.
    Complete,
    /// The mock closed the connection too early.
    Fin,
    /// The mock reset the connection.
    Rst,
    /// The client left.
    ClientGone,
    /// The mock was stopped or killed.
    Stopped,
}

const ENDINGS: [Ending; 6] =
    [Ending::Open, Ending::Complete, Ending::Fin, Ending::Rst, Ending::ClientGone, Ending::Stopped];

/// One attempt as the log shows it. All times are milliseconds since the mock started.
#[derive(Clone, Debug, Serialize)]
pub struct Attempt {
    /// Counted from 0 since the start or the last reset.
    pub attempt: u64,
    /// When the request was complete.
    pub at_ms: f64,
    /// The connection it came on, counted from 0 since the start.
    pub connection: u64,
    /// Whether the connection carried a request before.
    pub reused: bool,
    /// The method.
    pub method: String,
    /// The target as it was sent, query included.
    pub path: String,
    /// The model it names; empty where the request names none.
    pub model: String,
    /// Whether it asks for no work: for health, metadata or a list of models, as a probe of readiness does.
    pub probe: bool,
    /// Whether it asks for a stream.
    pub stream: bool,
    /// The headers by lower-case name, repeated ones joined by a comma. A credential is only `present`.
    pub headers: BTreeMap<String, String>,
    /// The names of the headers as they were sent, in order.
    pub header_names: Vec<String>,
    /// The length of the body.
    pub body_bytes: usize,
    /// The SHA-256 of the body.
    pub body_sha256: String,
    /// The body, where it is still kept.
    #[serde(skip)]
    pub body: Option<Bytes>,
    /// The fault it met.
    pub fault: Option<Arc<str>>,
    /// The status that was sent.
    pub status: Option<u16>,
    /// When the first byte was written.
    pub first_byte_ms: Option<f64>,
    /// How many bytes were written.
    pub bytes_sent: u64,
    /// How many tokens were written.
    pub tokens: u32,
    /// How many tokens were made after the client left.
    pub tokens_after_gone: u32,
    /// Whether the client left before the end.
    pub client_gone: bool,
    /// When it left.
    pub client_gone_ms: Option<f64>,
    /// When the answer ended.
    pub ended_ms: Option<f64>,
    /// How it ended.
    pub ending: Ending,
}

/// What is known of a request when it is complete.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) at: Duration,
    pub(crate) connection: u64,
    pub(crate) reused: bool,
    pub(crate) head: Arc<Head>,
    pub(crate) model: String,
    pub(crate) work: Work,
    pub(crate) fault: Option<Arc<str>>,
}

/// One line of the log: what was seen, and the progress that the connection still writes.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) number: u64,
    seen: Arc<Seen>,
    body: Kept,
    progress: Arc<Progress>,
}

#[derive(Clone, Debug)]
enum Kept {
    Whole(Bytes),
    Digest { sha256: String, bytes: usize },
}

impl Entry {
    pub(super) fn new(number: u64, seen: Seen, body: Bytes, progress: Arc<Progress>) -> Entry {
        Entry { number, seen: Arc::new(seen), body: Kept::Whole(body), progress }
    }

    /// Returns the model that it names.
    pub(super) fn model(&self) -> &str {
        &self.seen.model
    }

    /// Returns how many bytes of body it holds.
    pub(super) fn body_len(&self) -> usize {
        match &self.body {
            Kept::Whole(bytes) => bytes.len(),
            Kept::Digest { .. } => 0,
        }
    }

    pub(super) fn forget_body(&mut self) {
        if let Kept::Whole(bytes) = &self.body {
            self.body = Kept::Digest { sha256: sha256(bytes), bytes: bytes.len() };
        }
    }

    pub(super) fn snapshot(&self) -> Attempt {
        let (seen, progress) = (&self.seen, &self.progress);
        let (body_sha256, body_bytes, body) = match &self.body {
            Kept::Whole(bytes) => (sha256(bytes), bytes.len(), Some(bytes.clone())),
            Kept::Digest { sha256, bytes } => (sha256.clone(), *bytes, None),
        };
        let gone = progress.gone_us.load(Relaxed);
        Attempt {
            attempt: self.number,
            at_ms: seen.at.as_micros() as f64 / 1e3,
            connection: seen.connection,
            reused: seen.reused,
            method: seen.head.method.clone(),
            path: seen.head.target.clone(),
            model: seen.model.clone(),
            probe: seen.work == Work::Probe,
            stream: seen.work == Work::Chat { stream: true },
            headers: shown(&seen.head),
            header_names: seen.head.headers.iter().map(|(name, _)| name.clone()).collect(),
            body_bytes,
            body_sha256,
            body,
            fault: seen.fault.clone(),
            status: Some(progress.status.load(Relaxed)).filter(|status| *status != 0),
            first_byte_ms: millis(progress.first_us.load(Relaxed)),
            bytes_sent: progress.bytes.load(Relaxed),
            tokens: progress.tokens.load(Relaxed),
            tokens_after_gone: progress.tokens_after_gone.load(Relaxed),
            client_gone: gone != NEVER,
            client_gone_ms: millis(gone),
            ended_ms: millis(progress.ended_us.load(Relaxed)),
            ending: ENDINGS[usize::from(progress.ending.load(Relaxed))],
        }
    }
}

fn shown(head: &Head) -> BTreeMap<String, String> {
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in &head.headers {
        let name = name.to_ascii_lowercase();
        let value = if SECRET.contains(&name.as_str()) { "present" } else { value };
        headers
            .entry(name)
            .and_modify(|all| {
                all.push_str(", ");
                all.push_str(value);
            })
            .or_insert_with(|| value.to_owned());
    }
    headers
}

fn millis(us: u64) -> Option<f64> {
    (us != NEVER).then_some(us as f64 / 1e3)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a String takes every byte");
        hex
    })
}

/// How far the answer to an attempt is; the connection writes it, the log reads it.
#[derive(Debug)]
pub(crate) struct Progress {
    clock: Clock,
    status: AtomicU16,
    bytes: AtomicU64,
    tokens: AtomicU32,
    tokens_after_gone: AtomicU32,
    first_us: AtomicU64,
    gone_us: AtomicU64,
    ended_us: AtomicU64,
    ending: AtomicU8,
}

impl Progress {
    pub(super) fn new(clock: Clock) -> Progress {
        Progress {
            clock,
            status: AtomicU16::new(0),
            bytes: AtomicU64::new(0),
            tokens: AtomicU32::new(0),
            tokens_after_gone: AtomicU32::new(0),
            first_us: AtomicU64::new(NEVER),
            gone_us: AtomicU64::new(NEVER),
            ended_us: AtomicU64::new(NEVER),
            ending: AtomicU8::new(Ending::Open as u8),
        }
    }

    fn now_us(&self) -> u64 {
        self.clock.now().as_micros() as u64
    }

    /// Notes that bytes are about to leave; the first ones carry the status.
    pub(crate) fn writing(&self, status: Option<u16>) {
        if self.first_us.load(Relaxed) == NEVER {
            self.first_us.store(self.now_us(), Relaxed);
            self.status.store(status.unwrap_or(0), Relaxed);
        }
    }

    pub(crate) fn wrote(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// Notes tokens that left, or that were made for nobody.
    pub(crate) fn said(&self, tokens: u32, alone: bool) {
        let counter = if alone { &self.tokens_after_gone } else { &self.tokens };
        counter.fetch_add(tokens, Relaxed);
    }

    pub(crate) fn client_gone(&self) {
        if self.gone_us.load(Relaxed) == NEVER {
            self.gone_us.store(self.now_us(), Relaxed);
        }
    }

    pub(crate) fn ended(&self, ending: Ending) {
        self.ended_us.store(self.now_us(), Relaxed);
        self.ending.store(ending as u8, Relaxed);
    }
}

/// The connection's hold on an attempt. Dropped before the answer ended, it notes that the mock was stopped.
#[derive(Debug)]
pub(crate) struct Ticket(pub(super) Arc<Progress>);

impl std::ops::Deref for Ticket {
    type Target = Progress;

    fn deref(&self) -> &Progress {
        &self.0
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.0.ending.load(Relaxed) == Ending::Open as u8 {
            self.0.ended(Ending::Stopped);
        }
    }
}
