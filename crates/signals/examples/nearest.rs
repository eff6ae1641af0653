//! How long it takes to find the nearest of so many embeddings: `cargo run --release -p evenkeel-signals --example nearest`.

use std::{hint::black_box, time::Instant};

use evenkeel_signals::cosine::Unit;

fn main() {
    println!("{:>8} {:>8} {:>12}", "vectors", "numbers", "microseconds");
    for (vectors, numbers) in [(1_024, 384), (1_024, 1_536), (4_096, 384), (4_096, 1_536)] {
        let mut bits = 1_u64;
        let mut draw = || {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (bits >> 40) as f32 / (1_u64 << 24) as f32 - 0.5
        };
        let mut unit = || Unit::of(&(0..numbers).map(|_| draw()).collect::<Vec<_>>()).expect("it has a direction");
        let all: Vec<_> = (0..vectors).map(|_| unit()).collect();
        let asked = unit();
        let mut best = u128::MAX;
        for _ in 0..20 {
            #[expect(clippy::disallowed_methods, reason = "it measures time")]
            let begun = Instant::now();
            black_box(all.iter().map(|it| it.similarity_permille(black_box(&asked))).max());
            best = best.min(begun.elapsed().as_micros());
        }
        println!("{vectors:>8} {numbers:>8} {best:>12}");
    }
}
