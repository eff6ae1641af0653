//! One YAML file in, validated types out: every mistake at once, each with its line and a hint.
//!
//! A file goes four steps: `tree` keeps lines and raw text, `shape` holds the tree against the schema that the types
//! in `schema` declare, `check` applies the rules across fields and reads what the file names outside of it, `compile`
//! makes what the core and the gateway run. A file with a mistake compiles to nothing; it never half-applies.
//!
//! Not here: watching files and replacing what runs (`control`), and anything about a request, but for the conditions
//! of rules, which are typed here and computed for every row (`rules`, `expr`).

mod answered;
mod calibration;
mod check;
mod compile;
mod confidence;
mod derived;
mod describe;
mod diagnostic;
mod document;
mod expr;
mod load;
mod outside;
mod post;
mod profiled;
mod report;
mod rules;
mod sample;
mod schema;
mod secret;
mod shape;
mod sources;
mod tree;
mod truth;
mod units;

pub use answered::{Answered, Answers};
pub use calibration::{
    CalibrationError, Certified, CertifiedTier, ConfidenceOf, LearntConfidence, LearntVotes, MappedScores, ScoreMaps,
    VotesOf,
};
pub use compile::{
    Absent, Against, Alone, Asks, AuditLog, Cache, Calibration, Certificate, DecisionStore, Deployment, Drift,
    DriftWatch, Enrich, Feature, Fetched, FixedTensor, From as WatchedFrom, Guard, Guarding, Input, InputTensor,
    Issued, JoinKey, Learnt, LiveCalibration, MILLIONTHS, MapSource, MappedOutput, NotAlone, Output, OutputTensor,
    PathSpec, Pick, Quality, Repository, RouteSpec, Semantic, Store, UpstreamSpec, Voted, Watched, Weights,
};
pub use confidence::{Accept, Confidence, Logprobs, Looked, Root, Take, Taken, Worth};
pub use derived::{Derived, Named};
pub use describe::{EXAMPLE, json_schema, rules_schema};
pub use diagnostic::{Diagnostic, Severity};
pub use document::{Configuration, Findings, read_document};
pub use expr::{Computed, Uncomputed};
pub use load::{Loaded, Part, Unfit, load_again, load_alone, load_file, load_text, load_to_learn};
pub use post::{Changes, Clamp, Failed, PASSED, Post, Round, Said, Step, Stream, Work};
pub use profiled::{Profiled, ProfiledFeature, load_to_profile};
pub use rules::{Answer, Row, RuleSet, Scalar};
pub use schema::capability::{is_language, is_region};
pub use schema::contract::{Datatype, FeatureKind, Unicode};
pub use schema::decisions::{InputLog, Kept};
pub use schema::enrich::KeyKind;
pub use schema::path::{Documents, Kind, Postgres, kind};
pub use schema::scalar::{Duration, Ratio, Size};
pub use schema::server::{Server, Tls};
pub use schema::upstream::{Dialect, UpstreamProtocol};
pub use schema::value::Value;
pub use secret::Secret;
pub use sources::Sources;
pub use tree::Key;
pub use truth::Truth;
pub use units::Conversion;
