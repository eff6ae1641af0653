//! Assemble: everything that a reference holds, from what cannot be computed: its sample, and what is kept per source.

use super::{
    Fitted, Part, Reference, Spread, file,
    header::{Header, Role, Rows},
    sample::Sampled,
    scalar::{self, Held, Private, Scalar},
};
use crate::{
    anomaly::{FitRow, RowScore, Settings},
    cells::{Cells, Seasons, Value},
    row::{self, Kind},
};

/// Rows from which on a bucket of hours stands for itself.
const BUCKET: u64 = 1_000;
/// Quantiles of a spread.
const QUANTILES: [f64; 6] = [0.001, 0.25, 0.5, 0.75, 0.99, 0.999];

/// What cannot be computed.
#[derive(Clone, Debug)]
pub(super) struct Basis {
    pub(super) header: Header,
    /// In the order of the header's sources.
    pub(super) parts: Vec<Part>,
    /// Per private scalar; none where its cells were dropped.
    pub(super) private: Vec<Option<Private>>,
    /// In its order.
    pub(super) sample: Vec<Sampled>,
}

/// Computes the rest.
pub(super) fn assemble(basis: Basis) -> Reference {
    let Basis { mut header, parts, private, sample } = basis;
    let scalars = scalar::of(&header.schema);
    let seasons = seasons(&header, &sample);
    let score = score(&header, &features(&header, &scalars), &sample);
    let distance = distance(&header, &scalars, &sample);
    let cells = cells(&scalars, seasons.as_ref(), &sample, &sum(&private, &parts));
    let score_cells =
        score.as_ref().map(|it| Cells::numbers(it.calibration.scores().iter().map(|it| Value::Number(f64::from(*it)))));
    let count = |it: usize| u64::try_from(it).expect("a count");
    let (kept, calibrating) = score.as_ref().map_or((0, 0), |it| (it.kept.ids.len(), it.calibration.scores().len()));
    header.rows = Rows {
        all: header.sources.iter().fold(0, |sum, it| sum.saturating_add(it.rows)),
        sample: count(sample.len()),
        fitted: score.as_ref().map_or(0, |it| it.features[0].rows),
        kept: count(kept),
        calibrating: count(calibrating),
    };
    let spreads = spreads(&scalars, &sample);
    let reference = Reference {
        header,
        digest: [0; 32],
        seasons,
        cells,
        score_cells,
        score,
        distance,
        spreads,
        parts,
        private,
        sample: Some(sample),
    };
    file::sealed(reference)
}

/// The counts of private scalars, of all sources together; none where their cells were dropped.
pub(super) fn sum(private: &[Option<Private>], parts: &[Part]) -> Vec<Option<Cells>> {
    let of = |(at, kind): (usize, &Option<Private>)| {
        let kind = kind.as_ref()?.0.clone();
        let cells = parts.first()?.private.get(at)?.len();
        let mut counts = vec![0_u64; cells];
        for part in parts {
            counts.iter_mut().zip(part.private.get(at)?).for_each(|(sum, it)| *sum = sum.saturating_add(*it));
        }
        Cells::of(kind, counts)
    };
    private.iter().enumerate().map(of).collect()
}

fn seasons(header: &Header, sample: &[Sampled]) -> Option<Seasons> {
    let season = header.repeats.season()?;
    let mut hours = vec![0; season.hours()];
    sample.iter().filter_map(|it| it.at).for_each(|it| hours[season.hour(it)] += 1);
    Seasons::joined(season, &hours, BUCKET)
}

