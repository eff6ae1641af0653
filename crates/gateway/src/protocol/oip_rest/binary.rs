//! Binary: a body that is JSON, and behind it the bytes of tensors.
//!
//! # Invariants
//! - `BIN-1`: the bytes of a tensor are a slice of the body: they are not copied, and nothing is allocated for what a size
//!   only claims.
//! - `BIN-2`: every byte behind the JSON belongs to one tensor (OIP-03).
//!
//! # Source
//! `docs/design/protocols.md`, section 2.3; the binary tensor data extension of the protocol.

use bytes::Bytes;
use http::{HeaderMap, HeaderName};

use super::parameter::Found;
use crate::tensor::Parameter;

/// Says how many bytes of the body are JSON.
pub(crate) const JSON_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");
/// How many bytes of the tail are a tensor's.
pub(super) const SIZE: &str = "binary_data_size";

/// A body, divided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Divided {
    /// Nothing but JSON.
    Json(Bytes),
    /// JSON, and the bytes behind it.
    Tailed { json: Bytes, tail: Bytes },
    /// No JSON at all: the body is one tensor (OIP-06).
    Raw(Bytes),
}

/// A length of the JSON that the body cannot have.
#[derive(Debug)]
pub(crate) struct BadLength;

/// Divides a body as its headers say.
///
/// # Errors
/// They say it twice, or what cannot be.
pub(crate) fn divide(headers: &HeaderMap, body: Bytes) -> Result<Divided, BadLength> {
    let mut lengths = headers.get_all(JSON_LENGTH).iter();
    let length = match (lengths.next(), lengths.next()) {
        (None, _) => return Ok(Divided::Json(body)),
        (Some(length), None) => length.to_str().ok().filter(|it| it.bytes().all(|byte| byte.is_ascii_digit())),
        (Some(_), Some(_)) => None,
    };
    match length.and_then(|length| length.parse().ok()) {
        Some(0) => Ok(Divided::Raw(body)),
        Some(length) if length <= body.len() => {
            let mut json = body;
            let tail = json.split_off(length);
            Ok(Divided::Tailed { json, tail })
        }
        _ => Err(BadLength),
    }
}

/// The bytes behind the JSON, as far as no tensor has taken them.
#[derive(Debug)]
pub(super) struct Tail(Option<Bytes>);

impl Tail {
    /// Makes a tail; none where the body is JSON alone.
    pub(super) fn new(bytes: Option<Bytes>) -> Self {
        Self(bytes)
    }

    /// Takes the next bytes; none where there are fewer.
    pub(super) fn take(&mut self, size: u64) -> Option<Bytes> {
        let rest = self.0.as_mut()?;
        let size = usize::try_from(size).ok().filter(|size| *size <= rest.len())?;
        Some(rest.split_to(size))
    }

    /// Says whether there is one at all.
    pub(super) fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// Returns how many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.0.as_ref().map_or(0, Bytes::len)
    }
}

/// Reads how many bytes a tensor says that it has; an error where it is no such number.
pub(super) fn size(parameters: &[(String, Found)]) -> Result<Option<u64>, ()> {
    match parameters.iter().find(|(name, _)| name == SIZE) {
        None => Ok(None),
        Some((_, Found::Scalar(Parameter::Int(size)))) => u64::try_from(*size).map(Some).map_err(drop),
        Some((_, Found::Scalar(Parameter::Uint(size)))) => Ok(Some(*size)),
        Some(_) => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divided(lengths: &[&str], body: &'static [u8]) -> Option<Divided> {
        let lengths = lengths.iter().map(|it| (JSON_LENGTH, it.parse().expect("a value")));
        divide(&lengths.collect(), Bytes::from_static(body)).ok()
    }

    #[test]
    fn oip_03_oip_06_a_body_is_divided_where_its_header_says_or_not_at_all() {
        let bytes = Bytes::from_static;
        let tailed = |json, tail| Some(Divided::Tailed { json: bytes(json), tail: bytes(tail) });
        assert_eq!(divided(&[], b"{}ab"), Some(Divided::Json(bytes(b"{}ab"))));
        assert_eq!(divided(&["2"], b"{}ab"), tailed(b"{}", b"ab"));
        assert_eq!(divided(&["4"], b"{}ab"), tailed(b"{}ab", b""));
        assert_eq!(divided(&["0"], b"ab"), Some(Divided::Raw(bytes(b"ab"))));
        for wrong in [&["5"][..], &["-1"], &["+2"], &["2.0"], &[""], &["18446744073709551616"], &["2", "2"], &["2, 2"]]
        {
            assert_eq!(divided(wrong, b"{}ab"), None, "{wrong:?}");
        }
    }

    #[test]
    fn bin_1_what_is_taken_is_a_slice_and_never_more_than_there_is() {
        let body = Bytes::from_static(b"abc");
        let mut tail = Tail::new(Some(body.clone()));
        assert_eq!(tail.take(u64::MAX), None);
        assert_eq!(tail.take(2).map(|it| it.as_ptr()), Some(body.as_ptr()));
        assert_eq!((tail.take(0), tail.take(2), tail.left()), (Some(Bytes::new()), None, 1));
        assert_eq!(Tail::new(None).take(0), None);
    }
}
