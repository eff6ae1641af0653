//! SVG: a figure as a file that browsers and pages show, in text that can be read and compared.

use std::fmt::Write as _;

use super::{Figure, Series, Shape, Ticks};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
/// What is left for the axes: left, right, top, bottom.
const EDGES: [f64; 4] = [64.0, 16.0, 48.0, 52.0];
/// Told apart also by who does not see all colours (Okabe, Ito 2008), in the order of the series.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"];
/// Names below an axis that are written level; more are turned.
const LEVEL: usize = 8;

/// Where things lie on the sheet.
struct Sheet {
    x: Ticks,
    y: Ticks,
}

impl Sheet {
    fn x(&self, value: f64) -> f64 {
        EDGES[0] + self.x.part(value) * (WIDTH - EDGES[0] - EDGES[1])
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - EDGES[3] - self.y.part(value) * (HEIGHT - EDGES[2] - EDGES[3])
    }
}

impl Figure {
    /// Writes it as SVG.
    pub(crate) fn svg(&self) -> String {
        let (x, y) = self.ticks();
        let sheet = Sheet { x, y };
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"system-ui, sans-serif\" font-size=\"12\" role=\"img\">\n<title>{0}</title>\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n<text x=\"{1}\" y=\"20\" font-size=\"14\" font-weight=\"600\">{0}</text>\n",
            safe(&self.title),
            EDGES[0],
        );
        self.axes(&sheet, &mut text);
        let bar = self.bar();
        for (series, colour) in self.series.iter().zip(COLOURS.iter().cycle()) {
            draw(series, colour, bar, &sheet, &mut text);
        }
        for (at, what) in &self.marks {
            let x = short(sheet.x(*at));
            let (top, bottom) = (short(EDGES[2]), short(HEIGHT - EDGES[3]));
            let _ = writeln!(
                text,
                "<path d=\"M{x} {top}V{bottom}\" stroke=\"#b00020\" stroke-dasharray=\"4 3\"><title>{}</title></path>",
                safe(what)
            );
        }
        self.legend(&mut text);
        text + "</svg>\n"
    }

    fn axes(&self, sheet: &Sheet, text: &mut String) {
        let (left, right) = (short(EDGES[0]), short(WIDTH - EDGES[1]));
        let (top, bottom) = (short(EDGES[2]), short(HEIGHT - EDGES[3]));
        let turned = sheet.x.at.len() > LEVEL;
        for (at, label) in &sheet.y.at {
            let y = short(sheet.y(*at));
            let _ = writeln!(text, "<path d=\"M{left} {y}H{right}\" stroke=\"#ddd\"/>");
            let beside = short(EDGES[0] - 6.0);
            let _ = writeln!(
                text,
                "<text x=\"{beside}\" y=\"{y}\" text-anchor=\"end\" dominant-baseline=\"middle\">{}</text>",
                safe(label)
            );
        }
        for (at, label) in &sheet.x.at {
            let (x, below) = (short(sheet.x(*at)), short(HEIGHT - EDGES[3] + 16.0));
            let (anchor, turn) = match turned {
                true => ("end", format!(" transform=\"rotate(-30 {x} {below})\"")),
                false => ("middle", String::new()),
            };
            let _ =
                writeln!(text, "<text x=\"{x}\" y=\"{below}\" text-anchor=\"{anchor}\"{turn}>{}</text>", safe(label));
        }
        let _ = writeln!(text, "<path d=\"M{left} {top}V{bottom}H{right}\" fill=\"none\" stroke=\"#333\"/>");
        let (middle, below) = (short((EDGES[0] + WIDTH - EDGES[1]) / 2.0), short(HEIGHT - 10.0));
        let _ =
            writeln!(text, "<text x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\">{}</text>", safe(&self.x.label));
        let centre = short((EDGES[2] + HEIGHT - EDGES[3]) / 2.0);
        let _ = writeln!(
            text,
            "<text x=\"14\" y=\"{centre}\" text-anchor=\"middle\" transform=\"rotate(-90 14 {centre})\">{}</text>",
            safe(&self.y.label)
        );
    }

    /// Names the series, where there are several, and what the marks are.
    fn legend(&self, text: &mut String) {
        let mut x = EDGES[0];
        let mut entry = |name: &str, colour: &str| {
            let (at, beside) = (short(x), short(x + 16.0));
            let _ = writeln!(text, "<rect x=\"{at}\" y=\"30\" width=\"12\" height=\"4\" fill=\"{colour}\"/>");
            let _ = writeln!(text, "<text x=\"{beside}\" y=\"36\">{}</text>", safe(name));
            #[expect(clippy::cast_precision_loss, reason = "a length")]
            let length = name.chars().count() as f64;
            x += 28.0 + 6.6 * length;
        };
        if self.series.len() > 1 {
            self.series.iter().zip(COLOURS.iter().cycle()).for_each(|(it, colour)| entry(&it.name, colour));
        }
        if let Some((_, what)) = self.marks.first() {
            entry(what, "#b00020");
        }
    }
}

fn draw(series: &Series, colour: &str, bar: f64, sheet: &Sheet, text: &mut String) {
    let at = |point: &(f64, f64)| (short(sheet.x(point.0)), short(sheet.y(point.1)));
    match series.shape {
        Shape::Bars => {
            for (x, value) in &series.points {
                let (from, to) = (sheet.x(x - bar * 0.45), sheet.x(x + bar * 0.45));
                let (top, bottom) = (sheet.y(value.max(0.0)), sheet.y(value.min(0.0)));
                let [x, y, width, height] = [from, top, to - from, bottom - top].map(short);
                let _ = writeln!(
                    text,
                    "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{colour}\" fill-opacity=\".8\"/>"
                );
            }
        }
        Shape::Points => {
            for (x, y) in series.points.iter().map(at) {
                let _ = writeln!(text, "<circle cx=\"{x}\" cy=\"{y}\" r=\"3\" fill=\"{colour}\"/>");
            }
        }
        Shape::Line | Shape::Steps => {
            let mut path = String::new();
            for (index, (x, y)) in series.points.iter().map(at).enumerate() {
                let _ = match (index, series.shape) {
                    (0, _) => write!(path, "M{x} {y}"),
                    (_, Shape::Steps) => write!(path, "H{x}V{y}"),
                    _ => write!(path, "L{x} {y}"),
                };
            }
            let _ = writeln!(text, "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>");
        }
    }
}

/// A place on the sheet, to a tenth of a point.
fn short(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '&' => safe += "&amp;",
            '"' => safe += "&quot;",
            // What XML has no place for.
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}
