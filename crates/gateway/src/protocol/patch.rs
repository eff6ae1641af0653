//! Patch: bytes with some of them written otherwise; all else stays byte for byte.

use std::ops::Range;

use bytes::Bytes;

/// What is written in place of what stands there.
pub(crate) type Patch = (Range<usize>, Vec<u8>);

/// Writes bytes with changes that do not overlap, in any order.
pub(crate) fn patched(body: &[u8], mut patches: Vec<Patch>) -> Bytes {
    patches.sort_by_key(|(place, _)| place.start);
    let added: usize = patches.iter().map(|(_, text)| text.len()).sum();
    let (mut out, mut at) = (Vec::with_capacity(body.len() + added), 0);
    for (place, text) in patches {
        out.extend_from_slice(&body[at..place.start]);
        out.extend_from_slice(&text);
        at = place.end;
    }
    out.extend_from_slice(&body[at..]);
    out.into()
}
