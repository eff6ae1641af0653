//! Against: rows beside a reference: what the drift detector would have said of them, row by row, and how far distributions are apart.
//!
//! PSI and JS have no control of error, and are shown beside what they are when nothing changes; only the detector's alarms keep a
//! promise.

use std::{collections::BTreeSet, fmt::Write as _};

use anyhow::{Context, bail, ensure};
use evenkeel_signals::{
    anomaly::RowScore,
    cells::{Report, Value},
    drift::{Hold, State},
    eproc::Every,
    reference::{self, Column, Keyed, Plan, Reference, Role},
    replay::{self, Watch},
    row::{RowId, Value as Read},
};
use serde_json::{Value as Json, json};

use super::{
    build::{Taking, Tell, names, rows},
    live::Live,
    plan::Planned,
    read::Source,
    time,
    words::{aligned, judges, short, span_of},
};
use crate::plot::{Axis, Figure, Scale, Series, Shape};

/// Points of a line at most: a screen shows no more.
const POINTS: usize = 512;
/// Lines of a figure, that of the route apart.
const LINES: usize = 4;

/// How rows are read and judged.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) time: Option<String>,
    pub(crate) nulls: Vec<String>,
    pub(crate) keyed: Option<Keyed>,
    /// How rows are read where they are served.
    pub(crate) live: Live,
    /// The wanted mean time between false alarms, ns.
    pub(crate) every_ns: u64,
}

/// What was found of rows.
#[derive(Debug)]
pub(crate) struct Compared {
    rows: u64,
    timed: bool,
    every: Every,
    state: State,
    alarms: Vec<Alarm>,
    streams: Vec<Stream>,
    /// The score of the route over the rows.
    route: Line,
    /// Rows whose p is at most the rate of the reference, and those that have a score.
    strange: (u64, u64),
    /// Some row could be called anomalous at that rate.
    judges: bool,
    /// What is not compared, and why.
    left_out: LeftOut,
}

/// Columns that are on one side alone, or are not compared.
#[derive(Debug, Default)]
struct LeftOut {
    /// Columns of the reference that the rows have not.
    lacking: Vec<String>,
    /// Columns of the rows that the reference has not.
    new: Vec<String>,
    /// Private columns, whose names cannot be told without their key.
    unkeyed: Vec<String>,
}

/// An alarm of the route.
#[derive(Debug)]
struct Alarm {
    row: u64,
    at: u64,
    by: Vec<String>,
}

/// One scalar.
#[derive(Debug)]
struct Stream {
    name: String,
    score: f64,
    state: State,
    line: Line,
    report: Option<Report>,
}

/// Points of a curve, of which every second one goes when they are too many.
#[derive(Debug)]
struct Line {
    points: Vec<(f64, f64)>,
    every: u64,
}

impl Default for Line {
    fn default() -> Self {
        Self { points: Vec::new(), every: 1 }
    }
}

impl Line {
    fn add(&mut self, row: u64, x: f64, y: f64) {
        if !row.is_multiple_of(self.every) {
            return;
        }
        self.points.push((x, y));
        if self.points.len() > POINTS {
            let mut at = 0;
            self.points.retain(|_| {
                at += 1;
                at % 2 == 1
            });
            self.every *= 2;
        }
    }
}

/// Compares rows of files, one file after the other, with a reference.
///
/// # Errors
/// A row cannot be read, or the reference has too few rows to be compared with.
pub(crate) fn compare(
    reference: &Reference,
    sources: &[Source],
    asked: &Asked,
    tell: &mut Tell<'_>,
) -> anyhow::Result<Compared> {
    if let Some(key) = reference.header().key.as_ref() {
        let other = asked.keyed.as_ref().is_some_and(|it| it.check() != *key);
        ensure!(!other, "--key is another key than the one by which the private names of the reference were hashed");
    }
    let left_out = left_out(reference, sources, asked)?;
    let taking_of = planned(reference, asked);
    let taking = Taking { planned: &taking_of, nulls: &asked.nulls };
    let timed = asked.time.is_some();
    ensure!(timed || reference.seasons().is_none(), "the reference has seasons: name the column of times by --time");
    let every = if timed { Every::Nanos(asked.every_ns) } else { Every::Rows(replay::ROWS) };
    let hold = if timed { Hold::default() } else { Hold { nanos: 0, ..Hold::default() } };
    let watch = Watch::of(reference, (replay::Asked::all(asked.every_ns), every), asked.keyed.is_none(), hold);
    let watch = watch.context("the reference has fewer than 1000 rows, or no column that can be watched")?;
    let mut run = Run::new(reference, watch, asked, timed);
    for (file, source) in sources.iter().enumerate() {
        let number = u64::from_be_bytes(source.digest[..8].try_into().expect("eight bytes"));
        let mut tell = |done: f64, rows| tell((file as f64 + done) / sources.len() as f64, rows);
        taking.each(source, &mut tell, &mut |row, place| -> anyhow::Result<()> {
            let missing = || format!("{}, {place}: it has no time", source.path.display());
            let at = if timed { row.at.with_context(missing)? } else { run.rows };
            run.look(at, RowId { source: number, number: row.number }, &row.values);
            Ok(())
        })?;
    }
    if run.rows == 0 {
        let files = sources.iter().map(|it| it.path.display().to_string()).collect::<Vec<_>>();
        bail!("{} has no rows", files.join(", "));
    }
    Ok(Compared { left_out, ..run.ended(every, timed) })
}

