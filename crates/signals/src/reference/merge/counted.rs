//! Counted: two references without samples as one. The counts of their cells add; what needs rows comes from the larger of them.

use sha2::{Digest as _, Sha256};

use super::Unmergeable;
use crate::{
    cells::Cells,
    reference::{Reference, assemble, file, sections},
};

/// Adds the cells of both to what is already put together of header, sources and private cells.
///
/// # Errors
/// A source stands in both, unless they are one and the same, or cells differ.
pub(super) fn add(one: &Reference, other: &Reference, merged: Reference) -> Result<Reference, Unmergeable> {
    if one == other {
        return Ok(one.clone());
    }
    // Their rows are not known, so those that stand in both cannot be counted once.
    if let Some(twice) = one.header.sources.iter().find(|it| other.header.sources.contains(it)) {
        return Err(Unmergeable::Source(twice.digest.clone()));
    }
    if one.seasons != other.seasons {
        return Err(Unmergeable::Cells("the hours".into()));
    }
    let larger = if weight(one) > weight(other) { one } else { other };
    let mut private = assemble::sum(&merged.private, &merged.parts).into_iter();
    let mut cells = Vec::new();
    for (at, scalar) in one.scalars().into_iter().enumerate() {
        if scalar.private {
            cells.push(private.next().flatten().into_iter().collect());
            continue;
        }
        let both = one.cells[at].iter().zip(&other.cells[at]);
        let sums: Result<Vec<Cells>, _> = both.map(|(a, b)| sum(a, b)).collect();
        cells.push(sums.map_err(|_| Unmergeable::Cells(scalar.name))?);
    }
    let mut header = merged.header.clone();
    header.rows = larger.header.rows;
    header.rows.all = header.sources.iter().fold(0, |sum, it| sum.saturating_add(it.rows));
    let (score, distance) = (larger.score.clone(), larger.distance.clone());
    let (score_cells, spreads) = (larger.score_cells.clone(), larger.spreads.clone());
    Ok(file::sealed(Reference { header, cells, score, distance, score_cells, spreads, sample: None, ..merged }))
}

fn sum(one: &Cells, other: &Cells) -> Result<Cells, crate::shape::Incompatible> {
    let mut sum = one.clone();
    sum.merge(other)?;
    Ok(sum)
}

/// What makes one larger: the rows that its score came from, then what that is, so that the larger of three is the same in any order.
fn weight(of: &Reference) -> (u64, Vec<u8>) {
    let mut digest = Sha256::new();
    for (_, content) in sections::write(of).iter().filter(|it| [*b"STAT", *b"ROWS", *b"CALI", *b"DIST"].contains(&it.0))
    {
        digest.update(content);
    }
    (of.header.rows.sample, digest.finalize().to_vec())
}
