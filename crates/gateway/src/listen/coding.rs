//! Coding: what a body was compressed with, taken off as it comes (OIP-02).
//!
//! # Invariants
//! - `CODING-1`: no more is held than a body may be: one that grows beyond that is refused at the byte that does, whatever it
//!   was compressed to.
//! - `CODING-2`: what comes is fed in steps that grow to a few megabytes at most, and others have their turn in between.
//!
//! # Source
//! RFC 9110, section 8.4.1; RFC 1950 (`deflate`), RFC 1952 (`gzip`, of one member or several).

use std::io::{self, Write};

use bytes::{Bytes, BytesMut};
use flate2::write::{MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, HeaderName};

use crate::{bodies::Held, rope};

/// Bytes of a step: deflate makes some thousand of one at most.
const STEP: usize = 4 << 10;

/// Why a body cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoilt {
    /// It is larger than one may be.
    TooLarge,
    /// All bodies together have no room for it.
    NoRoom,
    /// It is not what its coding says.
    Broken,
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Deflate,
}

impl Coding {
    /// Reads in a header how a body is compressed; none where that is not read here, as one coding upon another is.
    pub(super) fn of(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let mut codings = headers.get_all(name).iter().map(|value| value.as_bytes().trim_ascii());
        let named = |coding: &[u8]| match coding {
            it if it.eq_ignore_ascii_case(b"identity") => Some(Self::Identity),
            it if it.eq_ignore_ascii_case(b"gzip") || it.eq_ignore_ascii_case(b"x-gzip") => Some(Self::Gzip),
            it if it.eq_ignore_ascii_case(b"deflate") => Some(Self::Deflate),
            _ => None,
        };
        match (codings.next(), codings.next()) {
            (None, _) => Some(Self::Identity),
            (Some(coding), None) => named(coding),
            (Some(_), Some(_)) => None,
        }
    }
}

/// A body that is being read.
pub(super) enum Reading<'h> {
    Identity(Vessel<'h>),
    Gzip(MultiGzDecoder<Vessel<'h>>),
    Deflate(ZlibDecoder<Vessel<'h>>),
}

impl<'h> Reading<'h> {
    pub(super) fn new(coding: Coding, vessel: Vessel<'h>) -> Self {
        match coding {
            Coding::Identity => Self::Identity(vessel),
            Coding::Gzip => Self::Gzip(MultiGzDecoder::new(vessel)),
            Coding::Deflate => Self::Deflate(ZlibDecoder::new(vessel)),
        }
    }

    /// Takes in what came.
    pub(super) async fn push(&mut self, data: &[u8]) -> Result<(), Spoilt> {
        match self {
            Self::Identity(vessel) => vessel.fill(data),
            Self::Gzip(decoder) => feed(data, decoder, MultiGzDecoder::get_ref).await,
            Self::Deflate(decoder) => feed(data, decoder, ZlibDecoder::get_ref).await,
        }
    }

    /// Returns the whole.
    pub(super) fn finish(self) -> Result<Bytes, Spoilt> {
        // What a decoder still holds comes out here, and may be the byte too much.
        let vessel = match self {
            Self::Identity(vessel) => Ok(vessel),
            Self::Gzip(mut decoder) => match decoder.try_finish() {
                Ok(()) => decoder.finish().map_err(|_| Spoilt::Broken),
                Err(_) => Err(decoder.get_ref().spoilt.unwrap_or(Spoilt::Broken)),
            },
            Self::Deflate(mut decoder) => match decoder.try_finish() {
                Ok(()) => decoder.finish().map_err(|_| Spoilt::Broken),
                Err(_) => Err(decoder.get_ref().spoilt.unwrap_or(Spoilt::Broken)),
            },
        };
        vessel.map(|vessel| vessel.whole.freeze())
    }
}

async fn feed<'h, D: Write>(data: &[u8], decoder: &mut D, vessel: fn(&D) -> &Vessel<'h>) -> Result<(), Spoilt> {
    for (at, step) in data.chunks(STEP).enumerate() {
        if at > 0 {
            tokio::task::yield_now().await;
        }
        decoder.write_all(step).map_err(|_| vessel(decoder).spoilt.unwrap_or(Spoilt::Broken))?;
    }
    Ok(())
}

/// Where a body is gathered, and counted.
pub(super) struct Vessel<'h> {
    whole: BytesMut,
    held: &'h mut Held,
    /// Bytes that are to come, as far as the client says; it is not wholly believed.
    declared: usize,
    most: u64,
    all: u64,
    spoilt: Option<Spoilt>,
}

impl<'h> Vessel<'h> {
    /// Makes one for a body of so many bytes at most, of which all together have so many at most.
    pub(super) fn new(held: &'h mut Held, (most, all): (u64, u64), declared: u64) -> Self {
        let declared = usize::try_from(declared).unwrap_or(usize::MAX);
        Self { whole: BytesMut::new(), held, declared, most, all, spoilt: None }
    }