/// Returns what is not compared: columns that stand on one side alone, but for labels, which come later, and what texts mean, which is asked;
/// and private ones where their key is not told.
///
/// # Errors
/// No column of the reference stands in the files, or a file cannot be read.
fn left_out(reference: &Reference, sources: &[Source], asked: &Asked) -> anyhow::Result<LeftOut> {
    let all: BTreeSet<String> =
        sources.iter().map(names).collect::<anyhow::Result<Vec<_>>>()?.into_iter().flatten().collect();
    let all: Vec<String> = all.into_iter().collect();
    let whole = &reference.header().schema;
    let schema = whole.iter().filter(|it| !matches!(it.role, Role::Label | Role::Meaning));
    let names: Vec<&str> = schema.map(|it| it.name.as_str()).collect();
    let there = |it: &&str| all.iter().any(|name| name == it);
    ensure!(
        names.iter().any(there),
        "the rows have none of its columns: it has {}, and they have {}",
        names.join(", "),
        all.join(", ")
    );
    let computed = |it: &&str| asked.live.derived().any(|column| column.name == **it);
    let known = |it: &&String| whole.iter().any(|column| column.name == **it) || asked.time.as_ref() == Some(*it);
    let private = whole.iter().filter(|it| it.private && asked.keyed.is_none()).map(|it| it.name.as_str());
    Ok(LeftOut {
        unkeyed: private.filter(there).map(str::to_owned).collect(),
        new: all.iter().filter(|it| !known(it)).cloned().collect(),
        lacking: names.into_iter().filter(|it| !there(it) && !computed(it)).map(str::to_owned).collect(),
    })
}

/// Rows are taken as the reference has its columns.
fn planned(reference: &Reference, asked: &Asked) -> Planned {
    let header = reference.header();
    let plan = Plan {
        seed: header.seed,
        repeats: header.repeats,
        keyed: asked.keyed.clone(),
        ..Plan::new(&*header.route, header.schema.clone())
    };
    let (left_out, doubts, lacking) = (Vec::new(), Vec::new(), Vec::new());
    Planned { plan, time: asked.time.clone(), left_out, doubts, lacking, live: asked.live.clone() }
}

/// A comparison on its way.
struct Run<'a> {
    reference: &'a Reference,
    watch: Watch,
    live: reference::Live,
    keyed: Option<Keyed>,
    score: Option<RowScore>,
    rows: u64,
    last: u64,
    timed: bool,
    alarms: Vec<Alarm>,
    route: Line,
    lines: Vec<Line>,
    /// Per stream and bucket, rows by cell.
    counts: Vec<Vec<Vec<u32>>>,
    strange: (u64, u64),
}

impl<'a> Run<'a> {
    fn new(reference: &'a Reference, watch: Watch, asked: &Asked, timed: bool) -> Self {
        let zeros = |it: &usize| reference.buckets(*it).iter().map(|it| vec![0; it.counts().len()]).collect();
        let mut counts: Vec<Vec<Vec<u32>>> = watch.scalars.iter().map(zeros).collect();
        if let Some(cells) = reference.score_cells().filter(|_| watch.scored) {
            counts.push(vec![vec![0; cells.counts().len()]]);
        }
        let lines = counts.iter().map(|_| Line::default()).collect();
        Self {
            reference,
            watch,
            live: reference.of_all(),
            keyed: asked.keyed.clone(),
            score: reference.row_score().ok(),
            rows: 0,
            last: 0,
            timed,
            alarms: Vec::new(),
            route: Line::default(),
            lines,
            counts,
            strange: (0, 0),
        }
    }

