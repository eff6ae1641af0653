//! Ticks: where an axis begins and ends, and which numbers stand beside it.

use jiff::Timestamp;

use super::{Axis, Scale};

/// Ticks of an axis, about.
const ABOUT: f64 = 5.0;
/// Steps of times, in seconds: what clocks and calendars have.
const TIMES: [f64; 14] = [
    1.0,
    5.0,
    15.0,
    60.0,
    300.0,
    900.0,
    3_600.0,
    10_800.0,
    21_600.0,
    43_200.0,
    86_400.0,
    172_800.0,
    604_800.0,
    2_592_000.0,
];

/// The part of a scale that is seen.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ticks {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) at: Vec<(f64, String)>,
}

impl Ticks {
    /// Shows all values, and what the axis wants.
    pub(super) fn of(axis: &Axis, values: impl Iterator<Item = f64>) -> Self {
        let wanted = axis.least.map(|it| [it.0, it.1]).into_iter().flatten();
        let (mut from, mut to) =
            values.chain(wanted).fold((f64::INFINITY, f64::NEG_INFINITY), |it, x| (it.0.min(x), it.1.max(x)));
        if from > to {
            (from, to) = (0.0, 1.0);
        }
        if from == to {
            let half = if from == 0.0 { 0.5 } else { from.abs() / 2.0 };
            (from, to) = (from - half, to + half);
        }
        let at = match &axis.scale {
            Scale::Names(names) => names.iter().zip(0_u32..).map(|(name, at)| (f64::from(at), name.clone())).collect(),
            Scale::Numbers => {
                let step = step((to - from) / ABOUT);
                multiples(from, to, step).map(|it| (it, number(it, step))).collect()
            }
            Scale::Times => {
                let seconds = (to - from) / 1e9 / ABOUT;
                let step = TIMES.into_iter().find(|it| *it >= seconds).unwrap_or_else(|| step(seconds));
                multiples(from, to, step * 1e9).map(|it| (it, time(it, step))).collect()
            }
        };
        Self { from, to, at }
    }

    /// Returns where a value lies, 0 to 1.
    pub(super) fn part(&self, value: f64) -> f64 {
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }
}

/// The step of 1, 2 or 5 times a power of ten that is not below another.
fn step(least: f64) -> f64 {
    let power = 10_f64.powi(power_of_ten(least));
    [1.0, 2.0, 5.0, 10.0].map(|it| it * power).into_iter().find(|it| *it >= least * 0.999_999).unwrap_or(least)
}

/// The exponent of the power of ten that is not above a number.
#[expect(clippy::cast_possible_truncation, reason = "exponents of doubles are small")]
fn power_of_ten(number: f64) -> i32 {
    if number > 0.0 { number.log10().floor() as i32 } else { 0 }
}

fn multiples(from: f64, to: f64, step: f64) -> impl Iterator<Item = f64> {
    let first = (from / step - 1e-9).ceil();
    let slack = (to - from) * 1e-9;
    (0..100_u32).map(move |it| (first + f64::from(it)) * step).take_while(move |it| *it <= to + slack)
}

/// Writes a number as exactly as its step.
fn number(value: f64, step: f64) -> String {
    if value.abs() >= 1e7 || step < 1e-5 {
        return format!("{value:.2e}");
    }
    let places = usize::try_from(-power_of_ten(step)).unwrap_or(0);
    let text = format!("{value:.places$}");
    if text.trim_start_matches(['-', '0', '.']).is_empty() { "0".into() } else { text }
}

#[expect(clippy::cast_possible_truncation, reason = "saturates, and is none then")]
fn time(ns: f64, step_seconds: f64) -> String {
    let Ok(at) = Timestamp::from_second((ns / 1e9).round() as i64) else { return String::new() };
    let form = match step_seconds {
        it if it >= 86_400.0 => "%Y-%m-%d",
        it if it >= 60.0 => "%m-%d %H:%M",
        _ => "%H:%M:%S",
    };
    at.strftime(form).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_what_is_there() {
        let ticks = |values: &[f64]| Ticks::of(&Axis::numbers("x"), values.iter().copied());
        let said = |it: &Ticks| it.at.iter().map(|it| it.1.clone()).collect::<Vec<_>>().join(" ");
        for (values, expected) in [
            (&[0.0, 1.0][..], "0 0.2 0.4 0.6 0.8 1.0"),
            (&[-3.0, 7.0], "-2 0 2 4 6"),
            (&[0.0, 4_321.0], "0 1000 2000 3000 4000"),
            (&[5.0, 5.0], "3 4 5 6 7"),
            (&[], "0 0.2 0.4 0.6 0.8 1.0"),
            (&[0.0, 3e9], "0.00e0 1.00e9 2.00e9 3.00e9"),
        ] {
            let it = ticks(values);
            assert_eq!(said(&it).replace("0.00e0", "0"), expected.replace("0.00e0", "0"), "{values:?}");
        }
        let day = 86_400e9;
        let times = Axis { scale: Scale::Times, ..Axis::numbers("t") };
        assert_eq!(
            said(&Ticks::of(&times, [0.0, 4.0 * day].into_iter())),
            "1970-01-01 1970-01-02 1970-01-03 1970-01-04 1970-01-05"
        );
        let it = ticks(&[0.0, 10.0]);
        assert_eq!([-5.0, 0.0, 5.0, 20.0].map(|x| it.part(x)), [0.0, 0.0, 0.5, 1.0]);
    }
}
