//! The gateway in process, against models that break on demand, judged from both sides.
#![expect(clippy::disallowed_methods, reason = "what a test starts ends with its runtime")]

mod binary;
mod blame;
mod cache;
mod calibrated;
mod capability;
mod client;
mod commit;
mod computed;
mod connect;
mod contracts;
mod dialects;
mod encrypted;
mod enrich;
mod faults;
mod grpc;
mod hostile;
mod inference;
mod inference_faults;
mod inference_heads;
mod mapping;
mod memory;
mod models;
mod post;
mod probes;
mod requests;
mod rescue;
mod retrieval;
mod rows;
mod sequences;
mod shadows;
mod shared;
mod stampede;
mod streams;
mod under_way;
mod votes;
