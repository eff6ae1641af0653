//! One YAML file in, validated types out: every mistake at once, each with its line and a hint.
//!
//! A file goes four steps: `tree` keeps lines and raw text, `shape` holds the tree against the schema that the types
//! in `schema` declare, `check` applies the rules across fields, `compile` makes what the core and the gateway run.
//! A file with a mistake compiles to nothing; it never half-applies.
//!
//! Not here: watching files and replacing what runs (`control`), and anything about a request.

mod check;
mod compile;
mod describe;
mod diagnostic;
mod load;
mod schema;
mod secret;
mod shape;
mod tree;

pub use compile::{Deployment, PathSpec, RouteSpec, UpstreamSpec};
pub use describe::{EXAMPLE, json_schema};
pub use diagnostic::{Diagnostic, Severity};
pub use load::{Loaded, load_file, load_text};
pub use schema::path::{Kind, kind};
pub use schema::server::Server;
pub use secret::Secret;
