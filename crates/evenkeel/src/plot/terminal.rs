//! Terminal: a figure in characters: bars of blocks, lines of dots, eight to a character.

use std::fmt::Write as _;

use super::{Figure, Scale, Series, Shape, Ticks};

/// Eighths of a block, from below.
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Eighths of a block, from the left.
const LEFT: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
/// The dots of a braille character, row by row.
const DOTS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
/// Characters of a name at most.
const NAME: usize = 24;

/// Draws numbers of at least 0 as one line of blocks; the largest is the tallest.
pub(crate) fn spark(values: &[f64]) -> String {
    let most = values.iter().copied().filter(|it| it.is_finite()).fold(0.0, f64::max);
    values.iter().map(|it| block(&BLOCKS, it / most)).collect()
}

/// A block so full; what is above nothing is seen.
fn block(blocks: &[char; 9], part: f64) -> char {
    let eighths = (part.clamp(0.0, 1.0) * 8.0).ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 8; NaN is 0")]
    let at = eighths as usize;
    blocks[at]
}

impl Figure {
    /// Draws it in so many columns and rows, axes apart.
    pub(crate) fn terminal(&self, columns: usize, rows: usize) -> String {
        let mut text = format!("{}\n", self.title);
        match (&self.x.scale, self.series.first()) {
            (Scale::Names(names), Some(series)) => bars(names, series, columns, &mut text),
            _ => self.canvas(columns, rows, &mut text),
        }
        text
    }

    fn canvas(&self, columns: usize, rows: usize, text: &mut String) {
        let (x, y) = self.ticks();
        let mut canvas = Canvas::new(columns, rows);
        for (at, _) in &self.marks {
            canvas.mark(x.part(*at));
        }
        for series in &self.series {
            canvas.draw(series, &x, &y, self.bar());
        }
        let wide = y.at.iter().map(|it| it.1.chars().count()).max().unwrap_or(0);
        for (row, line) in canvas.lines().into_iter().enumerate() {
            let beside = y.at.iter().rev().find(|it| rows - 1 - place(y.part(it.0), rows) == row);
            let _ = writeln!(text, "{:>wide$} ┤{}", beside.map_or("", |it| &it.1), line.trim_end());
        }
        let _ = writeln!(text, "{:wide$} └{}", "", "─".repeat(columns));
        let mut below = vec![' '; columns + wide + 2];
        let mut free = 0;
        for (at, label) in &x.at {
            let length = label.chars().count();
            let from = (wide + 2 + place(x.part(*at), columns)).saturating_sub(length / 2);
            if from >= free && from + length <= below.len() {
                label.chars().zip(from..).for_each(|(c, at)| below[at] = c);
                free = from + length + 1;
            }
        }
        let below: String = below.into_iter().collect();
        let _ = writeln!(text, "{}", below.trim_end());
        let said = self.series.iter().filter(|_| self.series.len() > 1).map(|it| it.name.as_str());
        let marks = self.marks.first().map(|it| format!("┊ {}", it.1));
        let said: Vec<&str> = said.chain(marks.as_deref()).collect();
        let axes = [self.x.label.as_str(), &self.y.label].join(" × ");
        let _ = writeln!(text, "{:wide$}  {}", "", [&[axes.as_str()][..], &said].concat().join("   "));
    }
}

/// Draws a bar beside each name.
fn bars(names: &[String], series: &Series, columns: usize, text: &mut String) {
    let most = series.points.iter().map(|it| it.1).fold(0.0, f64::max);
    let short = |name: &str| name.chars().take(NAME).collect::<String>();
    let wide = names.iter().map(|it| short(it).chars().count()).max().unwrap_or(0);
    for (at, value) in &series.points {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the place of a name")]
        let name = names.get(*at as usize).map(|it| short(it)).unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "a width")]
        let length = value / most * columns as f64;
        let mut bar = "█".repeat(place_of(length.floor()));
        if length.fract() > 0.0 {
            bar.push(block(&LEFT, length.fract()));
        }
        let _ = writeln!(text, "{name:>wide$} │{bar} {value:.4}");
    }
}

fn place_of(length: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates; NaN is 0")]
    let place = length as usize;
    place
}

/// The place of a part among so many.
fn place(part: f64, of: usize) -> usize {
    #[expect(clippy::cast_precision_loss, reason = "a width")]
    let at = part * of as f64;
    place_of(at).min(of - 1)
}

/// Dots, four rows and two columns to a character, and what stands behind them.
struct Canvas {
    columns: usize,
    rows: usize,
    dots: Vec<bool>,
    marked: Vec<bool>,
}

impl Canvas {
    fn new(columns: usize, rows: usize) -> Self {
        Self { columns, rows, dots: vec![false; columns * 2 * rows * 4], marked: vec![false; columns] }
    }

    fn dot(&mut self, x: usize, y: usize) {
        let wide = self.columns * 2;
        self.dots[(self.rows * 4 - 1 - y) * wide + x] = true;
    }

    fn mark(&mut self, x: f64) {
        let at = place(x, self.columns);
        self.marked[at] = true;
    }

    fn draw(&mut self, series: &Series, x: &Ticks, y: &Ticks, bar: f64) {
        let (wide, tall) = (self.columns * 2, self.rows * 4);
        let mut before: Option<(usize, usize)> = None;
        for point in &series.points {
            let (at, height) = (place(x.part(point.0), wide), place(y.part(point.1), tall));
            match series.shape {
                Shape::Points => self.dot(at, height),
                Shape::Bars => {
                    let (from, to) = (x.part(point.0 - bar * 0.45), x.part(point.0 + bar * 0.45));
                    let bottom = place(y.part(0.0), tall);
                    let range = if point.1 == 0.0 { 1..1 } else { bottom.min(height)..bottom.max(height) + 1 };
                    for column in place(from, wide)..=place(to, wide).max(place(from, wide)) {
                        range.clone().for_each(|row| self.dot(column, row));
                    }
                }
                Shape::Line => self.line(before.unwrap_or((at, height)), (at, height)),
                Shape::Steps => {
                    let (from, level) = before.unwrap_or((at, height));
                    self.line((from, level), (at, level));
                    self.line((at, level), (at, height));
                }
            }
            before = Some((at, height));
        }
    }

    fn line(&mut self, from: (usize, usize), to: (usize, usize)) {
        let steps = from.0.abs_diff(to.0).max(from.1.abs_diff(to.1)).max(1);
        for step in 0..=steps {
            let between = |a: usize, b: usize| (a * (steps - step) + b * step + steps / 2) / steps;
            self.dot(between(from.0, to.0), between(from.1, to.1));
        }
    }

    fn lines(&self) -> Vec<String> {
        let wide = self.columns * 2;
        let character = |row: usize, column: usize| {
            let mut code = 0;
            for (down, pair) in DOTS.iter().enumerate() {
                for (right, dot) in pair.iter().enumerate() {
                    code |= if self.dots[(row * 4 + down) * wide + column * 2 + right] { *dot } else { 0 };
                }
            }
            match (code, self.marked[column]) {
                (0, true) => '┊',
                (0, false) => ' ',
                (code, _) => char::from_u32(0x2800 + code).unwrap_or(' '),
            }
        };
        (0..self.rows).map(|row| (0..self.columns).map(|column| character(row, column)).collect()).collect()
    }
}
