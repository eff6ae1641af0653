//! Curve: what accuracy costs, as a drawing.

use std::fmt::Write as _;

/// The drawing's inside in pixels, and what its axes show: cost in % of the best service's, points of accuracy over it.
const SIZE: (f64, f64) = (640.0, 400.0);
const COSTS: (f64, f64) = (0.0, 160.0);
const POINTS: (f64, f64) = (-10.0, 10.0);
const COLOURS: [&str; 6] = ["#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#b8860b", "#444444"];

/// One line: its name, its points as cost and accuracy over the best service, and which of them was certified.
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
    pub(crate) certified: Option<(f64, f64)>,
}

/// Draws curves: a circle is what was certified, the cross of the axes is the best service alone.
pub(crate) fn drawn(curves: &[Curve]) -> String {
    let x = |cost: f64| 60.0 + (cost - COSTS.0) / (COSTS.1 - COSTS.0) * SIZE.0;
    let y = |points: f64| 20.0 + (POINTS.1 - points.clamp(POINTS.0, POINTS.1)) / (POINTS.1 - POINTS.0) * SIZE.1;
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 470\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"720\" height=\"470\" fill=\"#ffffff\"/>\n",
    );
    let line = |from: (f64, f64), to: (f64, f64), colour: &str| {
        let (x1, y1, x2, y2) = (x(from.0), y(from.1), x(to.0), y(to.1));
        format!("<path d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\" stroke=\"{colour}\"/>\n")
    };
    for step in 0..=8 {
        let cost = f64::from(step) * 20.0;
        svg += &line((cost, POINTS.0), (cost, POINTS.1), if step == 5 { "#888888" } else { "#eeeeee" });
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"436\" text-anchor=\"middle\">{cost}</text>", x(cost));
    }
    for step in -2..=2 {
        let points = f64::from(step) * 5.0;
        svg += &line((COSTS.0, points), (COSTS.1, points), if step == 0 { "#888888" } else { "#eeeeee" });
        let _ = writeln!(svg, "<text x=\"52\" y=\"{:.1}\" text-anchor=\"end\">{points:+}</text>", y(points) + 4.0);
    }
    svg += "<text x=\"380\" y=\"458\" text-anchor=\"middle\">cost, % of the best service's</text>\n\
            <text x=\"66\" y=\"14\">accuracy, points over the best service</text>\n";
    for (at, (curve, colour)) in curves.iter().zip(COLOURS).enumerate() {
        let at_point = |it: &(f64, f64)| format!("{:.1} {:.1}", x(it.0.min(COSTS.1)), y(it.1));
        let path = curve.points.iter().map(at_point).collect::<Vec<_>>().join("L");
        let _ = writeln!(svg, "<path d=\"M{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"/>");
        if let Some((cost, points)) = curve.certified {
            let _ = writeln!(svg, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"5\" fill=\"{colour}\"/>", x(cost), y(points));
        }
        let down = 250.0 + 18.0 * at as f64;
        let _ = writeln!(svg, "<text x=\"600\" y=\"{down}\" fill=\"{colour}\">{}</text>", curve.name);
    }
    svg + "</svg>\n"
}
