//! What clients of the mock see, byte by byte, over real sockets.

mod client;
mod control;
mod faults;
mod healthy;
mod oip;
mod port;
