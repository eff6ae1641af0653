//! `DIST`: what the distance of a text's meaning is made of: what the fitted rows say of each number of an embedding, the rows that are
//! compared with, and how far from them those are that calibrate.

use super::{kept, stat};
use crate::{
    anomaly::{Calibration, Encoder, Feature, Form, Kept},
    reference::{
        Fitted, Reference, assemble,
        bytes::{Reader, Writer},
        scalar::Scalar,
    },
};

pub(super) fn write(it: &Fitted) -> Vec<u8> {
    let mut out = Writer::default();
    stat::features(&it.features, &mut out);
    kept::rows(it, &mut out);
    kept::scores(it.calibration.scores(), &mut out);
    out.0
}

pub(super) fn read(reader: &mut Reader<'_>, scalars: &[Scalar], it: &mut Reference) -> Option<()> {
    let features = stat::take_features(reader)?;
    let named = assemble::meanings(&it.header, scalars);
    let alike = |(of, feature): (&(usize, &Scalar), &Feature)| {
        of.1.name == feature.name && matches!(feature.form, Form::Number { .. })
    };
    let fit = !named.is_empty() && named.len() == features.len() && named.iter().zip(&features).all(alike);
    if !fit || Encoder::of(features.clone()).is_err() {
        return None;
    }
    let mut fitted = Fitted { features, kept: Kept::default(), calibration: Calibration::default() };
    kept::take_rows(reader, &mut fitted)?;
    fitted.calibration = kept::take_scores(reader)?;
    it.distance = Some(fitted);
    Some(())
}
