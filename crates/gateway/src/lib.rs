//! The data plane: takes requests, lets the core decide, calls what it says, answers.
//!
//! A request's way: `listen` accepts, `protocol` reads just enough, `enrich` brings what was left out, `driver` feeds the
//! core and runs its outputs, `path` calls, `reply` answers, `events` keeps the record. One direction: a protocol never
//! knows tiers, a path never knows clients.

mod ask;
mod bill;
mod bodies;
mod cache;
mod calibration;
mod calling;
mod clock;
mod drift;
mod driver;
mod enrich;
mod entropy;
mod events;
mod forecast;
mod gateway;
mod guard;
mod judge;
mod listen;
mod meant;
mod names;
mod path;
mod post;
mod probe;
mod protocol;
mod quality;
mod reply;
mod rope;
mod sequence;
mod shadow;
mod snapshot;
mod splice;
mod spool;
mod sse;
mod status;
mod sure;
mod tensor;
mod tls;
mod upstream;
mod vote;

pub use events::Happened;
pub use gateway::{Gateway, StartError};
pub use shadow::{Compared, Pair, Shadowed};
pub use snapshot::{expiring, prove};
