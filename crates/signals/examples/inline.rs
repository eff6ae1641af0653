//! What is judged inside a request, N times, so that its instructions can be counted:
//! `inline row64|row30|guards30|text2k|request30|chat2k N [REFERENCE]`.
//!
//! `request30` and `chat2k` are what the gateway does with a row once it is read (`gateway/guard/look.rs`): guards, scalars, the outer
//! hundredth, row score; of twenty numbers and ten names, and of a text of 2 KiB. Their reference is read from the file, and written there
//! first where it is not: to build one under callgrind takes longer than all else.
//!
//! Two runs with different N give the cost of one by difference, start-up aside; `bench/signals/instructions` does that under
//! callgrind. The least time of one, of many short runs, is printed, too.

use std::{hint::black_box, path::Path, time::Instant};

use evenkeel_signals::{
    anomaly::{FitRow, RowScore, Settings},
    guards::{Given, Guards, Names, Rule},
    reference::{Column, ColumnKind, Plan, Reference, Role, SourceRow},
    row::{Kind, RowId, Value},
    text::{Counts, numbers},
};

/// Runs that the least time is of: so many that some of them are not interrupted on a machine that does other things, too.
const RUNS: u32 = 1_000;

/// Numbers by seed, from -1 to 1.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / (1_u64 << 23) as f64 - 1.0
    }

    fn row(&mut self, width: usize) -> Vec<Value<'static>> {
        (0..width).map(|_| Value::Number(self.next())).collect()
    }
}

/// Judges one row of so many columns.
fn row(width: usize) -> Box<dyn Fn()> {
    let mut draw = Draw(1);
    let rows: Vec<_> = (0..4_000).map(|_| draw.row(width)).collect();
    let id = |at: usize| RowId { source: 1, number: at as u64 };
    let rows: Vec<_> = rows.iter().enumerate().map(|(at, values)| FitRow { id: id(at), values }).collect();
    let features = vec![("x", Kind::Number); width];
    let settings = Settings { seed: 1, false_alarm_rate: Some(0.01) };
    let score = RowScore::fit(&features, &rows, settings).expect("rows");
    let asked = draw.row(width);
    Box::new(move || {
        let _ = black_box(score.score(black_box(&asked)));
    })
}

/// Checks one row of twenty numbers and ten names.
fn guards() -> Box<dyn Fn()> {
    let number = Rule { required: true, range: Some([-1.0, 1.0]), ..Rule::new(Kind::Number) };
    let names = (0..100).map(|it| format!("name {it:03}")).collect();
    let name = Rule { names: Some(Names::Listed(names)), max_age_ms: Some(1_000), ..Rule::new(Kind::Category) };
    let rules = [vec![number; 20], vec![name; 10]].concat();
    let guards = Guards { rules, missing_ratio: 0.2 };
    let mut draw = Draw(1);
    let mut row: Vec<_> = draw.row(20).into_iter().map(Given::of).collect();
    row.extend([Given { value: Value::Category("name 042"), usable: true, age_ms: Some(10) }; 10]);
    Box::new(move || drop(black_box(guards.check(black_box(&row)))))
}

/// Writes a text of a length.
fn write(draw: &mut Draw, length: usize) -> String {
    let words =
        ["how", "do", "I", "open", "a", "port", "of", "the", "firewall", "in", "2026?", "Please", "help,", "me."];
    let mut text = String::new();
    while text.len() < length {
        text += words[((draw.next() + 1.0) * 7.0) as usize % words.len()];
        text.push(' ');
    }
    text.truncate(length);
    text
}

