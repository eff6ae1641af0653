//! Rope: a body in pieces that stand where they came: what is large is not copied to be sent.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// Bytes that are handed on at once: what lies beyond them is ours to drop where nobody reads it (HP-10). It is also what
/// a client of HTTP/2 must take in `server.write`, to count as one that reads.
const PIECE: usize = 16 << 10;

/// A piece of so many bytes is not worth to stand alone: it is copied sooner than it is sent by itself.
pub(crate) const SMALL: usize = 4 << 10;

/// Bytes that have to come before a declared length is believed.
const EARNEST: usize = 4 << 20;

/// Returns for how many bytes more room is made of what was declared, when so many have come: three times as many, and all
/// of it behind the first megabytes. A buffer that only doubles is copied, and held twice, more often than it must be, and
/// one as large as declared would be a gift.
pub(crate) fn trusted(declared: usize, came: usize) -> usize {
    let left = declared.saturating_sub(came);
    if came >= EARNEST { left } else { left.min(3 * came) }
}

/// Bytes, one piece behind the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rope {
    first: Bytes,
    // Most have no more than one piece, and need no memory for it.
    rest: VecDeque<Bytes>,
}

impl Rope {
    /// Appends a piece.
    pub(crate) fn push(&mut self, piece: Bytes) {
        match self.first.is_empty() {
            true => self.first = piece,
            false if piece.is_empty() => {}
            false => self.rest.push_back(piece),
        }
    }

    /// Appends another rope.
    pub(crate) fn append(&mut self, other: Self) {
        self.push(other.first);
        other.rest.into_iter().for_each(|piece| self.push(piece));
    }

    /// Returns how many bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.first.len() + self.rest.iter().map(Bytes::len).sum::<usize>()
    }

    /// Returns it as text; what is none is replaced.
    pub(crate) fn to_text(&self) -> String {
        let pieces: Vec<u8> = self.rest.iter().fold(self.first.to_vec(), |all, piece| [&all, &piece[..]].concat());
        String::from_utf8_lossy(&pieces).into_owned()
    }

    /// Takes the next bytes, at most [`PIECE`] of them; none at the end.
    pub(crate) fn next_piece(&mut self) -> Option<Bytes> {
        if self.first.is_empty() {
            return None;
        }
        let piece = self.first.split_to(self.first.len().min(PIECE));
        if self.first.is_empty() {
            self.first = self.rest.pop_front().unwrap_or_default();
        }
        Some(piece)
    }
}

impl From<Bytes> for Rope {
    fn from(bytes: Bytes) -> Self {
        Self { first: bytes, rest: VecDeque::new() }
    }
}

impl Body for Rope {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.get_mut().next_piece().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declared_length_is_believed_as_far_as_it_was_earned() {
        let all = 64 << 20;
        assert_eq!((trusted(all, 0), trusted(all, 1_000), trusted(1_500, 1_000)), (0, 3_000, 500));
        assert_eq!((trusted(all, EARNEST), trusted(0, EARNEST)), (all - EARNEST, 0));
    }

    #[test]
    fn pieces_come_in_order_none_empty_and_none_copied() {
        let large = Bytes::from(vec![7; PIECE + 1]);
        let mut rope = Rope::default();
        for piece in [Bytes::new(), Bytes::from_static(b"ab"), Bytes::new(), large.clone(), Bytes::from_static(b"c")] {
            rope.push(piece);
        }
        assert_eq!(rope.len(), 2 + PIECE + 1 + 1);
        let pieces: Vec<Bytes> = std::iter::from_fn(|| rope.next_piece()).collect();
        assert_eq!(pieces.iter().map(Bytes::len).collect::<Vec<_>>(), [2, PIECE, 1, 1]);
        assert_eq!(pieces[1].as_ptr(), large.as_ptr());
        assert!(rope.is_end_stream() && rope.len() == 0);
    }
}
