//! The gateway in process, against models that break on demand, judged from both sides.

mod client;
mod dialects;
mod faults;
mod inference;
mod inference_faults;
mod requests;
mod streams;
