//! Certificates: what `evenkeel tune` promises of a route's thresholds, and `certificate` of the route names.
//!
//! JSON, a key a line, with a checksum over all the rest. It says what was promised, of which tiers, by which rows, and until when; it
//! decides nothing: thresholds stand in `accept`, and `check` holds them against it.
//!
//! # Compatibility
//! Another version or another kind is refused with both named; an unknown key is, too. A reader of version 1 will read version 1.

use serde::{Deserialize, Serialize};

use super::{CHECKSUM, CalibrationError, VERSION, checksum, lines};

/// The kind of a certificate.
const CERTIFICATE: &str = "certificate";

/// A promise: with probability 1 − δ, answers of the route have at most ε more loss than those of its last model would have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certified {
    /// The version of the file.
    pub version: u32,
    /// Its kind.
    pub kind: String,
    /// The route.
    pub route: String,
    /// Its models, from the first that is asked to the one that is taken for right.
    pub tiers: Vec<CertifiedTier>,
    /// The probability of being right from which on an answer of all but the last is accepted.
    pub at_least: f64,
    /// The thresholds that passed as well, each safer than that one: what a route steps back to where the promise is not kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ladder: Vec<f64>,
    /// The extra loss that is accepted, the chance to err, and how often the route has been tuned, this time included.
    pub epsilon: f64,
    /// The same.
    pub delta: f64,
    /// The same.
    pub tuning: u32,
    /// The digest of the rows, in hexadecimal digits: the same in whatever order they stood in their file.
    pub rows: String,
    /// The digest of the reference that the route had, in hexadecimal digits; none where it had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// How many rows there were.
    pub n: u64,
    /// The row at which it passed.
    pub passed_at: u64,
    /// What was seen on these rows: the mean extra loss, and the cost of a request, of which that of the last model alone is 1.
    pub extra_loss: f64,
    /// The same.
    pub cost: f64,
    /// When it was issued, in seconds since 1970.
    pub at: u64,
    /// For how many seconds it is valid.
    pub valid_for: u64,
}

/// A model of which something is promised.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertifiedTier {
    /// The tier.
    pub name: String,
    /// Which model it is.
    pub model: String,
    /// SHA-256 of the file of its calibration, in hexadecimal digits; none of the last.
    pub calibration: Option<String>,
}

impl Certified {
    /// Makes one of its parts.
    pub fn new(route: String, tiers: Vec<CertifiedTier>, at_least: f64) -> Self {
        Self {
            version: VERSION,
            kind: CERTIFICATE.to_owned(),
            route,
            tiers,
            at_least,
            ladder: Vec::new(),
            epsilon: 0.0,
            delta: 0.0,
            tuning: 1,
            rows: String::new(),
            reference: None,
            n: 0,
            passed_at: 0,
            extra_loss: 0.0,
            cost: 1.0,
            at: 0,
            valid_for: 0,
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, CalibrationError> {
        let mut whole: serde_json::Value = serde_json::from_str(text)?;
        let told = whole.as_object_mut().and_then(|it| it.remove(CHECKSUM));
        let sound = told.is_some_and(|it| it.as_str() == Some(&*checksum(&whole)));
        let it: Self = serde_json::from_value(whole)?;
        if it.kind != CERTIFICATE || it.version != VERSION {
            let Self { kind, version, .. } = it;
            return Err(CalibrationError::Other { kind, version, wanted: CERTIFICATE });
        }
        if sound { Ok(it) } else { Err(CalibrationError::Checksum) }
    }

    /// Writes a file.
    pub fn write(&self) -> String {
        let mut whole = serde_json::to_value(self).expect("it is made of numbers and texts");
        whole[CHECKSUM] = checksum(&whole).into();
        lines(&whole)
    }

    /// Returns until when it is valid, in seconds since 1970.
    pub fn until(&self) -> u64 {
        self.at.saturating_add(self.valid_for)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certified() -> Certified {
        let tier = |name: &str, calibration: Option<&str>| CertifiedTier {
            name: name.into(),
            model: format!("openai u {name}"),
            calibration: calibration.map(str::to_owned),
        };
        let tiers = vec![tier("small", Some("ab")), tier("large", None)];
        let (epsilon, delta, at, valid_for) = (0.01, 0.05, 1_764_163_893, 2_592_000);
        Certified { epsilon, delta, at, valid_for, n: 2_000, ..Certified::new("chat".into(), tiers, 0.87) }
    }

    #[test]
    fn a_certificate_is_read_as_it_was_written_and_says_until_when_it_holds() {
        let (it, text) = (certified(), certified().write());
        let again = Certified::read(&text).expect("a file of ours");
        assert_eq!((&again, again.write(), again.until()), (&it, text, 1_766_755_893));
    }

    #[test]
    fn what_is_no_certificate_of_ours_is_refused_in_words() {
        let text = certified().write();
        for (from, to, words) in [
            (
                "\"version\": 1",
                "\"version\": 2",
                "is `certificate` of version 2, and `certificate` of version 1 is wanted",
            ),
            ("\"kind\": \"certificate\"", "\"kind\": \"votes\"", "is `votes` of version 1"),
            ("\"at_least\": 0.87", "\"at_least\": 0.57", "was changed after it was written"),
            ("\"epsilon\"", "\"eps\"", "unknown field `eps`"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            let refused = Certified::read(&changed).expect_err(words).to_string();
            assert!(refused.contains(words), "{refused}");
        }
    }
}