    fn look(&mut self, at: u64, id: RowId, values: &[Read<'_>]) {
        let (names, mut all) = (self.names(values), Vec::with_capacity(self.live.scalars().len()));
        let values = values.iter().zip(&names).map(|(value, name)| name.as_deref().map_or(*value, Read::Category));
        self.live.row(&values.collect::<Vec<_>>(), &mut all);
        let mut row: Vec<Option<Value<'_>>> = self.watch.scalars.iter().map(|it| Some(all[*it].into())).collect();
        let scored = || self.live.scored().iter().map(|it| all[*it]).collect::<Vec<_>>();
        let score = self.score.as_ref().and_then(|it| it.score(&scored()).ok());
        if let Some(score) = score {
            let rate = u64::from(self.reference.header().false_alarms_per_million);
            self.strange.0 += u64::from(u64::from(score.p.millionths()) <= rate);
            self.strange.1 += 1;
        }
        if self.watch.scored {
            row.push(score.map(|it| Value::Number(f64::from(it.s))));
        }
        self.count(at, &row);
        let evidence = self.watch.panel.update(at, replay::lot(id), &row);
        if let Some(it) = evidence.filter(|it| it.new) {
            let by = it.culprits.into_iter().map(|it| it.name).collect();
            self.alarms.push(Alarm { row: self.rows + 1, at, by });
        }
        (self.rows, self.last) = (self.rows + 1, self.last.max(at));
        let x = if self.timed { at as f64 } else { self.rows as f64 };
        if self.rows.is_multiple_of(self.route.every) {
            self.route.add(self.rows, x, self.watch.panel.read(self.last).value);
            for (stream, line) in self.lines.iter_mut().enumerate() {
                let value = self.watch.panel.read_stream(self.last, stream).map_or(0.0, |it| it.value);
                line.add(self.rows, x, value);
            }
        }
    }

    /// The names of private columns, as the reference has them; without their key these columns are not watched.
    fn names(&self, values: &[Read<'_>]) -> Vec<Option<String>> {
        let schema = self.reference.header().schema.iter().map(Some).chain(std::iter::repeat(None));
        let name = |(value, of): (&Read<'_>, Option<&Column>)| match (value, of, &self.keyed) {
            (Read::Category(name), Some(of), Some(keyed)) if of.private => Some(keyed.name(&of.name, name)),
            _ => None,
        };
        values.iter().zip(schema).map(name).collect()
    }

    fn count(&mut self, at: u64, row: &[Option<Value<'_>>]) {
        let bucket = self.reference.seasons().map_or(0, |it| it.bucket(at));
        let streams = self.counts.iter_mut().zip(row).enumerate();
        for (stream, (counts, value)) in streams {
            let Some(value) = value else { continue };
            let bucket = bucket.min(counts.len() - 1);
            let cells = match self.watch.scalars.get(stream) {
                Some(scalar) => self.reference.buckets(*scalar).get(bucket),
                None => self.reference.score_cells(),
            };
            if let Some(cells) = cells {
                let count = &mut counts[bucket][cells.cell(*value)];
                *count = count.saturating_add(1);
            }
        }
    }

    fn ended(mut self, every: Every, timed: bool) -> Compared {
        let names: Vec<String> = self.watch.panel.names().map(str::to_owned).collect();
        let lines = std::mem::take(&mut self.lines);
        let stream = |(at, (name, line)): (usize, (String, Line))| {
            let reading = self.watch.panel.read_stream(self.last, at);
            let (score, state) = reading.map_or((0.0, State::Stable), |it| (it.value, it.state));
            Stream { name, score, state, line, report: self.report(at) }
        };
        let streams = names.into_iter().zip(lines).enumerate().map(stream).collect();
        let state = self.watch.panel.read(self.last).state;
        let rate = f64::from(self.reference.header().false_alarms_per_million) / 1e6;
        Compared {
            judges: self.score.as_ref().is_some_and(|it| judges(&it.standing(rate))),
            rows: self.rows,
            timed,
            every,
            state,
            alarms: self.alarms,
            streams,
            route: self.route,
            strange: self.strange,
            left_out: LeftOut::default(),
        }
    }

    /// PSI and JS of a stream; of several buckets their mean, each counting by its rows.
    fn report(&self, stream: usize) -> Option<Report> {
        let cells = match self.watch.scalars.get(stream) {
            Some(scalar) => self.reference.buckets(*scalar),
            None => std::slice::from_ref(self.reference.score_cells()?),
        };
        let of = |(cells, live): (&evenkeel_signals::cells::Cells, &Vec<u32>)| Report::of(cells.counts(), live);
        let all: Vec<Report> = cells.iter().zip(&self.counts[stream]).filter_map(of).collect();
        let live: u64 = all.iter().map(|it| it.live).sum();
        let mean = |of: fn(&Report) -> f64| all.iter().map(|it| of(it) * it.live as f64).sum::<f64>() / live as f64;
        (live > 0).then(|| Report {
            psi: mean(|it| it.psi),
            psi_unchanged: mean(|it| it.psi_unchanged),
            js_bits: mean(|it| it.js_bits),
            js_unchanged: mean(|it| it.js_unchanged),
            reference: all.iter().map(|it| it.reference).sum(),
            live,
        })
    }
}

impl Compared {
    /// Writes it for people.
    pub(crate) fn text(&self) -> String {
        let every = match self.every {
            Every::Nanos(it) => span_of(it),
            Every::Rows(it) => rows(it),
        };
        let mut text =
            format!("{}: {}; false alarms at most once in {every}\n", rows(self.rows), word(self.state).to_lowercase());
        for alarm in self.alarms.iter().take(10) {
            let when = if self.timed {
                time::shown(alarm.at.into()).unwrap_or_default()
            } else {
                format!("row {}", alarm.row)
            };
            let by = alarm.by.iter().take(5).map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
            let _ = writeln!(text, "alarm at {when}, by {by}");
        }
        if self.alarms.len() > 10 {
            let _ = writeln!(text, "and {} more", self.alarms.len() - 10);
        }
        let LeftOut { lacking, new, unkeyed } = &self.left_out;
        let quoted = |names: &[String]| names.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
        if !lacking.is_empty() {
            let _ = writeln!(
                text,
                "WARNING: no file has {}: missing in every row, which is drift of the file and not of the world",
                quoted(lacking)
            );
        }
        if !unkeyed.is_empty() {
            let _ = writeln!(text, "WARNING: without --key private columns are not compared: {}", quoted(unkeyed));
        }
        if !new.is_empty() {
            let _ = writeln!(text, "the reference does not have {}: not compared", quoted(new));
        }
        let (strange, of) = self.strange;
        if of > 0 && self.judges {
            let _ = writeln!(text, "anomalous rows: {strange} of {of}");
        } else if of > 0 {
            let _ = writeln!(
                text,
                "anomalous rows: none can be told at this false-alarm rate, with so few calibrating rows"
            );
        }
        text.push('\n');
        let head = ["column", "now", "", "score", "PSI", "unchanged", "JS bits", "unchanged"];
        let mut table = vec![head.map(str::to_owned).to_vec()];
        let number = |it: Option<f64>| it.map(short).unwrap_or_default();
        for it in &self.streams {
            let report = |of: fn(&Report) -> f64| number(it.report.as_ref().map(of));
            table.push(vec![
                it.name.clone(),
                word(it.state).into(),
                String::new(),
                short(it.score),
                report(|it| it.psi),
                report(|it| it.psi_unchanged),
                report(|it| it.js_bits),
                report(|it| it.js_unchanged),
            ]);
        }
        text + &aligned(&table)
    }

    /// Writes it for programs.
    pub(crate) fn json(&self) -> Json {
        let report = |it: &Report| json!({"psi": it.psi, "psi_unchanged": it.psi_unchanged, "js_bits": it.js_bits, "js_unchanged": it.js_unchanged, "reference": it.reference, "live": it.live});
        let stream = |it: &Stream| json!({"name": it.name, "state": word(it.state), "score": it.score, "report": it.report.as_ref().map(report)});
        let alarm = |it: &Alarm| json!({"row": it.row, "at_ns": self.timed.then_some(it.at), "culprits": it.by});
        json!({
            "rows": self.rows, "state": word(self.state), "alarms": self.alarms.iter().map(alarm).collect::<Vec<_>>(),
            "missing_columns": self.left_out.lacking, "new_columns": self.left_out.new, "unkeyed_columns": self.left_out.unkeyed,
            "anomalous": self.judges.then(|| json!({"rows": self.strange.0, "of": self.strange.1})),
            "streams": self.streams.iter().map(stream).collect::<Vec<_>>(),
        })
    }

    /// Draws the score of the route and of the scalars with the highest, with the alarms.
    pub(crate) fn figure(&self) -> Figure {
        let most = |it: &Stream| it.line.points.iter().map(|it| it.1).fold(0.0, f64::max);
        let mut streams: Vec<&Stream> = self.streams.iter().collect();
        streams.sort_by(|a, b| most(b).total_cmp(&most(a)));
        let mut series = vec![Series::new("route", Shape::Steps, self.route.points.clone())];
        series.extend(streams.iter().take(LINES).map(|it| Series::new(&it.name, Shape::Steps, it.line.points.clone())));
        let mark = |it: &Alarm| (if self.timed { it.at as f64 } else { it.row as f64 }, "alarm".to_owned());
        let x = match self.timed {
            true => Axis { scale: Scale::Times, ..Axis::numbers("time") },
            false => Axis::numbers("row"),
        };
        let y = Axis::numbers("drift score, 1 is an alarm").showing(0.0, 1.0);
        let title = format!("Drift over {}", rows(self.rows));
        Figure { title, x, y, series, marks: self.alarms.iter().map(mark).collect() }
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Stable => "Stable",
        State::Warning => "Warning",
        State::Drift => "Drift",
    }
}
