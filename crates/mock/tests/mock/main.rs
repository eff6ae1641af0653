//! What clients of the mock see, byte by byte, over real sockets.
#![expect(clippy::disallowed_methods, reason = "what a test starts ends with its runtime")]

mod client;
mod control;
mod faults;
mod healthy;
mod oip;
mod page;
mod port;
