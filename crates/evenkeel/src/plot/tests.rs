//! Figures, drawn: the files in `golden` are what they look like. `EVENKEEL_BLESS=1` writes them anew.

use std::{fs, path::Path};

use super::*;

fn figures() -> Vec<(&'static str, Figure)> {
    let curve = |of: fn(f64) -> f64| (0..=40).map(|it| f64::from(it) / 40.0).map(|x| (x, of(x))).collect::<Vec<_>>();
    let histogram = Figure {
        title: "amount: 1000 rows".into(),
        x: Axis::numbers("amount, EUR"),
        y: Axis::numbers("share of rows").showing(0.0, 0.0),
        series: vec![Series::new(
            "rows",
            Shape::Bars,
            (0..12).map(|it| (f64::from(it * 5), f64::from(it % 5) / 20.0)).collect(),
        )],
        marks: Vec::new(),
    };
    let names = Figure {
        title: "country <& \"others\">".into(),
        x: Axis::names("", ["de", "fr", "a name that is longer than thirty letters"].map(String::from).into()),
        series: vec![Series::new("rows", Shape::Bars, vec![(0.0, 0.5), (1.0, 0.31), (2.0, 0.0)])],
        ..histogram.clone()
    };
    let lines = Figure {
        title: "Drift over 4 d".into(),
        x: Axis { scale: Scale::Times, ..Axis::numbers("time") },
        y: Axis::numbers("drift score").showing(0.0, 1.0),
        series: vec![
            Series::new(
                "route",
                Shape::Steps,
                curve(|x| x * x).into_iter().map(|it| (it.0 * 4.0 * 86_400e9, it.1)).collect(),
            ),
            Series::new("age", Shape::Line, vec![(0.0, f64::NAN), (0.0, 0.2), (345_600e9, 0.4)]),
        ],
        marks: vec![(200_000e9, "alarm".into())],
    };
    let points = Figure {
        title: "Reliability".into(),
        x: Axis::numbers("said").showing(0.0, 1.0),
        y: Axis::numbers("right").showing(0.0, 1.0),
        series: vec![
            Series::new("perfect", Shape::Line, curve(|x| x)),
            Series::new("tier", Shape::Points, vec![(0.5, 0.7), (0.9, 0.8)]),
        ],
        marks: Vec::new(),
    };
    let empty = Figure { title: "nothing".into(), series: Vec::new(), ..histogram.clone() };
    vec![("histogram", histogram), ("names", names), ("lines", lines), ("points", points), ("empty", empty)]
}

#[test]
fn figures_are_drawn_as_the_golden_files_have_them() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plot/golden");
    for (name, figure) in figures() {
        for (file, drawn) in [(format!("{name}.svg"), figure.svg()), (format!("{name}.txt"), figure.terminal(60, 8))] {
            let path = golden.join(file);
            if std::env::var_os("EVENKEEL_BLESS").is_some() {
                fs::write(&path, &drawn).expect("written");
            }
            let expected = fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(drawn, expected, "{}: EVENKEEL_BLESS=1 writes it anew", path.display());
        }
    }
}

#[test]
fn every_number_is_drawn_somewhere_on_the_sheet() {
    let wild = [f64::NAN, f64::INFINITY, 1e300, -1e300, 0.0, 5e-324];
    for shape in [Shape::Line, Shape::Steps, Shape::Bars, Shape::Points] {
        let points = wild.iter().flat_map(|x| wild.map(|y| (*x, y))).collect();
        let figure = Figure { series: vec![Series::new("wild", shape, points)], ..figures()[0].1.clone() };
        let (svg, text) = (figure.svg(), figure.terminal(20, 4));
        assert!(!svg.contains("NaN") && !svg.contains("inf") && text.lines().count() == 8, "{shape:?}: {svg}\n{text}");
    }
    assert_eq!(spark(&[0.0, 0.1, 1.0, f64::NAN]), " ▁█ ");
}
