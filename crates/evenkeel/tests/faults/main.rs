//! The fault bench: every row of `docs/design/fault-catalogue.md` that what is built can meet, over real sockets: the real
//! `evenkeel serve` against real `evenkeel mock` processes and raw sockets, judged from both sides.
//!
//! `cargo test -p evenkeel --test faults` plays all rows at once, because most of their time is waiting;
//! `… --test faults -- up_06 ST-01` plays single ones and says why they failed; `… -- --list` names them. `EVENKEEL_LONG` runs
//! the ★ rows 100 times in place of 20, `EVENKEEL_RUNS=1` once, `EVENKEEL_SCORECARD=1` writes the lines of
//! what is played into `docs/fault-scorecard.md`.
//!
//! It has a `main` of its own: the harness of the standard library would play the rows one after the other.

#![expect(clippy::disallowed_methods, reason = "processes and faults run on real time")]

mod catalogue;
mod client;
mod exchange;
mod frames;
mod house;
mod later;
mod order;
mod play;
mod process;
mod provider;
mod raw;
mod row;
mod rows;
mod run;
mod scorecard;

use std::process::ExitCode;

fn main() -> ExitCode {
    let order = order::Order::of(std::env::args().skip(1));
    match order.list {
        Some(list) => {
            order::print(list);
            ExitCode::SUCCESS
        }
        None => {
            // A claim of a row that cannot even be made: the row is told with the words, here stands the place.
            std::panic::set_hook(Box::new(|panic| println!("panic at {:?}", panic.location())));
            play::all(&order)
        }
    }
}
