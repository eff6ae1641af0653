//! `CELL`: buckets of hours, the cells of all scalars, and those of the row score. Of a private scalar the cells stand once, and the
//! counts per source.

use crate::{
    cells::{Categories, Cells, Ends, HOUR_NS, Kind, Seasons},
    reference::{
        Part, Reference, assemble,
        bytes::{Reader, Writer},
        scalar::{Private, Scalar},
    },
};

pub(super) fn write(it: &Reference) -> Vec<u8> {
    let mut out = Writer::default();
    if let Some((seasons, season)) = it.seasons.as_ref().zip(it.header.repeats.season()) {
        let hour = |hour: usize| seasons.bucket(hour as u64 * HOUR_NS);
        (0..season.hours()).for_each(|at| out.byte(u8::try_from(hour(at)).expect("at most 168 buckets")));
    }
    let mut private = it.private.iter();
    for (scalar, buckets) in it.scalars().iter().zip(&it.cells) {
        if scalar.private {
            let kind = private.next().and_then(Option::as_ref);
            out.byte(u8::from(kind.is_some()));
            kind.iter().for_each(|it| write_kind(&mut out, &it.0));
        } else {
            buckets.iter().for_each(|it| write_cells(&mut out, it));
        }
    }
    for counts in it.parts.iter().flat_map(|it| &it.private) {
        out.count(counts.len());
        counts.iter().for_each(|it| out.small(*it));
    }
    out.byte(u8::from(it.score_cells.is_some()));
    it.score_cells.iter().for_each(|it| write_cells(&mut out, it));
    out.0
}

pub(super) fn read(reader: &mut Reader<'_>, scalars: &[Scalar], it: &mut Reference) -> Option<()> {
    if let Some(season) = it.header.repeats.season() {
        let buckets = reader.many(season.hours(), |it| it.byte().map(usize::from))?;
        it.seasons = Some(Seasons::of(season, buckets)?);
    }
    let buckets = it.seasons.as_ref().map_or(1, Seasons::buckets);
    let mut shown = Vec::new();
    for scalar in scalars {
        if scalar.private {
            let kind = match reader.byte()? {
                0 => None,
                1 => Some(Private(read_kind(reader, scalar.names)?)),
                _ => return None,
            };
            it.private.push(kind);
            shown.push(Vec::new());
        } else {
            shown.push(reader.many(buckets, |it| read_cells_of(it, scalar.names))?);
        }
    }
    for source in &it.header.sources {
        let digest = digest(&source.digest)?;
        let counts = |reader: &mut Reader<'_>| {
            let count = reader.count(1)?;
            reader.many(count, Reader::small)
        };
        let private = reader.many(it.private.len(), counts)?;
        it.parts.push(Part { digest, texts: Vec::new(), private });
    }
    let sums = assemble::sum(&it.private, &it.parts);
    // Cells that are there have counts, and those that were dropped have none.
    let fit = |(at, kind): (usize, &Option<Private>)| match kind {
        Some(_) => {
            sums[at].as_ref().is_some_and(|sum| it.parts.iter().all(|it| it.private[at].len() == sum.counts().len()))
        }
        None => it.parts.iter().all(|it| it.private[at].is_empty()),
    };
    if !it.private.iter().enumerate().all(fit) {
        return None;
    }
    let mut sums = sums.into_iter();
    for (_, shown) in scalars.iter().zip(&mut shown).filter(|it| it.0.private) {
        *shown = sums.next()?.into_iter().collect();
    }
    it.cells = shown;
    it.score_cells = match reader.byte()? {
        0 => None,
        1 => Some(read_cells_of(reader, false)?),
        _ => return None,
    };
    Some(())
}

fn write_cells(out: &mut Writer, it: &Cells) {
    write_kind(out, it.kind());
    it.counts().iter().for_each(|it| out.small(*it));
}

fn read_cells_of(reader: &mut Reader<'_>, names: bool) -> Option<Cells> {
    let kind = read_kind(reader, names)?;
    let cells = 2 + match &kind {
        Kind::Numbers(ends) => ends.cells(),
        Kind::Categories(categories) => categories.cells(),
    };
    Cells::of(kind, reader.many(cells, Reader::small)?)
}

fn write_kind(out: &mut Writer, kind: &Kind) {
    match kind {
        Kind::Numbers(ends) => {
            out.count(ends.ends().len());
            ends.ends().iter().for_each(|it| out.f64(*it));
        }
        Kind::Categories(categories) => {
            let names = categories.names();
            out.count(names.len());
            names.iter().for_each(|it| out.text(it));
            out.byte(u8::from(categories.others().is_some()));
            if let Some(others) = categories.others() {
                out.count(others.len());
                others.iter().for_each(|it| out.u64(*it));
            }
        }
    }
}

fn read_kind(reader: &mut Reader<'_>, names: bool) -> Option<Kind> {
    if !names {
        let count = reader.count(8)?;
        return Some(Kind::Numbers(Ends::of(&reader.many(count, Reader::f64)?)?));
    }
    let count = reader.count(4)?;
    let names = reader.many(count, Reader::text)?;
    let others = match reader.byte()? {
        0 => None,
        1 => {
            let count = reader.count(8)?;
            Some(reader.many(count, Reader::u64)?)
        }
        _ => return None,
    };
    Some(Kind::Categories(Categories::of(&names, others)?))
}

/// Reads 64 hexadecimal digits, small letters.
fn digest(text: &str) -> Option<[u8; 32]> {
    let digit = |it: u8| char::from(it).to_digit(16).filter(|_| !it.is_ascii_uppercase());
    let pairs = text.as_bytes().chunks_exact(2);
    let bytes: Option<Vec<u8>> = pairs.map(|it| u8::try_from(digit(it[0])? * 16 + digit(it[1])?).ok()).collect();
    bytes?.try_into().ok().filter(|_| text.len() == 64)
}