/// Reads a reference, or builds it and leaves it in the file.
fn reference(schema: Vec<Column>, rows: &[Vec<Value<'_>>], file: Option<&Path>) -> Reference {
    if let Some(bytes) = file.and_then(|it| std::fs::read(it).ok()) {
        return Reference::decode(&bytes).expect("a reference of an earlier run");
    }
    let plan = Plan { seed: 1, false_alarms_per_million: 10_000, ..Plan::new("r", schema) };
    let rows = (0..).zip(rows).map(|(number, values)| SourceRow { number, at: None, values: values.clone() });
    let rows: Vec<_> = rows.collect();
    let reference = Reference::build(&plan, [1; 32], &rows).expect("sound");
    if let Some(file) = file {
        std::fs::write(file, reference.encode()).expect("written");
    }
    reference
}

/// Judges a row against a reference, as the gateway does.
fn judged(reference: Reference, asked: Vec<Value<'static>>) -> Box<dyn Fn()> {
    let (guards, live, score) = (reference.guards(0.2), reference.live(), reference.row_score().expect("rows"));
    let ends: Vec<_> = live.scalars().iter().map(|at| reference.outer(*at)).collect();
    Box::new(move || {
        let asked = black_box(&asked);
        let given: Vec<_> = asked.iter().copied().map(Given::of).collect();
        drop(black_box(guards.check(&given)));
        let mut scalars = Vec::with_capacity(live.scalars().len());
        live.row(asked, &mut scalars);
        let mut outer = 0_u32;
        for (value, ends) in scalars.iter().zip(&ends) {
            if let (Value::Number(number), Some(ends)) = (value, ends) {
                outer += u32::from(ends.has(*number));
            }
        }
        let scored: Vec<_> = live.scored().iter().map(|at| scalars[*at]).collect();
        let _ = black_box((score.score(&scored), outer));
    })
}

/// A request of twenty numbers and ten names.
fn request(file: Option<&Path>) -> Box<dyn Fn()> {
    const NAMES: [&str; 4] = ["one", "two", "three", "four"];
    let mut draw = Draw(1);
    let mut row = || {
        let mut row = draw.row(20);
        row.extend((0..10).map(|_| Value::Category(NAMES[((draw.next() + 1.0) * 2.0) as usize % 4])));
        row
    };
    let rows: Vec<_> = (0..4_000).map(|_| row()).collect();
    let column = |at: usize| {
        let kind = if at < 20 { ColumnKind::Number } else { ColumnKind::Category };
        Column::new(&format!("c{at}"), kind, Role::Input)
    };
    judged(reference((0..30).map(column).collect(), &rows, file), row())
}

/// A chat whose last message has 2 KiB.
fn chat(file: Option<&Path>) -> Box<dyn Fn()> {
    let mut draw = Draw(1);
    let texts: Vec<String> = (0..2_000).map(|_| write(&mut draw, 200)).collect();
    let rows: Vec<_> = texts.iter().map(|it| vec![Value::Text(it)]).collect();
    let asked: &'static str = write(&mut draw, 2_048).leak();
    let question = Column::new("question", ColumnKind::Text, Role::Input);
    judged(reference(vec![question], &rows, file), vec![Value::Text(asked)])
}

/// Makes the twelve numbers of a text of 2 KiB.
fn text() -> Box<dyn Fn()> {
    let mut draw = Draw(1);
    let mut counts = Counts::default();
    counts.add(&write(&mut draw, 60_000));
    let (model, asked) = (counts.model(), write(&mut draw, 2_048));
    Box::new(move || {
        black_box(numbers(black_box(&asked), &model));
    })
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (what, times, file) = match &arguments[..] {
        [_, what, times] => (what.as_str(), times, None),
        [_, what, times, file] => (what.as_str(), times, Some(Path::new(file))),
        _ => panic!("usage: inline row64|row30|guards30|text2k|request30|chat2k N [REFERENCE]"),
    };
    let times: u32 = times.parse().expect("a count");
    let one = match what {
        "row64" => row(64),
        "row30" => row(30),
        "guards30" => guards(),
        "text2k" => text(),
        "request30" => request(file),
        "chat2k" => chat(file),
        other => panic!("nothing is called {other}"),
    };
    let (mut best, mut left, run) = (u128::MAX, times, (times / RUNS).max(1));
    while left > 0 {
        let run = run.min(left);
        #[expect(clippy::disallowed_methods, reason = "it measures time")]
        let begun = Instant::now();
        (0..run).for_each(|_| one());
        best = best.min(begun.elapsed().as_nanos() / u128::from(run));
        left -= run;
    }
    println!("{what}: {best} ns");
}
