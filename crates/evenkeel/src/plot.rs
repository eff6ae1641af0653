//! Plot: one figure, drawn in a terminal or as SVG.
//!
//! A figure is what is to be seen, without a word about where: its lines, steps and bars, and what is marked. Both drawings are made
//! of the same ticks, and the same figure gives the same bytes.

pub(crate) mod curves;
mod svg;
mod terminal;
mod ticks;

pub(crate) use curves::{cost_quality, reliability};
pub(crate) use terminal::spark;
use ticks::Ticks;

/// What is to be drawn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
    /// Places on the x axis that are marked from top to bottom, with what they are.
    pub(crate) marks: Vec<(f64, String)>,
}

/// One axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    pub(crate) label: String,
    pub(crate) scale: Scale,
    /// Where it begins and ends at least.
    pub(crate) least: Option<(f64, f64)>,
}

/// What stands on an axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scale {
    Numbers,
    /// ns since the epoch.
    Times,
    /// A name at 0, 1, 2 …
    Names(Vec<String>),
}

/// Points that belong together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    /// Ascending by x. What is not finite is left out.
    pub(crate) points: Vec<(f64, f64)>,
}

/// How points are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Line,
    /// A value holds until the next point.
    Steps,
    /// From 0 to the value, each around its x.
    Bars,
    Points,
}

impl Axis {
    pub(crate) fn numbers(label: &str) -> Self {
        Self { label: label.into(), scale: Scale::Numbers, least: None }
    }

    pub(crate) fn names(label: &str, names: Vec<String>) -> Self {
        Self { label: label.into(), scale: Scale::Names(names), least: None }
    }

    /// It shows at least this much.
    pub(crate) fn showing(self, from: f64, to: f64) -> Self {
        Self { least: Some((from, to)), ..self }
    }
}

impl Series {
    pub(crate) fn new(name: &str, shape: Shape, points: Vec<(f64, f64)>) -> Self {
        let points = points.into_iter().filter(|it| it.0.is_finite() && it.1.is_finite()).collect();
        Self { name: name.into(), shape, points }
    }
}

impl Figure {
    /// Returns the width of a bar: the least distance of two.
    fn bar(&self) -> f64 {
        let bars = self.series.iter().filter(|it| it.shape == Shape::Bars);
        let gaps = bars.flat_map(|it| it.points.windows(2).map(|it| it[1].0 - it[0].0));
        let least = gaps.filter(|it| *it > 0.0).fold(f64::INFINITY, f64::min);
        if least.is_finite() { least } else { 1.0 }
    }

    /// Returns what the axes show: x, then y.
    fn ticks(&self) -> (Ticks, Ticks) {
        let points = || self.series.iter().flat_map(|it| it.points.iter().map(move |point| (it.shape, *point)));
        let bar = self.bar() / 2.0;
        let wide =
            |(shape, (x, _)): (Shape, (f64, f64))| if shape == Shape::Bars { [x - bar, x + bar] } else { [x, x] };
        let tall = |(shape, (_, y)): (Shape, (f64, f64))| if shape == Shape::Bars { [0.0, y] } else { [y, y] };
        let x = points().flat_map(wide).chain(self.marks.iter().map(|it| it.0));
        (Ticks::of(&self.x, x), Ticks::of(&self.y, points().flat_map(tall)))
    }
}

#[cfg(test)]
mod tests;
