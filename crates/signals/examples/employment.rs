//! `S-DRIFT` 3, a report: four years of a deployed model, what the drift panel says of them, beside the accuracy that is known.
//!
//! `bench/signals/drift-employment` makes the CSV of `../shared/data/quality` and calls it: `employment FILE`.

#[path = "drift/page.rs"]
mod page;

use std::{collections::BTreeMap, env, fs, process::ExitCode, sync::Arc};

use evenkeel_signals::{
    cells::{Cells, Value},
    drift::{Evidence, Group, Hold, Panel, Settings, State, Watched, share, weights},
    eproc::Every,
};

/// T, rows: a year and a half of these.
const EVERY: u64 = 100_000;
/// The seed by which the rows of each year are shuffled.
const SEED: u64 = 1;

/// One row of the set.
struct Row {
    year: u16,
    right: bool,
    /// Where it comes when its year is shuffled.
    lot: u64,
    /// Inputs, then what the model said.
    values: Vec<String>,
}

fn main() -> ExitCode {
    let Some(file) = env::args().nth(1) else {
        eprintln!("usage: employment FILE (bench/signals/drift-employment calls it)");
        return ExitCode::from(2);
    };
    let text = fs::read_to_string(file).expect("the set");
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("a head").split(',').skip(2).map(|it| it.trim_matches('"')).collect();
    let mut rows: Vec<Row> = lines.zip(0..).map(row).collect();
    let columns = [
        "order of rows",
        "year",
        "rows",
        "accuracy",
        "state at the end",
        "alarms",
        "streams that were named, how often",
    ];
    let mut table = page::head(&columns);
    table += &report("as they are in the file", &names, &rows);
    rows.sort_by_cached_key(|it| (it.year, it.lot));
    table += &report("shuffled within each year", &names, &rows);
    page::write(&[("drift-employment", table)]);
    ExitCode::SUCCESS
}

fn row((line, at): (&str, u64)) -> Row {
    let mut fields = line.split(',');
    let year = fields.next().and_then(|it| it.parse().ok()).expect("a year");
    let right = fields.next() == Some("1");
    let lot = share(SEED << 32 | at, 0).to_bits();
    Row { year, right, lot, values: fields.map(str::to_owned).collect() }
}

/// The value of a column: age and probability are numbers, all others categories.
fn value<'a>(name: &str, text: &'a str) -> Value<'a> {
    match name {
        "AGEP" | "predicted_probability" => text.parse().map_or(Value::Invalid, Value::Number),
        _ => Value::Category(text),
    }
}

/// Watches the years after the first, which is the reference.
fn report(order: &str, names: &[&str], rows: &[Row]) -> String {
    let first = rows[0].year;
    let (reference, live): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|it| it.year == first);
    let group = |name: &&str| if name.starts_with("predict") { Group::Output } else { Group::Other };
    let weights = weights(&names.iter().map(group).collect::<Vec<_>>());
    let watched = |at: usize| {
        let column = reference.iter().map(|it| value(names[at], &it.values[at]));
        let numbers = matches!(value(names[at], "1"), Value::Number(_));
        let cells = if numbers { Cells::numbers(column) } else { Cells::categories(column) };
        Watched { name: names[at].into(), weight: weights[at], cells: vec![Arc::new(cells)] }
    };
    let hold = Hold { nanos: 0, ..Hold::default() };
    let settings = Settings { every: Every::Rows(EVERY), enforced: false, hold, seasons: None };
    let mut panel = Panel::new(settings, (0..names.len()).map(watched).collect()).expect("a sound panel");

    let mut table = line(order, first, &reference, "the reference", &[]);
    let mut years: BTreeMap<u16, Vec<&Row>> = BTreeMap::new();
    live.into_iter().for_each(|it| years.entry(it.year).or_default().push(it));
    let mut at = 0;
    for (year, rows) in years {
        let mut alarms = Vec::new();
        for row in &rows {
            at += 1;
            let values: Vec<_> = names.iter().zip(&row.values).map(|(name, it)| Some(value(name, it))).collect();
            alarms.extend(panel.update(at, (share(at, 9) * 9e15) as u64, &values));
        }
        let state = match panel.read(at).state {
            State::Stable => "stable",
            State::Warning => "warning",
            State::Drift => "drift",
        };
        table += &line(order, year, &rows, state, &alarms);
    }
    table
}

fn line(order: &str, year: u16, rows: &[&Row], state: &str, alarms: &[Evidence]) -> String {
    let right = rows.iter().filter(|it| it.right).count() as f64 / rows.len() as f64 * 100.0;
    let mut named: BTreeMap<&str, u32> = BTreeMap::new();
    alarms.iter().flat_map(|it| &it.culprits).for_each(|it| *named.entry(&it.name).or_default() += 1);
    let mut named: Vec<_> = named.into_iter().collect();
    named.sort_by_key(|it| (std::cmp::Reverse(it.1), it.0));
    let named: Vec<_> = named.iter().take(6).map(|(name, n)| format!("{name} {n}")).collect();
    let named = if named.is_empty() { "–".into() } else { named.join(", ") };
    format!("| {order} | {year} | {} | {right:.2} % | {state} | {} | {named} |\n", rows.len(), alarms.len())
}
