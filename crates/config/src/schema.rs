//! The file as types, one YAML block a file: serde, documentation and defaults, nothing else.
//!
//! Each field is declared once, here; the JSON schema, the shape check and the example follow from it.

pub(crate) mod accept;
pub(crate) mod audit;
pub(crate) mod breaker;
pub(crate) mod cache;
pub(crate) mod calibrate_to;
pub(crate) mod capability;
pub(crate) mod certificate;
pub(crate) mod commit;
pub(crate) mod contract;
pub(crate) mod decisions;
pub(crate) mod drift;
pub(crate) mod enrich;
pub(crate) mod file;
pub(crate) mod first_token;
pub(crate) mod guards;
pub(crate) mod map;
pub(crate) mod path;
pub(crate) mod post;
pub(crate) mod probe;
pub(crate) mod quality;
pub(crate) mod route;
pub(crate) mod rows;
pub(crate) mod rules;
pub(crate) mod scalar;
pub(crate) mod server;
pub(crate) mod shadow;
pub(crate) mod shared;
pub(crate) mod tensor;
pub(crate) mod tier;
pub(crate) mod upstream;
pub(crate) mod value;
pub(crate) mod vote;
