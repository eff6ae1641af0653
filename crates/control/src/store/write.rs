//! Write: a batch as one transaction: the cursor, the rows, and what they come to.
//!
//! # Invariants
//! - `STO-1`: the cursor moves with the rows, and only from where it was found: a row is there once.

use evenkeel_api::evidence::Stream;

use super::{
    engine::{Statement, Value},
    follow::Taken,
    record::{DECISION, Decided, EVENT, EventRow, int, text},
    rollup::Rollups,
};

/// Rows of one statement; what is left over goes in smaller ones, so that there are three texts and no more. SQLite takes 32,766 values.
const ROWS: [usize; 3] = [200, 20, 1];

/// Returns the statements of a batch, and how many of its lines this version does not know.
pub(super) fn batch(instance: &str, stream: Stream, from: u64, taken: &Taken) -> (Vec<Statement>, u64) {
    let mut statements = vec![Statement {
        sql: "UPDATE cursors SET n = $1 WHERE instance = $2 AND stream = $3 AND n = $4".into(),
        values: vec![int(taken.to), text(instance), text(stream.name()), int(from)],
        changes: Some(1),
    }];
    let mut unknown = 0;
    match stream {
        Stream::Decisions => {
            let (mut rows, mut rollups) = (Vec::new(), Rollups::default());
            for (n, line) in &taken.lines {
                let Some(decided) = Decided::read(line) else {
                    unknown += 1;
                    continue;
                };
                rollups.add(&decided);
                rows.push(decided.values(instance, *n));
            }
            statements.extend(insert("decisions", &DECISION, rows, ""));
            statements.extend(rollups.statements());
        }
        Stream::Events => {
            let mut rows = Vec::new();
            for (n, line) in &taken.lines {
                match EventRow::read(line) {
                    Some(event) => rows.push(event.values(instance, *n)),
                    None => unknown += 1,
                }
            }
            statements.extend(insert("events", &EVENT, rows, ""));
        }
    }
    (statements, unknown)
}

/// Returns what inserts rows, many at once.
pub(super) fn insert(table: &str, columns: &[&str], rows: Vec<Vec<Value>>, tail: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut rows = rows.into_iter();
    for most in ROWS {
        while rows.len() >= most {
            let values: Vec<Value> = rows.by_ref().take(most).flatten().collect();
            let row = |at: usize| {
                let places = (1..=columns.len()).map(|it| format!("${}", at * columns.len() + it));
                format!("({})", places.collect::<Vec<_>>().join(", "))
            };
            let places = (0..most).map(row).collect::<Vec<_>>().join(", ");
            let sql = format!("INSERT INTO {table} ({}) VALUES {places}{tail}", columns.join(", "));
            statements.push(Statement { sql: sql.into(), values, changes: None });
        }
    }
    statements
}
