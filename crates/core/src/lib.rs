//! The decision core of Evenkeel: pure, deterministic, integer-only, without IO.
//!
//! What happens enters as an [`Input`], what is wanted comes out as an [`Output`]; a shell executes outputs and feeds
//! results back. `now` and entropy are arguments. The core does not log, count, sleep or format.
//!
//! # The rules that hold after every event (architecture, section 4)
//! 1. Exactly one terminal outcome per admitted request.
//! 2. No attempt starts after the terminal outcome, after the deadline, or after commit, but for the recovery of a committed
//!    stream that broke.
//! 3. Every request leaves before its deadline: accepted answer, safe default, or explicit refusal.
//! 4. No start on an Open path except a leased probe; leases expire; an expired lease is a failure.
//! 5. Caller faults and cancellations carry no health evidence and release leases.
//! 6. Retries are paid from one budget; a fallback is not a retry.
//! 7. Never two commits; nothing reaches the client before the commit point.
//! 8. Fail-over is immediate, fail-back is ramped; the number of switches is bounded.
//! 9. One revision per request.
//! 10. Every decision record re-derives its own decision.
//! 12. Same inputs, same outputs, on every machine.
//!
//! (Rule 11, recovery without an operator, is a property of a whole system over time; the simulator owns it.)
//!
//! # Reading order
//! `clock`, `class`, `reason`, `capability`, `revision` are words. `breaker`, `flap`, `ramp`, `domain`, `limiter`, `budget`, `latency`,
//! `first`, `slow`, `load`, `rows`, `probe`, `proof`, `sequence`, `ensemble`, `shadow`, `cache`, `flight`, `guard`, `drift`,
//! `certificate`, `plan` are policies.
//! `attempt`, `commit`, `request`, `route`, `machine` are machines. `decision` is what remains of a request. `wire` and `log` are
//! what remains of everything that came in.
#![no_std]
#![forbid(unsafe_code)]
#![deny(clippy::float_arithmetic)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod aside;
mod attempt;
mod breaker;
mod budget;
mod bytes;
mod cache;
mod capability;
mod certificate;
mod change;
mod class;
mod clock;
mod commit;
mod decision;
mod digest;
mod domain;
mod drift;
mod ensemble;
mod fact;
mod fading;
mod first;
mod flap;
mod flight;
mod guard;
mod hedge;
mod histogram;
mod id;
mod input;
mod latency;
mod limiter;
mod limits;
mod load;
mod log;
mod machine;
mod median;
mod output;
mod path;
mod peers;
mod pin;
mod plan;
mod priority;
mod probe;
mod proof;
mod ramp;
mod rate;
mod reason;
mod request;
mod revision;
mod route;
mod rows;
mod sequence;
mod shadow;
mod size;
mod slow;
mod timer;
mod transition;
mod unit;
mod window;
mod wire;

pub use aside::Aside;
pub use breaker::BreakerState;
pub use bytes::{Canonical, Followed, LogHash, Sink};
pub use cache::{CachePolicy, Lookup, Near, SimilarPolicy, Stored, fresh_for};
pub use capability::{Can, DATATYPES, MOST_NAMES, Names, Wants, datatype, lacks};
pub use certificate::StepPolicy;
pub use change::{BreakerChange, BreakerTurn, GateChange, GateKind, GateTurn};
pub use class::{Again, Class, Closes, Evidence, Next, ResultCode};
pub use clock::{MICROSECOND, MILLISECOND, Nanos, SECOND};
pub use decision::{AttemptRecord, Candidate, Decision, End, KeptRows, Outcome, Rescue, Role, Verdict};
pub use digest::digest_name;
pub use domain::Shut;
pub use drift::{DriftMode, DriftPolicy, DriftState, RouteSignal};
pub use ensemble::{Ensemble, MEMBERS, Tally};
pub use fact::{Comparison, Fact, Signal};
pub use first::FIRST_CLOCKS;
pub use guard::{Guard, GuardVerdict};
pub use id::{AttemptId, PathId, ProbeId, ReplicaId, RequestId, RouteId, UpstreamId};
pub use input::{Admit, Event, Input, Splice};
pub use limiter::{weight_of_bytes, weight_of_tokens};
pub use log::{Block, Draft, Ending, Entry, FORMAT, Flaw, Header, Page, Record, SEMANTICS, Segment, crc32};
pub use machine::{Core, Origin, Purse, Why, Work};
pub use output::{Cancelled, Disclosure, Output, Probe, Refusal, Source, Start};
pub use priority::Priority;
pub use probe::{Found, Readiness};
pub use proof::Redundancy;
pub use rate::{RATE_WINDOW, least_tokens};
pub use reason::{Reason, Severity};
pub use revision::{
    Added, BreakerPolicy, BudgetPolicy, Clocks, CommitPoint, Features, FirstClock, ImputedPolicy, LimitPolicy, Method,
    OnCapability, OnPolicy, Operation, Path, ProbePolicy, Protocol, Rate, Revision, Route, Tier, Upstream,
    WhenExhausted, Where,
};
pub use route::{MemberState, Phase, RouteState, TierState};
pub use rows::{RowRule, Rows};
pub use sequence::Sequence;
pub use shadow::ShadowPolicy;
pub use transition::{Proposal, Rule, Transition, Trip};
pub use unit::Permille;
pub use wire::{Malformed, Reader, Wire};
