//! Units: how a value in one unit is written in another of the same kind.
//!
//! A short closed list: what is not in it is not converted, and a configuration that would need it is refused.

/// How a number in one unit becomes one in another: times the factor, and the offset added.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conversion {
    /// What it is multiplied by.
    pub factor: f64,
    /// What is added then.
    pub offset: f64,
}

impl Conversion {
    /// Converts a number.
    pub fn of(self, number: f64) -> f64 {
        number * self.factor + self.offset
    }
}

/// A unit: its name, of what it is one, and how many of the first unit of its kind it is, from which zero.
type Unit = (&'static str, &'static str, f64, f64);

/// The units that are known.
const UNITS: [Unit; 31] = [
    ("m", "length", 1.0, 0.0),
    ("mm", "length", 0.001, 0.0),
    ("cm", "length", 0.01, 0.0),
    ("km", "length", 1_000.0, 0.0),
    ("in", "length", 0.0254, 0.0),
    ("ft", "length", 0.3048, 0.0),
    ("mi", "length", 1_609.344, 0.0),
    ("kg", "mass", 1.0, 0.0),
    ("g", "mass", 0.001, 0.0),
    ("mg", "mass", 0.000_001, 0.0),
    ("t", "mass", 1_000.0, 0.0),
    ("lb", "mass", 0.453_592_37, 0.0),
    ("s", "time", 1.0, 0.0),
    ("ms", "time", 0.001, 0.0),
    ("us", "time", 0.000_001, 0.0),
    ("min", "time", 60.0, 0.0),
    ("h", "time", 3_600.0, 0.0),
    ("d", "time", 86_400.0, 0.0),
    ("K", "temperature", 1.0, 0.0),
    ("C", "temperature", 1.0, 273.15),
    ("F", "temperature", 5.0 / 9.0, 459.67 * 5.0 / 9.0),
    ("m2", "area", 1.0, 0.0),
    ("km2", "area", 1e6, 0.0),
    ("ft2", "area", 0.092_903_04, 0.0),
    ("ha", "area", 1e4, 0.0),
    ("ratio", "share", 1.0, 0.0),
    ("percent", "share", 0.01, 0.0),
    ("permille", "share", 0.001, 0.0),
    ("B", "bytes", 1.0, 0.0),
    ("KiB", "bytes", 1_024.0, 0.0),
    ("MiB", "bytes", 1_048_576.0, 0.0),
];

/// Says whether a unit is known.
pub(crate) fn is_known(name: &str) -> bool {
    UNITS.iter().any(|it| it.0 == name)
}

/// Names the units that are known.
pub(crate) fn known() -> String {
    UNITS.map(|it| it.0).join(", ")
}

/// Returns how numbers in one unit are written in another; none where both are the same.
///
/// # Errors
/// They are not known to be of one kind.
pub(crate) fn convert(from: &str, to: &str) -> Result<Option<Conversion>, ()> {
    if from == to {
        return Ok(None);
    }
    let known = |name: &str| UNITS.iter().find(|it| it.0 == name);
    let (Some(from), Some(to)) = (known(from), known(to)) else { return Err(()) };
    if from.1 != to.1 {
        return Err(());
    }
    Ok(Some(Conversion { factor: from.2 / to.2, offset: (from.3 - to.3) / to.2 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_converted_within_its_kind_and_nothing_else_is() {
        for (from, to, number, expected) in [
            ("km", "m", 1.5, 1_500.0),
            ("m", "km", 1_500.0, 1.5),
            ("percent", "ratio", 12.5, 0.125),
            ("C", "K", 20.0, 293.15),
            ("F", "C", 212.0, 100.0),
            ("C", "F", -40.0, -40.0),
        ] {
            let found = convert(from, to).expect("one kind").expect("two units").of(number);
            assert!((found - expected).abs() < 1e-9, "{number} {from} is {found} {to}");
        }
        assert_eq!(convert("EUR", "EUR"), Ok(None), "what is the same needs not be known");
        assert_eq!([convert("EUR", "USD"), convert("m", "s"), convert("m", "")], [Err(()); 3]);
    }
}
