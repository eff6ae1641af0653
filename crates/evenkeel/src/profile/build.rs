//! Build: one reference of the rows of several files, which are gone through and never held.
//!
//! Each file is a source of its own, known by its digest, and becomes a reference; these are merged. So neither their order nor their
//! names have a part in what comes out, and a file that is given twice counts once.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use evenkeel_signals::reference::{Ask, EachRow, Plan, Reference, SourceRow, Unbuildable};

use super::{
    cell::Cell,
    live::Live,
    plan::Planned,
    read::{Format, Place, Source},
    tally::Tally,
    time,
};
use crate::{cmd::counted, output};

/// Rows after which a watcher is told how far it is.
const TELL: u64 = 10_000;

/// What was counted of all files.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    pub(crate) tallies: Vec<Tally>,
    pub(crate) rows: u64,
}

/// Tells how far a pass is: what is done, 0 to 1, of all files, and rows.
pub(crate) type Tell<'a> = dyn FnMut(f64, u64) + 'a;

/// Says what texts mean, a vector for each.
pub(crate) type Asks<'a> = dyn FnMut(&[String]) -> anyhow::Result<Vec<Vec<f32>>> + 'a;

/// Looks at files, ascending by digest; one that is there twice counts once, and is named.
///
/// # Errors
/// A file cannot be read.
pub(crate) fn look(files: &[std::path::PathBuf], delimiter: Option<u8>) -> anyhow::Result<Vec<Source>> {
    let mut sources = BTreeMap::<[u8; 32], Source>::new();
    for file in files {
        let source = Source::look(file, delimiter)?;
        if let Some(first) = sources.get(&source.digest) {
            let (file, first) = (file.display(), first.path.display());
            output::note(format_args!("{file} has the same bytes as {first}: its rows count once"));
            continue;
        }
        sources.insert(source.digest, source);
    }
    Ok(sources.into_values().collect())
}

/// Counts what stands in the columns of all files.
///
/// # Errors
/// A row cannot be read, or files do not have the same columns.
pub(crate) fn count(sources: &[Source], reading: Reading<'_>, tell: &mut Tell<'_>) -> anyhow::Result<Counted> {
    let mut all = Counted::default();
    let mut heads: Vec<Vec<String>> = Vec::new();
    for (file, source) in sources.iter().enumerate() {
        let mut rows = source.rows()?;
        let (mut cells, mut places, mut here) = (Vec::new(), Vec::<usize>::new(), 0);
        while let Some(place) = next(&mut *rows, &mut cells, source, reading)? {
            for name in &rows.names()[places.len()..] {
                let known = all.tallies.iter().position(|it| it.name == *name);
                places.push(known.unwrap_or_else(|| {
                    all.tallies.push(Tally::new(name, all.rows));
                    all.tallies.len() - 1
                }));
            }
            let mut given = vec![false; all.tallies.len()];
            for (cell, place_of) in cells.iter().zip(&places) {
                given[*place_of] = true;
                all.tallies[*place_of].add(cell, file, place);
            }
            all.tallies.iter_mut().zip(given).filter(|it| !it.1).for_each(|it| it.0.missing += 1);
            (all.rows, here) = (all.rows + 1, here + 1);
            if here % TELL == 0 {
                tell((file as f64 + rows.done()) / sources.len() as f64, all.rows);
            }
        }
        ensure!(here > 0, "cannot read {}: it has no row below its head", source.path.display());
        heads.push(rows.names().to_vec());
    }
    same(sources, &heads)?;
    Ok(all)
}

/// Refuses files with columns that others have not; a line of JSON may lack any name, and so a file of them, unless it has others
/// instead.
fn same(sources: &[Source], heads: &[Vec<String>]) -> anyhow::Result<()> {
    for (head, source) in heads.iter().zip(sources) {
        for (other, theirs) in heads.iter().zip(sources) {
            let fewer = source.format == Format::Json && head.iter().all(|it| other.contains(it));
            if let Some(name) = other.iter().find(|it| !head.contains(it)).filter(|_| !fewer) {
                let (one, two) = (source.path.display(), theirs.path.display());
                bail!("{one} has no column `{name}`, and {two} has: give both the same columns, or leave one file out");
            }
        }
    }
    Ok(())
}

/// How cells are read: what stands for nothing wherever it stands, and what a route says of its columns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading<'a> {
    pub(crate) nulls: &'a [String],
    pub(crate) live: &'a Live,
}

/// Returns the names of the columns of a file.
///
/// # Errors
/// It cannot be read.
pub(crate) fn names(source: &Source) -> anyhow::Result<Vec<String>> {
    let (mut rows, mut cells) = (source.rows()?, Vec::new());
    if source.format == Format::Json {
        // Which names there are is known at its end.
        while rows.next(&mut cells).with_context(|| format!("cannot read {}", source.path.display()))?.is_some() {}
    }
    Ok(rows.names().to_vec())
}

/// Reads a row; what stands for nothing is missing.
fn next(
    rows: &mut dyn super::read::Rows,
    cells: &mut Vec<Cell>,
    source: &Source,
    Reading { nulls, live }: Reading<'_>,
) -> anyhow::Result<Option<Place>> {
    let place = rows.next(cells).with_context(|| format!("cannot read {}", source.path.display()))?;
    for cell in cells.iter_mut() {
        if cell.text().is_some_and(|it| nulls.iter().any(|null| null == it.trim())) {
            *cell = Cell::Missing;
        }
    }
    for (cell, name) in cells.iter_mut().zip(rows.names()) {
        *cell = live.read(name, std::mem::replace(cell, Cell::Missing));
    }
    Ok(place)
}

