//! Line: a connection to an upstream that remembers whether it has answered before, and whether it has since it was last
//! asked.
//!
//! It counts turns of bytes and knows nothing of HTTP: asking and answering in turns is what HTTP/1 does. HTTP/2 mixes
//! its streams, and says itself which of them it has not begun.
//!
//! # Invariants
//! - `LINE-1`: a connection that breaks before its first answer is never taken for one that was kept too long (UP-11).
//!
//! # When it misleads
//! A server that sends the beginning of an answer while it is still being asked, and then breaks off, looks as if it had
//! answered before: its request gets the free retry, at most twice (F-043).

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
};

use http::Extensions;
use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream with its past.
pub(super) struct Line<S> {
    stream: S,
    past: Past,
}

/// How often a connection was asked and answered in turn: odd while an answer is missing.
#[derive(Clone, Debug, Default)]
pub(super) struct Past(Arc<AtomicU32>);

impl Past {
    /// Says whether a connection that broke had answered before, and nothing since it was last asked.
    pub(super) fn is_stale(connected: &Connected) -> bool {
        let mut extras = Extensions::new();
        connected.get_extras(&mut extras);
        let turns = extras.get::<Self>().map_or(0, |past| past.0.load(Ordering::Relaxed));
        !connected.is_negotiated_h2() && turns > 1 && turns % 2 == 1
    }

    /// Notes a byte in a direction. Only the connection's own task comes here, so that nothing is lost in between.
    fn note(&self, asked: bool) {
        let turns = self.0.load(Ordering::Relaxed);
        if (turns % 2 == 1) != asked {
            self.0.store(turns.saturating_add(1), Ordering::Relaxed);
        }
    }
}

impl<S> Line<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, past: Past::default() }
    }
}

impl<S: Connection> Connection for Line<S> {
    fn connected(&self) -> Connected {
        self.stream.connected().extra(self.past.clone())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Line<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buf);
        if buf.filled().len() > before {
            self.past.note(false);
        }
        read
    }
}

/// An attempt to write is a question, also where the peer is gone and takes none of it.
impl<S: AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.past.note(true);
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.past.note(true);
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_1_only_what_answered_before_and_is_silent_now_is_stale() {
        let check = |turns: &str, stale: bool| {
            let past = Past::default();
            turns.chars().for_each(|turn| past.note(turn == '?'));
            let connected = || Connected::new().extra(past.clone());
            assert_eq!(Past::is_stale(&connected()), stale, "{turns}");
            assert!(!Past::is_stale(&connected().negotiated_h2()), "{turns}");
        };
        check("", false);
        check("?", false);
        check("???", false);
        check("?!", false);
        check("?!!", false);
        check("?!?", true);
        check("??!!??", true);
        check("?!?!", false);
        check("?!?!?", true);
        assert!(!Past::is_stale(&Connected::new()), "a stranger");
    }
}
