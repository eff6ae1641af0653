//! Values: which numbers and texts fit a place of a contract.

use thiserror::Error;

/// What the values of a feature or an output may be. NaN is neither whole nor within any bound.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Values {
    /// The name of the column, where a tensor has several.
    pub(crate) column: Option<String>,
    /// Whether NaN fits, for a value that is missing.
    pub(crate) missing: bool,
    /// The number that says that there is none, as FP32 and FP64 hold it; it fits, whatever the bounds are.
    pub(crate) absent: Option<[f64; 2]>,
    /// Whether NaN and infinities are refused, also where there is no bound.
    pub(crate) finite: bool,
    /// Whether only whole numbers fit.
    pub(crate) whole: bool,
    /// The least that fits.
    pub(crate) min: Option<f64>,
    /// The greatest that fits.
    pub(crate) max: Option<f64>,
    /// The texts that fit, sorted; any, where there is none.
    pub(crate) categories: Vec<String>,
}

/// Characters of a text that does not fit that are told.
const SHOWN: usize = 64;

/// A value that does not fit.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{}{found} {why}", .column.as_ref().map_or(String::new(), |column| format!("'{column}' is ")))]
pub(crate) struct Stray {
    column: Option<String>,
    found: String,
    why: String,
}

impl Values {
    /// Says why a text does not fit, if it does not.
    pub(crate) fn stray_text(&self, text: &[u8]) -> Option<Stray> {
        let known = self.categories.binary_search_by(|it| it.as_bytes().cmp(text)).is_ok();
        if known || self.categories.is_empty() {
            return None;
        }
        let shown: String = String::from_utf8_lossy(text).chars().take(SHOWN).collect();
        Some(Stray { column: None, found: format!("{shown:?}"), why: "is none of the categories".into() })
    }

    /// Says whether every number fits.
    pub(crate) fn is_free(&self) -> bool {
        !self.finite && !self.whole && self.min.is_none() && self.max.is_none()
    }

    /// Says why a number does not fit, if it does not.
    pub(crate) fn stray(&self, number: f64) -> Option<Stray> {
        let nan = number.is_nan();
        if nan && self.missing || self.absent.is_some_and(|it| it.contains(&number)) {
            return None;
        }
        let why = match (self.min, self.max) {
            (Some(min), _) if nan || number < min => format!("and must be at least {min}"),
            (_, Some(max)) if nan || number > max => format!("and must be at most {max}"),
            _ if self.finite && !number.is_finite() => "and must be a finite number".into(),
            _ if self.whole && number.fract() != 0.0 => "and must be a whole number".into(),
            _ => return None,
        };
        Some(Stray { column: self.column.clone(), found: number.to_string(), why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tn_09_a_number_is_held_to_its_bounds_and_nan_is_within_none() {
        let column = Some("age".into());
        let age = Values { column, finite: true, whole: true, min: Some(0.0), max: Some(120.0), ..Values::default() };
        for fits in [0.0, -0.0, 41.0, 120.0] {
            assert_eq!(age.stray(fits), None, "{fits}");
        }
        let check = |number: f64, words: &str| assert_eq!(age.stray(number).expect(words).to_string(), words);
        check(-1.0, "'age' is -1 and must be at least 0");
        check(121.0, "'age' is 121 and must be at most 120");
        check(0.5, "'age' is 0.5 and must be a whole number");
        check(f64::NAN, "'age' is NaN and must be at least 0");
        let grade = Values { categories: ["a", "b", "ü"].map(str::to_owned).into(), ..Values::default() };
        assert_eq!(["a", "ü"].map(|it| grade.stray_text(it.as_bytes())), [None, None]);
        let told = |text: &[u8]| grade.stray_text(text).expect("none of them").to_string();
        assert_eq!(told(b"c\n"), r#""c\n" is none of the categories"#);
        assert!(told(b"\xff").contains('\u{fffd}') && told(&[b'x'; 1000]).len() < 100 && !told(b"").is_empty());
        assert_eq!(Values::default().stray_text(b"any"), None);
        assert!(Values { whole: true, ..Values::default() }.stray(f64::NAN).is_some());
        assert!(Values { whole: true, ..Values::default() }.stray(f64::INFINITY).is_some());
        assert_eq!(Values::default().stray(f64::NAN), None);
        let maybe = Values { missing: true, ..age.clone() };
        assert_eq!((maybe.stray(f64::NAN), maybe.stray(40.0)), (None, None), "F-037");
        assert!(maybe.stray(f64::INFINITY).is_some() && maybe.stray(-1.0).is_some());
        let income = Values { column: Some("income".into()), finite: true, ..Values::default() };
        for (number, words) in [(f64::NAN, "NaN"), (f64::NEG_INFINITY, "-inf")] {
            let stray = income.stray(number).expect(words).to_string();
            assert_eq!(stray, format!("'income' is {words} and must be a finite number"), "TN-03");
        }
    }
}
