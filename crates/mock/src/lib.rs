//! Mock: a model server that breaks on demand, in the words of the fault catalogue.
//!
//! It serves any OpenAI model and declared models of the Open Inference Protocol, healthy and fast, until it is told
//! otherwise. It is not a simulator (that has no sockets) and not a proxy. Tests, the demo and the benches run it in
//! process; `evenkeel mock` runs the same server for everyone else.
//!
//! A request takes one way through the crate: `server` reads it, `protocol` understands it, `fault` says whether and how
//! it breaks, `protocol` and `model` answer, the answer becomes a `reply`, faults edit the reply, the reply becomes a
//! script, and `wire` plays the script on the socket while `log` is told.
//!
//! ```
//! use evenkeel_mock::{Fault, Mock, Options, Rule};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(async {
//! let mock = Mock::start(Options::default()).await.expect("loopback has a free port");
//! // One 404, then all is well again. Point a client at `mock.url()`.
//! mock.set_faults(vec![Rule::new(Fault::ModelMissing {}).model("large").times(1)]);
//! assert!(mock.log().is_empty(), "nobody has asked yet");
//! # });
//! ```
//!
//! # Invariants
//! - `MOCK-1`: equal options and an equal order of requests give equal answers and equal faults. Time only paces.
//! - `MOCK-2`: it can break every layer from TCP upwards, so it writes its own bytes.
//! - `MOCK-3`: the `/mock` endpoints answer whatever the faults are.

mod control;
mod draw;
mod fault;
mod log;
mod model;
mod options;
mod protocol;
mod reply;
mod respond;
mod server;
mod wire;

pub use fault::{
    After, Body, Broken, CutHow, Empty, Fault, FaultsError, How, KeepAlive, LineEnd, NonFinite, On, RetryAfter, Rule,
    Tail, Told, parse_faults_yaml,
};
pub use log::{Attempt, Count, Ending};
pub use options::{Options, Pace};
pub use protocol::{Evaluate, OipAnswer, OipModel, Sums, Tensor, TensorData, TensorSpec};
pub use server::{Mock, ServeError, serve};
