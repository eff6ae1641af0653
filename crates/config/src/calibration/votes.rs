//! Vote calibrations: what `evenkeel calibrate` learns of an ensemble's members, and `vote.calibration` names.
//!
//! JSON, a key a line, with a checksum over all the rest. Counts are whole and belong to no time: a file does not fade, so the same
//! answers have the same vote for as long as it stands. Ends of bins are texts, which are read again to the last bit.
//!
//! # Compatibility
//! Another version or another kind is refused with both named; an unknown key is, too. A reader of version 1 will read version 1.

use std::collections::BTreeMap;

use evenkeel_signals::calibrate::{CalibratorState, Kind, VoteCalibration, VoteState};
use serde::{Deserialize, Serialize};

use super::{CHECKSUM, CalibrationError, CalibratorFile, VERSION, checksum, lines};

/// The kind of a file of what votes count.
const VOTES: &str = "votes";

/// What an ensemble has learnt, and of whom.
#[derive(Clone, Debug, PartialEq)]
pub struct LearntVotes {
    /// The route that it was learnt on.
    pub route: String,
    /// Of what it was learnt.
    pub of: VotesOf,
    /// When the rows were seen, in seconds since 1970.
    pub as_of: u64,
    /// How many rows there were.
    pub n: u64,
    /// What was learnt.
    pub learnt: VoteCalibration,
}

/// What must be the same where votes are learnt and where they are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VotesOf {
    /// The tier.
    pub tier: String,
    /// What is voted on, in words.
    pub on: String,
    /// How sure a member is, as an expression over the outputs of the route; none where it is not asked.
    pub confidence: Option<String>,
    /// The members in their order: the name of each, and which model it is.
    pub members: Vec<(String, String)>,
}

impl LearntVotes {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, CalibrationError> {
        let mut whole: serde_json::Value = serde_json::from_str(text)?;
        let told = whole.as_object_mut().and_then(|it| it.remove(CHECKSUM));
        let sound = told.is_some_and(|it| it.as_str() == Some(&*checksum(&whole)));
        let file: VotesFile = serde_json::from_value(whole)?;
        if file.kind != VOTES || file.version != VERSION {
            let VotesFile { kind, version, .. } = file;
            return Err(CalibrationError::Other { kind, version, wanted: VOTES });
        }
        if !sound {
            return Err(CalibrationError::Checksum);
        }
        let member = |it: &MemberFile| Some((it.calibrator.state()?, it.trust));
        let members = file.members.iter().map(member).collect::<Option<Vec<_>>>();
        let part = |(who, it): (&u64, &CalibratorFile)| Some((*who, it.state()?));
        let parts = file.parts.iter().map(part).collect::<Option<Vec<_>>>();
        let state = members.zip(file.shares.state()).zip(parts);
        let state = state.map(|((members, shares), parts)| VoteState { classes: file.classes, members, shares, parts });
        let learnt = state.and_then(|it| VoteCalibration::of(&it).ok()).ok_or(CalibrationError::Votes)?;
        let members = file.members.into_iter().map(|it| (it.name, it.model)).collect();
        let of = VotesOf { tier: file.tier, on: file.on, confidence: file.confidence, members };
        Ok(Self { route: file.route, of, as_of: file.as_of, n: file.n, learnt })
    }

    /// Writes a file.
    pub fn write(&self) -> String {
        let VoteState { classes, members, shares, parts } = self.learnt.state();
        let member = |((name, model), (state, trust)): (&(String, String), (CalibratorState, f64))| MemberFile {
            name: name.clone(),
            model: model.clone(),
            trust,
            calibrator: CalibratorFile::of(&state),
        };
        let VotesOf { tier, on, confidence, members: names } = self.of.clone();
        let file = VotesFile {
            version: VERSION,
            kind: VOTES.to_owned(),
            route: self.route.clone(),
            tier,
            on,
            confidence,
            as_of: self.as_of,
            n: self.n,
            classes,
            members: names.iter().zip(members).map(member).collect(),
            shares: CalibratorFile::of(&shares),
            parts: parts.iter().map(|(who, it)| (*who, CalibratorFile::of(it))).collect(),
        };
        let mut whole = serde_json::to_value(file).expect("it is made of numbers and texts");
        whole[CHECKSUM] = checksum(&whole).into();
        lines(&whole)
    }

