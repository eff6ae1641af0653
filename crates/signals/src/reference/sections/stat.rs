//! `STAT`: what the fitted rows say of each feature, and the quantiles of each scalar of numbers.

use crate::{
    anomaly::{Calibration, Encoder, Feature, Form, Kept},
    reference::{
        Fitted, Reference, Spread, assemble,
        bytes::{Reader, Writer},
        scalar::Scalar,
    },
};

pub(super) fn write(it: &Reference) -> Vec<u8> {
    let mut out = Writer::default();
    features(it.score.as_ref().map_or(&[], |it| &it.features), &mut out);
    for spread in &it.spreads {
        out.byte(u8::from(spread.is_some()));
        spread.iter().for_each(|it| {
            out.u64(it.rows);
            it.at.iter().for_each(|it| out.f64(*it));
        });
    }
    out.0
}

/// Writes what the fitted rows say of each feature.
pub(super) fn features(features: &[Feature], out: &mut Writer) {
    out.count(features.len());
    for feature in features {
        out.text(&feature.name);
        out.u64(feature.rows);
        out.u64(feature.missing);
        match &feature.form {
            Form::Number { mean, sd } => {
                out.byte(0);
                out.f64(*mean);
                out.f64(*sd);
            }
            Form::Category { names, other } => {
                out.byte(1);
                out.count(names.len());
                names.iter().for_each(|(name, count)| {
                    out.text(name);
                    out.u64(*count);
                });
                out.u64(*other);
            }
        }
    }
}

/// Reads what the fitted rows say of each feature.
pub(super) fn take_features(reader: &mut Reader<'_>) -> Option<Vec<Feature>> {
    let count = reader.count(21)?;
    reader.many(count, read_feature)
}

pub(super) fn read(reader: &mut Reader<'_>, scalars: &[Scalar], it: &mut Reference) -> Option<()> {
    let features = take_features(reader)?;
    let named = assemble::features(&it.header, scalars);
    let alike = |(of, feature): (&(usize, &Scalar), &Feature)| {
        of.1.name == feature.name && of.1.names == matches!(feature.form, Form::Category { .. })
    };
    let fit = named.len() == features.len() && named.iter().zip(&features).all(alike);
    if !features.is_empty() {
        if !fit || Encoder::of(features.clone()).is_err() {
            return None;
        }
        it.score = Some(Fitted { features, kept: Kept::default(), calibration: Calibration::default() });
    }
    it.spreads = reader.many(scalars.len(), |reader| match reader.byte()? {
        0 => Some(None),
        1 => {
            let rows = reader.u64()?;
            let at: [f64; 6] = reader.many(6, Reader::f64)?.try_into().ok()?;
            let sound = at.iter().all(|it| it.is_finite()) && at.windows(2).all(|it| it[0] <= it[1]);
            sound.then_some(Some(Spread { rows, at }))
        }
        _ => None,
    })?;
    Some(())
}

fn read_feature(reader: &mut Reader<'_>) -> Option<Feature> {
    let name = reader.text()?.to_owned();
    let (rows, missing) = (reader.u64()?, reader.u64()?);
    let form = match reader.byte()? {
        0 => Form::Number { mean: reader.f64()?, sd: reader.f64()? },
        1 => {
            let count = reader.count(12)?;
            let names = reader.many(count, |it| Some((it.text()?.to_owned(), it.u64()?)))?;
            Form::Category { names, other: reader.u64()? }
        }
        _ => return None,
    };
    Some(Feature { name, rows, missing, form })
}
