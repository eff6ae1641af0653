//! Calibration files: what `evenkeel calibrate` learns, and a configuration names.
//!
//! JSON with a version, one thing learnt a file; the digest of its bytes is part of the revision. Numbers have at most twelve
//! digits, so that what was written is read again to the last bit.
//!
//! # Compatibility
//! Another version or another kind is refused with both named; an unknown key is, too. A reader of version 1 will read version 1.

mod cells;
mod certificate;
mod confidence;
mod votes;

use std::collections::BTreeMap;

use evenkeel_signals::score_map::{Match, Scale, ScoreMap, Shape};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use cells::CalibratorFile;
pub use certificate::{Certified, CertifiedTier};
pub use confidence::{ConfidenceOf, LearntConfidence};
pub use votes::{LearntVotes, VotesOf};

/// The version of the files.
const VERSION: u32 = 1;
/// The key of the checksum.
const CHECKSUM: &str = "checksum";
/// The kind of a file of score maps.
const SCORE_MAP: &str = "score-map";

/// Why a file is no calibration.
#[derive(Debug, Error)]
pub enum CalibrationError {
    /// It is no JSON of this form.
    #[error("is no calibration: {0}")]
    Form(#[from] serde_json::Error),
    /// It is of another version, or of another kind.
    #[error("is `{kind}` of version {version}, and `{wanted}` of version {VERSION} is wanted")]
    Other {
        /// Its kind.
        kind: String,
        /// Its version.
        version: u32,
        /// The kind that is wanted.
        wanted: &'static str,
    },
    /// A map could reorder scores, or is none.
    #[error("holds a map of `{0}` that is none: its points must rise, and a slope must not fall")]
    Map(String),
    /// What its checksum is of is not what stands in it.
    #[error("was changed after it was written: its checksum is of something else")]
    Checksum,
    /// Its counts cannot be, or its bins do not ascend.
    #[error("counts rows as nobody can: more were right than there were, or bins do not ascend")]
    Votes,
}

/// The score maps of one tier: what its scores would be on the primary's scale.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreMaps {
    /// The route that they were learnt on.
    pub route: String,
    /// The tier whose scores are mapped.
    pub tier: String,
    /// The tier whose scale they get.
    pub to: String,
    /// What the maps keep.
    pub keeps: Match,
    /// When the latest pair was seen, in seconds since 1970.
    pub as_of: u64,
    /// By output, in the order of names.
    pub outputs: Vec<(String, MappedScores)>,
}

/// The maps of one output.
#[derive(Clone, Debug, PartialEq)]
pub struct MappedScores {
    /// How many pairs they were learnt from.
    pub n: u64,
    /// One for all values, or one for each class of the last axis.
    pub maps: Vec<ScoreMap>,
}

impl ScoreMaps {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, CalibrationError> {
        let file: ScoreMapFile = serde_json::from_str(text)?;
        let (kind, version) = (file.kind, file.version);
        if kind != SCORE_MAP || version != VERSION {
            return Err(CalibrationError::Other { kind, version, wanted: SCORE_MAP });
        }
        let output = |(name, it): (String, OutputFile)| {
            let map = |it: MapFile| ScoreMap::of(it.shape.into(), it.scale.into(), it.knots);
            let maps = it.maps.into_iter().map(map).collect::<Option<Vec<_>>>().filter(|it| !it.is_empty());
            let maps = maps.ok_or_else(|| CalibrationError::Map(name.clone()))?;
            Ok((name, MappedScores { n: it.n, maps }))
        };
        let outputs = file.outputs.into_iter().map(output).collect::<Result<_, CalibrationError>>()?;
        let keeps = if file.keeps == Keeps::Rate { Match::Rate } else { Match::Mean };
        Ok(Self { route: file.route, tier: file.tier, to: file.to, keeps, as_of: file.as_of, outputs })
    }

    /// Writes a file: a key a line.
    pub fn write(&self) -> String {
        let map = |it: &ScoreMap| MapFile { shape: it.shape().into(), scale: it.scale().into(), knots: rounded(it) };
        let output = |(name, it): &(String, MappedScores)| {
            (name.clone(), OutputFile { n: it.n, maps: it.maps.iter().map(map).collect() })
        };
        let file = ScoreMapFile {
            version: VERSION,
            kind: SCORE_MAP.to_owned(),
            route: self.route.clone(),
            tier: self.tier.clone(),
            to: self.to.clone(),
            keeps: if self.keeps == Match::Rate { Keeps::Rate } else { Keeps::Mean },
            as_of: self.as_of,
            outputs: self.outputs.iter().map(output).collect(),
        };
        lines(&serde_json::to_value(file).expect("it is made of numbers and texts"))
    }
}

