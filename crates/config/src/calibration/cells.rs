//! Cells: how a calibrator stands in a file: the ends of its bins as texts, which are read again to the last bit, and counts that belong to
//! no time.

use std::collections::BTreeMap;

use evenkeel_signals::calibrate::{CalibratorState, CellState, Teacher};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CalibratorFile {
    ends: Vec<String>,
    /// By label: bin, rows, right ones.
    cells: BTreeMap<String, Vec<(usize, u64, u64)>>,
}

impl CalibratorFile {
    pub(super) fn of(state: &CalibratorState) -> Self {
        let mut cells: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for CellState { label, bin, n, right } in &state.cells {
            // Rows that do not fade are whole numbers.
            cells.entry(label.clone()).or_default().push((*bin, n.round() as u64, right.round() as u64));
        }
        Self { ends: state.ends.iter().map(f64::to_string).collect(), cells }
    }

    pub(super) fn state(&self) -> Option<CalibratorState> {
        let ends = self.ends.iter().map(|it| it.parse().ok()).collect::<Option<Vec<f64>>>()?;
        let cell = |(label, cells): (&String, &Vec<(usize, u64, u64)>)| {
            let of = |(bin, n, right): &(usize, u64, u64)| CellState {
                label: label.clone(),
                bin: *bin,
                n: *n as f64,
                right: *right as f64,
            };
            cells.iter().map(of).collect::<Vec<_>>()
        };
        let cells = self.cells.iter().flat_map(cell).collect();
        Some(CalibratorState { teacher: Teacher::Labels, ends, as_of: 0, cells })
    }
}