/// The cells of all scalars, bucket by bucket.
fn cells(
    scalars: &[Scalar],
    seasons: Option<&Seasons>,
    sample: &[Sampled],
    private: &[Option<Cells>],
) -> Vec<Vec<Cells>> {
    let buckets = seasons.map_or(1, Seasons::buckets);
    let bucket = |it: &Sampled| seasons.zip(it.at).map_or(0, |(seasons, at)| seasons.bucket(at));
    let (mut public, mut hidden) = (0..usize::MAX, private.iter());
    let of = |scalar: &Scalar| {
        if scalar.private {
            return hidden.next().into_iter().flatten().cloned().collect();
        }
        let place = public.next().expect("endless");
        let one = |at: usize| {
            let rows = sample.iter().filter(|it| bucket(it) == at).map(|it| it.values[place].cell());
            if scalar.names { Cells::categories(rows) } else { Cells::numbers(rows) }
        };
        (0..buckets).map(one).collect()
    };
    scalars.iter().map(of).collect()
}

/// The places of the public scalars of inputs among the values of a sampled row, with their names.
pub(super) fn features<'a>(header: &Header, scalars: &'a [Scalar]) -> Vec<(usize, &'a Scalar)> {
    let public = scalars.iter().filter(|it| !it.private).enumerate();
    public.filter(|it| header.schema[it.1.column].role == Role::Input).collect()
}

/// The places of the numbers of what a text means among the values of a sampled row, with their names; none where it is not known.
pub(super) fn meanings<'a>(header: &Header, scalars: &'a [Scalar]) -> Vec<(usize, &'a Scalar)> {
    let public = scalars.iter().filter(|it| !it.private).enumerate();
    public.filter(|it| header.schema[it.1.column].role == Role::Meaning).collect()
}

/// Fits the distance of what a text means, by the rows of which that is known: a gap is no place from which anything is far.
fn distance(header: &Header, scalars: &[Scalar], sample: &[Sampled]) -> Option<Fitted> {
    let features = meanings(header, scalars);
    let (first, _) = features.first()?;
    let known: Vec<Sampled> =
        sample.iter().filter(|it| matches!(it.values[*first], Held::Number(_))).cloned().collect();
    score(header, &features, &known)
}

/// Fits a score by rows; none where there is nothing to fit it by.
fn score(header: &Header, features: &[(usize, &Scalar)], sample: &[Sampled]) -> Option<Fitted> {
    let kind = |it: &Scalar| if it.names { Kind::Category } else { Kind::Number };
    let named: Vec<_> = features.iter().map(|it| (it.1.name.as_str(), kind(it.1))).collect();
    let rows: Vec<(_, Vec<_>)> =
        sample.iter().map(|row| (row.id, features.iter().map(|it| value(row, it.0)).collect())).collect();
    let rows: Vec<_> = rows.iter().map(|(id, values)| FitRow { id: *id, values }).collect();
    let rate = f64::from(header.false_alarms_per_million) / 1e6;
    let settings = Settings { seed: header.seed, false_alarm_rate: Some(rate) };
    let score = RowScore::fit(&named, &rows, settings).ok()?;
    let features = score.encoder().features().to_vec();
    Some(Fitted { features, kept: score.kept().clone(), calibration: score.calibration().clone() })
}

fn value(row: &Sampled, place: usize) -> row::Value<'_> {
    row.values[place].value()
}

/// The quantiles of the public scalars that are numbers.
fn spreads(scalars: &[Scalar], sample: &[Sampled]) -> Vec<Option<Spread>> {
    let mut public = 0..usize::MAX;
    let of = |scalar: &Scalar| {
        let place = (!scalar.private).then(|| public.next().expect("endless"))?;
        let number = |it: &Sampled| match value(it, place) {
            row::Value::Number(number) => Some(number).filter(|it| it.is_finite()),
            _ => None,
        };
        let mut numbers: Vec<f64> = sample.iter().filter_map(number).collect();
        numbers.sort_unstable_by(f64::total_cmp);
        let last = numbers.len().checked_sub(1)?;
        // The nearest rank: always the value of a row.
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most 20,000"
        )]
        let at = QUANTILES.map(|it| numbers[((it * numbers.len() as f64).ceil() as usize).saturating_sub(1).min(last)]);
        Some(Spread { rows: u64::try_from(numbers.len()).expect("a count"), at })
    };
    scalars.iter().map(of).collect()
}
