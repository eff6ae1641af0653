//! Bare: what the HTTP library refuses on its own over HTTP/1 gets the body that every other refusal of ours has.
//!
//! The library asks nobody before it says 400, 414 or 431 to a head that is none, and says no more than that. It is known by what it
//! writes then: that alone, without the id that each answer of ours has. Over HTTP/2 a head is too large for the
//! library only where it is twice as large as it may be (`proper`): that one stays a bare 431.
//!
//! # Invariants
//! - `BARE-1`: nothing is changed of what is said to a request that was read.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{address::Address, farewell, pulse::Pulse};
use crate::protocol::problem::Problem;

/// Bytes of a head that are kept: a verb, and what shows which protocol its path is of.
const BEGINNING: usize = 32;
/// The longest refusal of the library.
const LONGEST: usize = 256;

/// A client's connection whose bare refusals are dressed.
pub(super) struct Bare<S> {
    inner: S,
    pulse: Arc<Pulse>,
    /// How the head begins that is being read.
    begins: [u8; BEGINNING],
    begun: usize,
    /// What is said in place of a refusal, and how much of it is written.
    instead: Option<(Vec<u8>, usize)>,
}

impl<S> Bare<S> {
    pub(super) fn new(inner: S, pulse: Arc<Pulse>) -> Self {
        Self { inner, pulse, begins: [0; BEGINNING], begun: 0, instead: None }
    }

    fn hear(&mut self, bytes: &[u8]) {
        let more = bytes.len().min(BEGINNING - self.begun);
        self.begins[self.begun..self.begun + more].copy_from_slice(&bytes[..more]);
        self.begun += more;
    }

    /// Returns what is to be said in place of some bytes; none where those are said.
    fn dressed(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let problem = refused(bytes).filter(|_| self.pulse.is_answered())?;
        let head = String::from_utf8_lossy(&self.begins[..self.begun]);
        let (verb, path) = head.trim_start().split_once(' ').unwrap_or_default();
        let path = path.split([' ', '?', '\r', '\n']).next().unwrap_or_default();
        // The answer to a HEAD has no body.
        (verb != "HEAD").then(|| farewell::refusal(Address::front(path), problem, words(problem)))
    }
}

/// Reads a refusal of the library.
fn refused(bytes: &[u8]) -> Option<Problem> {
    let rest = bytes.strip_prefix(b"HTTP/1.1 4").filter(|_| bytes.len() <= LONGEST)?;
    let problem = match rest.get(..2)? {
        b"00" => Problem::Invalid,
        b"14" => Problem::AddressTooLong,
        b"31" => Problem::HeadTooLarge,
        _ => return None,
    };
    let head = std::str::from_utf8(rest).ok()?.strip_suffix("\r\n\r\n")?;
    let mut lines = head.split("\r\n").skip(1);
    let known = |line: &str| line == "connection: close" || line == "content-length: 0" || line.starts_with("date: ");
    (lines.clone().any(|line| line == "content-length: 0") && lines.all(known)).then_some(problem)
}

const fn words(problem: Problem) -> &'static str {
    match problem {
        Problem::AddressTooLong => "the address of the request is too long",
        Problem::HeadTooLarge => "the headers are more than 100, or larger than 64 KiB",
        _ => {
            "this is no HTTP that can be read with certainty: the first line of the request, or a header, is malformed"
        }
    }
}

impl<S: AsyncWrite + Unpin> Bare<S> {
    /// Writes what is said in place of a refusal of so many bytes, which is written then.
    fn say(&mut self, context: &mut Context<'_>, refusal: usize) -> Poll<io::Result<usize>> {
        while let Some((bytes, written)) = self.instead.as_mut().filter(|it| it.1 < it.0.len()) {
            match ready!(Pin::new(&mut self.inner).poll_write(context, &bytes[*written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => *written += more,
            }
        }
        self.instead = None;
        Poll::Ready(Ok(refusal))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bare<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buf))?;
        self.hear(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bare<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.instead.is_none() {
            self.instead = self.dressed(bytes).map(|instead| (instead, 0));
        }
        if self.instead.is_some() {
            return self.say(context, bytes.len());
        }
        // What comes after an answer is another head.
        self.begun = 0;
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut said = pieces.iter().filter(|it| !it.is_empty());
        if let (Some(only), None) = (said.next(), said.next()) {
            return self.poll_write(context, only);
        }
        self.begun = 0;
        Pin::new(&mut self.inner).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: &str =
        "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\ndate: now\r\n\r\n";

    #[test]
    fn bare_1_only_a_refusal_of_the_library_is_dressed() {
        assert_eq!(refused(BARE.as_bytes()), Some(Problem::HeadTooLarge));
        for other in [
            BARE.replace("431", "404"),
            BARE.replace("431", "200"),
            BARE.replace("date: now", "x-request-id: 1"),
            BARE.replace("content-length: 0", "content-length: 1"),
            BARE.replace("content-length: 0\r\n", ""),
            format!("{BARE}more"),
            format!("x{BARE}"),
        ] {
            assert_eq!(refused(other.as_bytes()), None, "{other}");
        }
        let pulse = Arc::new(Pulse::default());
        let bare = Bare::new(tokio::io::empty(), pulse.clone());
        assert!(bare.dressed(BARE.as_bytes()).is_some());
        let _asked = pulse.ask(false);
        assert!(bare.dressed(BARE.as_bytes()).is_none(), "it may be what a model says");
    }
}
