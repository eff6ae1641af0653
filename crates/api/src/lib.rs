//! What crosses a process boundary: the decision record, status and readiness, as JSON types.
//!
//! The record says what the core decided, in names; it adds nothing and leaves nothing out that decided. There is no
//! payload in it, no text of an upstream, and no free text: words are rendered from codes (G-113).

mod calibration;
mod certificate;
mod decision;
mod drift;
pub mod evidence;
mod explain;
mod forecast;
mod quality;
mod ready;
mod status;
mod told;
mod transition;
mod words;

pub use calibration::{CalibratedOutput, Calibration};
pub use certificate::Certificate;
pub use decision::{
    Attempt, Cached, Candidate, Confidence, Decision, Document, Enrichment, Guard, Imputed, Input, Judged, LearntBy,
    Model, Outcome, Posted, Rows, RuleRows, Share, Sureness, Usage, Vote, Votes,
};
pub use drift::{Culprit, Drift, DriftAlarm, DriftPoint, DriftStream, TooFew};
pub use explain::{Explained, Section, explain};
pub use forecast::Forecast;
pub use quality::{Figure, Quality, RouteQuality, Score, TierQuality};
pub use ready::{Ready, Rejected, Unproven};
pub use status::{FeatureServer, Gate, MemberState, RouteBrief, RouteState, Standing, Status, TierState};
pub use told::{Decisions, History, Span, StoreState, Told};
pub use transition::{Transition, Trip};
