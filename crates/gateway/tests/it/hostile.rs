//! Clients and servers that do not play by the rules, over raw sockets: rows CL, HP and SE of the fault catalogue.

mod bodies;
mod framing;
mod http2;
mod leaving;
mod raw;
mod reading;
