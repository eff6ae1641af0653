//! `ROWS` and `CALI`: the rows that are compared with, and how far from them those are that calibrate.

use crate::{
    anomaly::{Calibration, Encoder, Kept},
    reference::{
        Fitted, Reference,
        bytes::{Reader, Writer},
        scalar::Scalar,
    },
    row::RowId,
};

pub(super) fn write_rows(it: &Reference) -> Vec<u8> {
    let mut out = Writer::default();
    it.score.iter().for_each(|it| rows(it, &mut out));
    out.0
}

/// Writes the rows that a score compares with.
pub(super) fn rows(fitted: &Fitted, out: &mut Writer) {
    out.count(fitted.kept.ids.len());
    for id in &fitted.kept.ids {
        out.u64(id.source);
        out.u64(id.number);
    }
    fitted.kept.columns.iter().for_each(|it| out.f32(*it));
}

pub(super) fn read_rows(reader: &mut Reader<'_>, _: &[Scalar], it: &mut Reference) -> Option<()> {
    it.score.as_mut().map_or(Some(()), |it| take_rows(reader, it))
}

/// Reads the rows that a score compares with.
pub(super) fn take_rows(reader: &mut Reader<'_>, fitted: &mut Fitted) -> Option<()> {
    let width = Encoder::of(fitted.features.clone()).ok()?.columns();
    let count = reader.count(16)?;
    let ids = reader.many(count, |it| Some(RowId { source: it.u64()?, number: it.u64()? }))?;
    let columns = reader.many(count.checked_mul(width)?, Reader::f32)?;
    fitted.kept = Kept { ids, columns };
    (count > 0 && fitted.kept.columns.iter().all(|it| it.abs() <= 1_000.0)).then_some(())
}

pub(super) fn write_scores(it: &Reference) -> Vec<u8> {
    let mut out = Writer::default();
    scores(it.score.as_ref().map_or(&[], |it| it.calibration.scores()), &mut out);
    out.0
}

/// Writes how far the rows are that calibrate.
pub(super) fn scores(scores: &[f32], out: &mut Writer) {
    out.count(scores.len());
    scores.iter().for_each(|it| out.f32(*it));
}

pub(super) fn read_scores(reader: &mut Reader<'_>, _: &[Scalar], it: &mut Reference) -> Option<()> {
    let calibration = take_scores(reader)?;
    match &mut it.score {
        Some(fitted) => fitted.calibration = calibration,
        None if !calibration.scores().is_empty() => return None,
        None => {}
    }
    Some(())
}

/// Reads how far the rows are that calibrate.
pub(super) fn take_scores(reader: &mut Reader<'_>) -> Option<Calibration> {
    let count = reader.count(4)?;
    let scores = reader.many(count, Reader::f32)?;
    let calibration = Calibration::of(scores.clone())?;
    let ascending = calibration.scores().iter().zip(&scores).all(|(a, b)| a.to_bits() == b.to_bits());
    ascending.then_some(calibration)
}
