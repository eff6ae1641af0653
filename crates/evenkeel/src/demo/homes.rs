//! The demo's real rows and models: the example `home-value`, carried in the binary.

use std::{io, path::Path};

/// The primary: 150 gradient-boosted trees.
pub(super) const PRIMARY: &[u8] = include_bytes!("../../../../examples/home-value/primary.onnx");
/// What a path reads while it answers: the distilled model, and what it is replaced with by mistake.
const FILES: [(&str, &[u8]); 3] = [
    ("distilled.onnx", include_bytes!("../../../../examples/home-value/distilled.onnx")),
    ("per-cent.onnx", include_bytes!("../../../../examples/home-value/per-cent.onnx")),
    ("home-value.rules", include_bytes!("../../../../examples/home-value/home-value.rules")),
];
const ROWS: &str = include_str!("../../../../examples/home-value/rows.csv");
/// Features of a row, after its id.
const FEATURES: usize = 8;

/// Writes the files that a configuration names.
pub(super) fn unpack(folder: &Path) -> io::Result<()> {
    FILES.iter().try_for_each(|(name, bytes)| std::fs::write(folder.join(name), bytes))
}

/// Reads the rows that clients ask about: 300 block groups of California, 1990.
pub(super) fn rows() -> Vec<Vec<f64>> {
    let row = |line: &str| line.split(',').skip(1).take(FEATURES).filter_map(|it| it.parse().ok()).collect();
    ROWS.lines().skip(1).map(row).collect()
}
