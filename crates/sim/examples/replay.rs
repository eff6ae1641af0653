//! Replays a log as `evenkeel replay` does, and prints decisions, records and bytes: `replay FILE`. `bench/replay` measures it.

use evenkeel_sim::{Log, replay};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [file] = &words[..] else { panic!("usage: replay FILE") };
    let log = Log::open(file.as_ref()).expect("it is there");
    let replayed = replay(&log, &mut |_| ()).expect("it can be read");
    assert!(replayed.is_identical(), "{replayed:?}");
    println!("{} {} {}", replayed.decisions(), replayed.records(), log.bytes());
}
