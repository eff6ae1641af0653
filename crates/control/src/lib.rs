//! The control plane, as far as it stands: the configuration file is watched and applied, the audit log is
//! written, and the admin plane says so.
//!
//! It knows the data plane by a trait alone; the binary wires the two together. With it gone, the data plane goes on by
//! what it last applied.

pub mod audit;
mod http;
mod plane;
mod reload;
pub mod store;
mod watch;

pub use http::{Admin, AdminError};
pub use plane::DataPlane;
pub use reload::{Intentions, Reloader, Verdict};
pub use watch::watch;
