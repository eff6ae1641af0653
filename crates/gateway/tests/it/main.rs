//! The gateway in process, against models that break on demand, judged from both sides.

mod client;
mod faults;
mod requests;
mod streams;