    /// Says whether its shares were learnt from rows enough to be a confidence.
    pub fn is_enough(&self) -> bool {
        self.learnt.kind() == Kind::Calibrated
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VotesFile {
    version: u32,
    kind: String,
    route: String,
    tier: String,
    on: String,
    confidence: Option<String>,
    as_of: u64,
    n: u64,
    classes: u32,
    members: Vec<MemberFile>,
    shares: CalibratorFile,
    /// Where only a part of the members votes, by who: one bit a member, the first the lowest.
    parts: BTreeMap<u64, CalibratorFile>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberFile {
    name: String,
    model: String,
    /// In thousandths, as it was learnt.
    trust: f64,
    calibrator: CalibratorFile,
}

#[cfg(test)]
mod tests {
    use evenkeel_signals::calibrate::{Asked, Said, Teacher};

    use super::*;

    fn votes() -> LearntVotes {
        let row = |at: usize| {
            let said =
                |label: &str, part: usize| Some(Said { label: label.into(), confidence: Some(part as f64 / 7.0) });
            let truth = if at.is_multiple_of(3) { "ü" } else { "yes" };
            let other = if at.is_multiple_of(4) { "ü" } else { "yes" };
            Asked { said: vec![said(truth, at % 7), said(other, at % 5)], truth: truth.into() }
        };
        let rows: Vec<_> = (0..300).map(row).collect();
        let member = |at: usize| (format!("panel/{at}"), format!("oip models m{at}"));
        LearntVotes {
            route: "r".into(),
            of: VotesOf {
                tier: "panel".into(),
                on: "output label (BYTES)".into(),
                confidence: Some("outputs.sure".into()),
                members: vec![member(0), member(1)],
            },
            as_of: 1_764_163_893,
            n: 300,
            learnt: VoteCalibration::taught(Teacher::Labels, 0, &rows).expect("rows"),
        }
    }

    #[test]
    fn what_is_written_is_read_again_and_says_the_same_to_the_last_bit() {
        let (votes, text) = (votes(), votes().write());
        let again = LearntVotes::read(&text).expect("a file of ours");
        assert_eq!((&again, again.write()), (&votes, text));
        assert!(again.is_enough());
    }

    #[test]
    fn what_is_no_file_of_ours_is_refused_in_words() {
        let text = votes().write();
        for (from, to, words) in [
            ("\"version\": 1", "\"version\": 2", "is `votes` of version 2, and `votes` of version 1 is wanted"),
            ("\"kind\": \"votes\"", "\"kind\": \"score-map\"", "is `score-map` of version 1"),
            ("\"as_of\"", "\"as-of\"", "unknown field `as-of`"),
            ("\"n\": 300", "\"n\": 301", "was changed after it was written"),
            ("\"checksum\": \"sha256:", "\"checksum\": \"sha256:0", "was changed after it was written"),
            ("{\n", "[\n", "is no calibration"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            let refused = LearntVotes::read(&changed).expect_err(words).to_string();
            assert!(refused.contains(words), "{refused}");
        }
        let mut few = votes();
        let mut doubted = few.learnt.state();
        doubted.shares.cells.clear();
        few.learnt = VoteCalibration::of(&doubted).expect("it is one");
        assert!(!LearntVotes::read(&few.write()).expect("whole").is_enough(), "nobody knows what its shares mean");
    }

    #[test]
    fn counts_that_cannot_be_are_refused_though_the_checksum_is_right() {
        let mut whole: serde_json::Value = serde_json::from_str(&votes().write()).expect("JSON");
        whole["members"][0]["calibrator"]["cells"]["yes"][0][2] = 1_000_000.into();
        whole.as_object_mut().expect("an object").remove(CHECKSUM);
        whole[CHECKSUM] = checksum(&whole).into();
        let refused = LearntVotes::read(&lines(&whole)).expect_err("more right than there were").to_string();
        assert!(refused.contains("counts rows as nobody can"), "{refused}");
    }
}
