//! Calibrations of a confidence: what `evenkeel calibrate` learns of how often a tier is right that is so sure, and
//! `accept.calibration` names.
//!
//! JSON, a key a line, with a checksum over all the rest, as the files of votes have it. Counts are whole and belong to no time: a
//! file does not fade, so the same answer is as likely right for as long as it stands.
//!
//! # Compatibility
//! Another version or another kind is refused with both named; an unknown key is, too. A reader of version 1 will read version 1. A file
//! without `rows` is one of before it was written down: it says nothing of which rows have taught it.

use evenkeel_signals::calibrate::{Calibrator, Kind};
use serde::{Deserialize, Serialize};

use super::{CHECKSUM, CalibrationError, CalibratorFile, VERSION, checksum, lines};

/// The kind of a file of what a confidence is worth.
const CONFIDENCE: &str = "confidence";
/// What belongs to no time is read at this one.
const TIMELESS: u64 = 0;
/// The label of answers that are all alike: numbers and texts (signals.md, section 8).
const ALIKE: &str = "";

/// What a tier's confidence is worth, and of what that was learnt.
#[derive(Clone, Debug, PartialEq)]
pub struct LearntConfidence {
    /// The route that it was learnt on.
    pub route: String,
    /// Of what it was learnt.
    pub of: ConfidenceOf,
    /// When the rows were seen, in seconds since 1970.
    pub as_of: u64,
    /// How many rows there were.
    pub n: u64,
    /// SHA-256 of the file of rows, in hexadecimal digits; none where an earlier program wrote it.
    pub rows: Option<String>,
    /// What was learnt.
    pub learnt: Calibrator,
}

/// What must be the same where a confidence is learnt and where it is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfidenceOf {
    /// The tier.
    pub tier: String,
    /// Which model it is.
    pub model: String,
    /// How sure it is, as an expression.
    pub confidence: String,
    /// The output whose value is its label; none where all answers are alike.
    pub label: Option<String>,
}

impl LearntConfidence {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, CalibrationError> {
        let mut whole: serde_json::Value = serde_json::from_str(text)?;
        let told = whole.as_object_mut().and_then(|it| it.remove(CHECKSUM));
        let sound = told.is_some_and(|it| it.as_str() == Some(&*checksum(&whole)));
        // Of another kind is said before what of that kind is unknown here.
        let other = |key: &str| whole.get(key).cloned();
        if let (Some(kind), Some(version)) = (other("kind"), other("version").and_then(|it| it.as_u64()))
            && (kind != CONFIDENCE || version != u64::from(VERSION))
        {
            let (kind, version) = (kind.as_str().unwrap_or("?").to_owned(), u32::try_from(version).unwrap_or(u32::MAX));
            return Err(CalibrationError::Other { kind, version, wanted: CONFIDENCE });
        }
        let file: ConfidenceFile = serde_json::from_value(whole)?;
        if !sound {
            return Err(CalibrationError::Checksum);
        }
        let learnt = file.calibrator.state().and_then(|it| Calibrator::of(&it).ok());
        let learnt = learnt.ok_or(CalibrationError::Votes)?;
        let of = ConfidenceOf { tier: file.tier, model: file.model, confidence: file.confidence, label: file.label };
        Ok(Self { route: file.route, of, as_of: file.as_of, n: file.n, rows: file.rows, learnt })
    }

    /// Writes a file.
    pub fn write(&self) -> String {
        let ConfidenceOf { tier, model, confidence, label } = self.of.clone();
        let file = ConfidenceFile {
            version: VERSION,
            kind: CONFIDENCE.to_owned(),
            route: self.route.clone(),
            tier,
            model,
            confidence,
            label,
            as_of: self.as_of,
            n: self.n,
            rows: self.rows.clone(),
            calibrator: CalibratorFile::of(&self.learnt.state()),
        };
        let mut whole = serde_json::to_value(file).expect("it is made of numbers and texts");
        whole[CHECKSUM] = checksum(&whole).into();
        lines(&whole)
    }

    /// Says whether it was learnt from rows enough to be a confidence.
    pub fn is_enough(&self) -> bool {
        self.learnt.read(TIMELESS, ALIKE, None).kind == Kind::Calibrated
    }

    /// Returns how likely an answer is right of which the model is so sure, in whole thousandths at or below it: what is told is
    /// never more than what is known.
    pub fn right(&self, label: Option<&str>, said: f64) -> u16 {
        thousandths(self.learnt.read(TIMELESS, label.unwrap_or(ALIKE), Some(said)).p)
    }

    /// Returns the least and the most that any answer is likely right, in thousandths.
    pub fn range(&self) -> (u16, u16) {
        let (least, most) = self.learnt.range(TIMELESS);
        (thousandths(least), thousandths(most))
    }
}

fn thousandths(p: f64) -> u16 {
    (p.clamp(0.0, 1.0) * 1e3).floor() as u16
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfidenceFile {
    version: u32,
    kind: String,
    route: String,
    tier: String,
    model: String,
    confidence: String,
    label: Option<String>,
    as_of: u64,
    n: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rows: Option<String>,
    calibrator: CalibratorFile,
}

#[cfg(test)]
mod tests {
    use evenkeel_signals::calibrate::{Row, Teacher};

    use super::*;

    fn learnt(rows: usize) -> LearntConfidence {
        let row =
            |at: usize| Row { label: ALIKE, confidence: Some((at % 20) as f64 / 20.0), right: at % 20 > at / 20 % 20 };
        let rows: Vec<_> = (0..rows).map(row).collect();
        LearntConfidence {
            route: "r".into(),
            of: ConfidenceOf {
                tier: "primary".into(),
                model: "openai vllm m".into(),
                confidence: "exp(logprobs.mean)".into(),
                label: None,
            },
            as_of: 1_764_163_893,
            n: rows.len() as u64,
            rows: Some("ab".into()),
            learnt: Calibrator::taught(Teacher::Labels, 0, &rows),
        }
    }

    #[test]
    fn what_is_written_is_read_again_and_says_the_same_to_the_last_bit() {
        let (it, text) = (learnt(400), learnt(400).write());
        let again = LearntConfidence::read(&text).expect("a file of ours");
        assert_eq!((&again, again.write()), (&it, text));
        let before = LearntConfidence { rows: None, ..learnt(400) };
        assert!(!before.write().contains("rows"), "as an earlier program wrote it");
        assert_eq!(LearntConfidence::read(&before.write()).expect("it is read for ever"), before);
        assert!(again.is_enough() && !learnt(49).is_enough());
        let (least, most) = it.range();
        let said = [0.0, 0.3, 0.61, 0.95, 7.0].map(|said| it.right(None, said));
        assert!(said.is_sorted() && said[0] + 500 < said[4], "{said:?}");
        assert!(said.iter().all(|it| (least..=most).contains(it)), "{said:?} of {least} to {most}");
    }

    #[test]
    fn what_is_no_file_of_ours_is_refused_in_words() {
        let text = learnt(400).write();
        for (from, to, words) in [
            (
                "\"version\": 1",
                "\"version\": 2",
                "is `confidence` of version 2, and `confidence` of version 1 is wanted",
            ),
            ("\"kind\": \"confidence\"", "\"kind\": \"votes\"", "is `votes` of version 1"),
            ("\"as_of\"", "\"as-of\"", "unknown field `as-of`"),
            ("\"n\": 400", "\"n\": 401", "was changed after it was written"),
            ("{\n", "[\n", "is no calibration"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            let refused = LearntConfidence::read(&changed).expect_err(words).to_string();
            assert!(refused.contains(words), "{refused}");
        }
    }
}