/// How rows of files become rows of a plan.
#[derive(Debug)]
pub(crate) struct Taking<'a> {
    pub(crate) planned: &'a Planned,
    pub(crate) nulls: &'a [String],
}

impl Taking<'_> {
    /// Builds the reference of all files, and asks what their texts mean, where that is to be known.
    ///
    /// # Errors
    /// A row cannot be read, or has no time where one is needed.
    pub(crate) fn build(
        &self,
        sources: &[Source],
        tell: &mut Tell<'_>,
        mut asks: Option<&mut Asks<'_>>,
    ) -> anyhow::Result<Reference> {
        let mut whole: Option<Reference> = None;
        for (at, source) in sources.iter().enumerate() {
            // The private cells of the first source are those of all, so that they can be put together.
            let private = self.planned.plan.schema.iter().any(|it| it.private);
            let plan = Plan { like: whole.clone().filter(|_| private), ..self.planned.plan.clone() };
            let mut tell = |done: f64, rows| tell((at as f64 + done) / sources.len() as f64, rows);
            let one = self.of_one(source, &plan, (&mut tell, asks.as_deref_mut()))?;
            whole = Some(match whole {
                None => one,
                Some(before) => before.merge(&one).context("cannot put the files together")?.reference,
            });
        }
        whole.context("there is no file")
    }

    fn of_one(
        &self,
        source: &Source,
        plan: &Plan,
        (tell, asks): (&mut Tell<'_>, Option<&mut Asks<'_>>),
    ) -> anyhow::Result<Reference> {
        let passes = if plan.schema.iter().any(|it| it.private) { 3.0 } else { 2.0 };
        let mut pass = -1.0;
        let mut asks = asks.map(|asks| |texts: &[String]| asks(texts).map_err(Failed::Read));
        let asks = asks.as_mut().map(|it| it as &mut Ask<'_, Failed>);
        let each_row = |each: &mut EachRow<'_>| {
            pass += 1.0;
            self.each(source, &mut |done, rows| tell((pass + done) / passes, rows), &mut |row, place| {
                each(&row).map_err(|why| Failed::Row(why, place))
            })
        };
        let built = Reference::build_asking(plan, source.digest, each_row, asks);
        built.map_err(|why| match why {
            Failed::Plan(why) => anyhow::Error::from(why).context("cannot build it"),
            Failed::Row(Unbuildable::NoTime(_), place) => anyhow::anyhow!(
                "{}, {place}: it has no time, and seasons need one: name its column by --time, or leave out --seasons",
                source.path.display()
            ),
            Failed::Row(why, place) => {
                anyhow::Error::from(why).context(format!("cannot take {}, {place}", source.path.display()))
            }
            Failed::Read(why) => why,
        })
    }

    /// Goes through the rows of a source once.
    pub(crate) fn each<E: From<anyhow::Error>>(
        &self,
        source: &Source,
        tell: &mut Tell<'_>,
        each: &mut dyn FnMut(SourceRow<'_>, Place) -> Result<(), E>,
    ) -> Result<(), E> {
        let schema = &self.planned.plan.schema;
        let live = &self.planned.live;
        let mut rows = source.rows()?;
        let (mut cells, mut number) = (Vec::new(), 0);
        let (mut columns, mut places, mut clock) = (0, vec![None; schema.len()], None);
        while let Some(place) = next(&mut *rows, &mut cells, source, Reading { nulls: self.nulls, live })? {
            if columns < cells.len() {
                let find = |name: &str| rows.names().iter().position(|it| it == name);
                places = schema.iter().map(|it| find(&it.name)).collect();
                clock = self.planned.time.as_deref().and_then(find);
                columns = cells.len();
            }
            let computed: Vec<_> = schema.iter().map(|it| live.computed(&it.name, rows.names(), &cells)).collect();
            let mut take =
                |at: Option<usize>| at.map_or(Cell::Missing, |at| std::mem::replace(&mut cells[at], Cell::Missing));
            let at = self.time(&take(clock), source, place)?;
            let columns = places.iter().zip(schema).zip(computed);
            let suited: Vec<Cell> =
                columns.map(|((at, it), made)| made.unwrap_or_else(|| take(*at)).suited(it.kind)).collect();
            let values = suited.iter().zip(schema).map(|(cell, it)| cell.value(it.kind)).collect();
            each(SourceRow { number, at, values }, place)?;
            number += 1;
            if number % TELL == 0 {
                tell(rows.done(), number);
            }
        }
        Ok(())
    }

    /// Reads the time of a row; none where nothing stands there.
    fn time(&self, cell: &Cell, source: &Source, place: Place) -> anyhow::Result<Option<u64>> {
        if *cell == Cell::Missing {
            return Ok(None);
        }
        let name = self.planned.time.as_deref().unwrap_or_default();
        let at = time::read(cell).and_then(|it| u64::try_from(it).ok());
        let at = at.with_context(|| {
            let file = source.path.display();
            format!("{file}, {place}, column `{name}`: {} is no time since 1970: write RFC 3339, or seconds since the epoch", cell.shown())
        })?;
        Ok(Some(at))
    }
}

/// Why a pass ended.
enum Failed {
    Plan(Unbuildable),
    Row(Unbuildable, Place),
    Read(anyhow::Error),
}

impl From<Unbuildable> for Failed {
    fn from(why: Unbuildable) -> Self {
        Self::Plan(why)
    }
}

impl From<anyhow::Error> for Failed {
    fn from(why: anyhow::Error) -> Self {
        Self::Read(why)
    }
}

/// Returns rows as people say them.
pub(crate) fn rows(number: u64) -> String {
    counted(usize::try_from(number).unwrap_or(usize::MAX), "row")
}
