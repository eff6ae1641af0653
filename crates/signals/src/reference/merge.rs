//! Merge: the reference that the rows of two would have made (`REF-2`).
//!
//! Rows of a source that stands in both count once. What is computed from the sample is computed anew; what is kept per source is put
//! side by side. Two that have no sample can be added, where all their cells are the same.

mod counted;

use std::collections::BTreeMap;

use super::{
    Part, Reference,
    assemble::{self, Basis},
    header::Source,
    sample::{self, Sampled},
    scalar::Private,
};

/// A merged reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// It.
    pub reference: Reference,
    /// The private scalars whose cells had to be dropped, because those of the two are not the same.
    pub dropped: Vec<String>,
}

/// Why two references cannot be made one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unmergeable {
    /// They were made by other plans.
    #[error("their {0} differ: build both by one plan")]
    Plan(&'static str),
    /// Their private names were hashed by other keys.
    #[error("their private names were hashed by two keys, by which the same name is two: build both with one key")]
    Key,
    /// One has a sample, from which all would be computed, and the other has none.
    #[error("one of them has no sample: build it with one, or take that of the other away, too")]
    NoSample,
    /// Neither has a sample, and their cells are not the same.
    #[error("neither has a sample, and the cells of `{0}` differ: only the same cells can be added")]
    Cells(String),
    /// A source stands in both, and they do not agree on it.
    #[error("source {0} stands in both with other rows: build one of them again")]
    Source(String),
}

impl Reference {
    /// Returns the reference of the rows of both.
    ///
    /// # Errors
    /// They were made by other plans, or do not agree on a source, or one has no sample.
    pub fn merge(&self, other: &Self) -> Result<Merged, Unmergeable> {
        let (one, two) = (&self.header, &other.header);
        for (alike, what) in [
            (one.route == two.route, "routes"),
            (one.schema == two.schema, "columns"),
            (one.seed == two.seed, "seeds"),
            (one.false_alarms_per_million == two.false_alarms_per_million, "false-alarm rates"),
            (one.repeats == two.repeats, "seasons"),
        ] {
            if !alike {
                return Err(Unmergeable::Plan(what));
            }
        }
        if one.key.as_ref().zip(other.header.key.as_ref()).is_some_and(|(a, b)| a != b) {
            return Err(Unmergeable::Key);
        }
        let same = |(a, b): (&Option<Private>, &Option<Private>)| a.clone().filter(|it| Some(it) == b.as_ref());
        let private: Vec<_> = self.private.iter().zip(&other.private).map(same).collect();
        let (sources, parts) = sources(self, other, &private)?;
        let header = super::Header {
            sources,
            tool: one.tool.clone().max(two.tool.clone()),
            labels: one.labels || two.labels,
            key: one.key.clone().or_else(|| two.key.clone()),
            ..one.clone()
        };
        let reference = match (&self.sample, &other.sample) {
            (Some(ours), Some(theirs)) => {
                assemble::assemble(Basis { header, parts, private: private.clone(), sample: rows(ours, theirs)? })
            }
            (None, None) => {
                counted::add(self, other, Reference { header, parts, private: private.clone(), ..self.clone() })?
            }
            _ => return Err(Unmergeable::NoSample),
        };
        let hidden = self.scalars().into_iter().filter(|it| it.private);
        let lost = hidden.zip(&private).zip(self.private.iter().zip(&other.private));
        let lost = lost.filter(|((_, kept), before)| kept.is_none() && (before.0.is_some() || before.1.is_some()));
        let dropped = lost.map(|((scalar, _), _)| scalar.name).collect();
        Ok(Merged { reference, dropped })
    }

    /// Returns it without its sample: no row of it can be read but the 256 that are kept, and it merges only with one of the same
    /// cells that has none either.
    #[must_use]
    pub fn without_sample(self) -> Self {
        super::file::sealed(Self { sample: None, ..self })
    }
}

/// The sources of both, ascending, with what is kept of each.
fn sources(
    one: &Reference,
    other: &Reference,
    private: &[Option<Private>],
) -> Result<(Vec<Source>, Vec<Part>), Unmergeable> {
    let mut all = BTreeMap::<String, (Source, Part)>::new();
    for reference in [one, other] {
        for (source, part) in reference.header.sources.iter().zip(&reference.parts) {
            let mut part = part.clone();
            part.private.iter_mut().zip(private).filter(|it| it.1.is_none()).for_each(|it| it.0.clear());
            let both = (source.clone(), part);
            let first = all.entry(source.digest.clone()).or_insert_with(|| both.clone());
            if *first != both {
                return Err(Unmergeable::Source(source.digest.clone()));
            }
        }
    }
    // Rows are known by the first eight bytes.
    let begins: Vec<&[u8]> = all.values().map(|it| &it.1.digest[..8]).collect();
    if let Some(at) = begins.windows(2).position(|it| it[0] == it[1]) {
        return Err(Unmergeable::Source(super::scalar::hex(begins[at])));
    }
    Ok(all.into_values().unzip())
}

/// The smallest rows of both.
fn rows(ours: &[Sampled], theirs: &[Sampled]) -> Result<Vec<Sampled>, Unmergeable> {
    let mut all = [ours, theirs].concat();
    all.sort_by_key(|it| sample::key(it.id));
    match all.windows(2).find(|it| it[0].id == it[1].id && it[0] != it[1]) {
        Some(it) => Err(Unmergeable::Source(format!("{:016x}", it[0].id.source))),
        None => Ok(sample::smallest(all)),
    }
}