/// Writes an object, a key a line, in the order in which it has them.
fn lines(value: &serde_json::Value) -> String {
    let field = |(name, value): (&String, &serde_json::Value)| format!("{}: {value}", serde_json::Value::from(&**name));
    let fields: Vec<_> = value.as_object().into_iter().flatten().map(field).collect();
    format!("{{\n{}\n}}\n", fields.join(",\n"))
}

/// Returns the checksum of all the rest of a file.
fn checksum(rest: &serde_json::Value) -> String {
    let digest = Sha256::digest(rest.to_string());
    digest.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// A number of at most twelve digits: what JSON reads again to the last bit.
fn twelve(number: f64) -> f64 {
    format!("{number:.11e}").parse().expect("a number that was written")
}

/// The knots of a map in twelve digits; two that thereby became one are one.
fn rounded(map: &ScoreMap) -> Vec<(f64, f64)> {
    let mut knots: Vec<_> = map.knots().iter().map(|it| (twelve(it.0), twelve(it.1))).collect();
    if map.shape() != Shape::Platt {
        knots.dedup_by(|next, it| next.0 <= it.0);
    }
    knots
}

/// What a map keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Keeps {
    Mean,
    Rate,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScoreMapFile {
    version: u32,
    kind: String,
    route: String,
    tier: String,
    to: String,
    #[serde(rename = "match")]
    keeps: Keeps,
    as_of: u64,
    outputs: BTreeMap<String, OutputFile>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutputFile {
    n: u64,
    maps: Vec<MapFile>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MapFile {
    shape: ShapeWord,
    scale: ScaleWord,
    knots: Vec<(f64, f64)>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ShapeWord {
    Identity,
    Platt,
    Isotonic,
    Rate,
}

impl From<ShapeWord> for Shape {
    fn from(word: ShapeWord) -> Self {
        match word {
            ShapeWord::Identity => Self::Identity,
            ShapeWord::Platt => Self::Platt,
            ShapeWord::Isotonic => Self::Isotonic,
            ShapeWord::Rate => Self::Rate,
        }
    }
}

impl From<Shape> for ShapeWord {
    fn from(shape: Shape) -> Self {
        match shape {
            Shape::Identity => Self::Identity,
            Shape::Platt => Self::Platt,
            Shape::Isotonic => Self::Isotonic,
            Shape::Rate => Self::Rate,
        }
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ScaleWord {
    Probability,
    Value,
}

impl From<ScaleWord> for Scale {
    fn from(word: ScaleWord) -> Self {
        match word {
            ScaleWord::Probability => Self::Probability,
            ScaleWord::Value => Self::Value,
        }
    }
}

impl From<Scale> for ScaleWord {
    fn from(scale: Scale) -> Self {
        match scale {
            Scale::Probability => Self::Probability,
            Scale::Value => Self::Value,
        }
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_signals::score_map::Learner;

    use super::*;

    fn maps() -> ScoreMaps {
        let pairs: Vec<_> = (0..2_000).map(|it| (f64::from(it) / 2_000.0, f64::from(it * it) / 4e6)).collect();
        let map = Learner::taught(0, &pairs).fit(0, Match::Mean);
        ScoreMaps {
            route: "r".into(),
            tier: "small".into(),
            to: "large".into(),
            keeps: Match::Mean,
            as_of: 1_764_163_893,
            outputs: vec![("score".into(), MappedScores { n: 2_000, maps: vec![map] })],
        }
    }

    #[test]
    fn what_is_written_is_read_and_written_again_to_the_byte() {
        let text = maps().write();
        let again = ScoreMaps::read(&text).expect("a file of ours");
        assert_eq!(again.write(), text);
        let map = |it: &ScoreMaps| it.outputs[0].1.maps[0].apply(0.5).expect("a number");
        assert!((map(&again) - map(&maps())).abs() < 1e-11);
        let lines: Vec<_> = text.lines().take(3).collect();
        assert!(text.starts_with("{\n") && lines.len() == 3, "{text}");
    }

    #[test]
    fn what_is_no_file_of_ours_is_refused_in_words() {
        let text = maps().write();
        for (from, to, words) in [
            ("\"version\": 1", "\"version\": 2", "is `score-map` of version 2, and `score-map` of version 1 is wanted"),
            ("score-map", "vote", "is `vote` of version 1"),
            ("\"as_of\"", "\"as-of\"", "unknown field `as-of`"),
            ("\"probability\"", "\"percent\"", "unknown variant `percent`"),
            ("[[", "[[0.9,0.9],[", "holds a map of `score` that is none"),
            ("{\n", "[\n", "is no calibration"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            let refused = ScoreMaps::read(&changed).expect_err(words).to_string();
            assert!(refused.contains(words), "{refused}");
        }
    }
}
