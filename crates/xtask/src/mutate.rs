//! Mutate: breaks each rule of the core on purpose, one line at a time, and shows whether anything notices.
//!
//! A check that cannot fail checks nothing. Every mutation is one line of one file, made in a scratch copy; what must
//! notice are the properties of the core and the simulator's oracle. Golden outputs and hashes do not count: they notice
//! every change, also one that is right. Run by hand before a release.

mod scratch;
mod table;

use std::{path::Path, process::ExitCode};

use anyhow::ensure;

use self::{
    scratch::{Scratch, Seen},
    table::{MUTATIONS, Mutation},
};

/// Breaks every rule whose id, or whose file, holds `only`, or all of them, and says what noticed.
pub(crate) fn run(root: &Path, only: Option<&str>) -> anyhow::Result<ExitCode> {
    let named = |it: &&Mutation| only.is_none_or(|only| it.rule.contains(only) || it.file.contains(only));
    let chosen: Vec<&Mutation> = MUTATIONS.iter().filter(named).collect();
    ensure!(!chosen.is_empty(), "no mutation is of `{}`", only.unwrap_or_default());
    let scratch = Scratch::copy(root)?;
    println!("{:<10} {:<12} {:<12} what was broken", "rule", "properties", "simulation");
    let sound = scratch.judge()?;
    line("none", &sound, "nothing");
    ensure!(!sound.iter().any(Seen::noticed), "the code fails its checks as it is");
    let mut missed = 0;
    for it in &chosen {
        match scratch.with(it, Scratch::judge) {
            Ok(seen) => {
                missed += usize::from(!seen.iter().any(Seen::noticed));
                line(it.rule, &seen, it.breaks);
            }
            Err(error) => {
                missed += 1;
                println!("{:<10} {error:#}", it.rule);
            }
        }
    }
    let mutations = crate::counted(chosen.len(), "mutation");
    println!("{mutations}, {} noticed, {missed} missed", chosen.len() - missed);
    Ok(ExitCode::from(u8::from(missed > 0)))
}

fn line(rule: &str, [properties, simulation]: &[Seen; 2], what: &str) {
    println!("{rule:<10} {properties:<12} {simulation:<12} {what}");
}
