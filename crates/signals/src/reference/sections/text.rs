//! `TEXT`: per source and text column how often each bucket of trigrams was there, which trigrams were, and which in several texts.

use crate::{
    reference::{
        Reference,
        bytes::{Reader, Writer},
        header::ColumnKind,
        scalar::Scalar,
    },
    text::Counts,
};

pub(super) fn write(it: &Reference) -> Vec<u8> {
    let mut out = Writer::default();
    for counts in it.parts.iter().flat_map(|it| &it.texts) {
        counts.buckets.iter().for_each(|it| out.small(*it));
        counts.seen.iter().chain(&counts.again).for_each(|it| out.u64(*it));
    }
    out.0
}

pub(super) fn read(reader: &mut Reader<'_>, _: &[Scalar], it: &mut Reference) -> Option<()> {
    let columns = it.header.schema.iter().filter(|it| it.kind == ColumnKind::Text && !it.private).count();
    for part in &mut it.parts {
        part.texts = reader.many(columns, |it| {
            let mut counts = Counts::default();
            let (buckets, words) = (counts.buckets.len(), counts.seen.len());
            counts.buckets = it.many(buckets, Reader::small)?.into();
            counts.seen = it.many(words, Reader::u64)?.into();
            counts.again = it.many(words, Reader::u64)?.into();
            Some(counts)
        })?;
    }
    Some(())
}