    fn fill(&mut self, data: &[u8]) -> Result<(), Spoilt> {
        let spoilt = match () {
            () if (self.whole.len() + data.len()) as u64 > self.most => Some(Spoilt::TooLarge),
            () if !self.held.grow(data.len() as u64, self.all) => Some(Spoilt::NoRoom),
            () => None,
        };
        if let Some(spoilt) = spoilt {
            self.spoilt = Some(spoilt);
            return Err(spoilt);
        }
        self.make_room(data.len());
        self.whole.extend_from_slice(data);
        Ok(())
    }

    fn make_room(&mut self, more: usize) {
        if self.whole.capacity() - self.whole.len() < more {
            let trusted = rope::trusted(self.declared, self.whole.len());
            self.whole.reserve(trusted.max(more));
        }
    }
}

impl Write for Vessel<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.fill(data).map(|()| data.len()).map_err(|_| io::ErrorKind::OutOfMemory.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flate2::{
        Compression,
        write::{GzEncoder, ZlibEncoder},
    };

    use http::header::CONTENT_ENCODING;

    use super::*;
    use crate::bodies::Bodies;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).expect("memory");
        encoder.finish().expect("memory")
    }

    fn deflate(data: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).expect("memory");
        encoder.finish().expect("memory")
    }

    /// Reads a body that comes in pieces of some size; returns how many bytes are held then, too.
    async fn read(coding: Coding, body: &[u8], piece: usize) -> (Result<Bytes, Spoilt>, u64) {
        let bodies = Arc::new(Bodies::default());
        let mut held = bodies.hold();
        let mut reading = Reading::new(coding, Vessel::new(&mut held, (1 << 20, 1 << 30), 0));
        for piece in body.chunks(piece) {
            if let Err(spoilt) = reading.push(piece).await {
                drop(reading);
                return (Err(spoilt), held.bytes());
            }
        }
        let whole = reading.finish();
        (whole, held.bytes())
    }

    #[tokio::test]
    async fn oip_02_what_was_compressed_comes_back_in_whatever_pieces_it_comes() {
        let body: Vec<u8> = (0..100_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        let two = [gzip(&body[..999]), gzip(&body[999..])].concat();
        for (coding, sent) in [
            (Coding::Identity, body.clone()),
            (Coding::Gzip, gzip(&body)),
            (Coding::Gzip, two),
            (Coding::Deflate, deflate(&body)),
        ] {
            for piece in [1, 7, 4_096, 1 << 20] {
                let (whole, held) = read(coding, &sent, piece).await;
                assert!(whole.as_deref() == Ok(&body[..]), "{coding:?} in pieces of {piece}");
                assert_eq!(held, body.len() as u64, "BODY-1: {coding:?}");
            }
        }
    }

    #[tokio::test]
    async fn oip_02_a_bomb_is_refused_at_the_byte_that_goes_over_the_limit() {
        let small = vec![0; (1 << 20) + 1];
        for (coding, bomb) in [(Coding::Gzip, gzip(&small)), (Coding::Deflate, deflate(&small))] {
            assert_eq!(read(coding, &bomb, 64 << 10).await.0, Err(Spoilt::TooLarge), "{coding:?}");
        }
        let zeros = vec![0; 16 << 20];
        for (coding, bomb) in [(Coding::Gzip, gzip(&zeros)), (Coding::Deflate, deflate(&zeros))] {
            let (whole, held) = read(coding, &bomb, 64 << 10).await;
            assert_eq!(whole, Err(Spoilt::TooLarge), "{coding:?}");
            assert!(held <= 1 << 20, "CODING-1: {held} bytes are held");
        }
    }

    #[tokio::test]
    async fn oip_02_what_is_cut_changed_or_followed_by_more_is_broken() {
        for (coding, good) in [(Coding::Gzip, gzip(b"abcdefgh")), (Coding::Deflate, deflate(b"abcdefgh"))] {
            for length in 0..good.len() {
                assert_eq!(read(coding, &good[..length], 5).await.0, Err(Spoilt::Broken), "{coding:?} cut at {length}");
            }
            let more = [&good[..], b"more of it"].concat();
            assert_eq!(read(coding, &more, 100).await.0, Err(Spoilt::Broken), "{coding:?}");
            let mut changed = good.clone();
            let at = changed.len() - 3;
            changed[at] ^= 1;
            assert_eq!(read(coding, &changed, 100).await.0, Err(Spoilt::Broken), "{coding:?}");
            assert_eq!(read(coding, b"{\"inputs\":[]}", 100).await.0, Err(Spoilt::Broken), "{coding:?}");
        }
    }

    #[test]
    fn one_coding_is_read_and_no_other() {
        let of = |values: &[&str]| {
            let headers = values.iter().map(|it| (CONTENT_ENCODING, it.parse().expect("a value"))).collect();
            Coding::of(&headers, &CONTENT_ENCODING)
        };
        assert_eq!((of(&[]), of(&["identity"])), (Some(Coding::Identity), Some(Coding::Identity)));
        assert_eq!(
            (of(&["GZIP"]), of(&["x-gzip"]), of(&["Deflate"])),
            (Some(Coding::Gzip), Some(Coding::Gzip), Some(Coding::Deflate),)
        );
        for unread in [&["br"][..], &["gzip, gzip"], &["gzip", "gzip"], &["zstd"], &[""]] {
            assert_eq!(of(unread), None, "{unread:?}");
        }
    }
}
