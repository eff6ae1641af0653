//! Sections: what stands in each, and what must fit together.

mod cell;
mod dist;
mod kept;
mod samp;
mod stat;
mod text;

use std::collections::BTreeMap;

use super::{
    Reference,
    bytes::Reader,
    file::{Tag, Unreadable},
    header::Header,
    scalar::{self, Scalar},
};

/// Reads one section into a reference; none where it holds what cannot be.
type Read = fn(&mut Reader<'_>, &[Scalar], &mut Reference) -> Option<()>;

/// Writes all sections, in their order.
pub(super) fn write(it: &Reference) -> Vec<(Tag, Vec<u8>)> {
    let mut all = vec![
        (*b"CELL", cell::write(it)),
        (*b"STAT", stat::write(it)),
        (*b"ROWS", kept::write_rows(it)),
        (*b"CALI", kept::write_scores(it)),
        (*b"TEXT", text::write(it)),
    ];
    all.extend(it.distance.as_ref().map(|it| (*b"DIST", dist::write(it))));
    all.extend(it.sample.as_ref().map(|it| (*b"SAMP", samp::write(it))));
    all
}

/// Reads all sections; those that are not known are passed over (`REF-5`).
pub(super) fn read(header: Header, digest: [u8; 32], found: &BTreeMap<Tag, &[u8]>) -> Result<Reference, Unreadable> {
    let name = |tag: &Tag| String::from_utf8_lossy(tag).into_owned();
    let section = |tag: &Tag| {
        let content = found.get(tag).ok_or_else(|| Unreadable::Section(name(tag), "is not there"))?;
        Ok(Reader(content))
    };
    let whole = |tag: &Tag, read: Option<()>, reader: &Reader<'_>| {
        let whole = read.is_some() && reader.0.is_empty();
        whole.then_some(()).ok_or_else(|| Unreadable::Section(name(tag), "holds what cannot be"))
    };
    let scalars = scalar::of(&header.schema);
    let mut it = Reference {
        header,
        digest,
        seasons: None,
        cells: Vec::new(),
        score_cells: None,
        score: None,
        distance: None,
        spreads: Vec::new(),
        parts: Vec::new(),
        private: Vec::new(),
        sample: None,
    };
    let readers: [(&Tag, Read); 5] = [
        (b"CELL", cell::read),
        (b"STAT", stat::read),
        (b"ROWS", kept::read_rows),
        (b"CALI", kept::read_scores),
        (b"TEXT", text::read),
    ];
    for (tag, read) in readers {
        let mut reader = section(tag)?;
        let read = read(&mut reader, &scalars, &mut it);
        whole(tag, read, &reader)?;
    }
    let optional: [(&Tag, Read); 2] = [(b"DIST", dist::read), (b"SAMP", samp::read)];
    for (tag, read) in optional.into_iter().filter(|it| found.contains_key(it.0)) {
        let mut reader = section(tag)?;
        let read = read(&mut reader, &scalars, &mut it);
        whole(tag, read, &reader)?;
    }
    Ok(it)
}
