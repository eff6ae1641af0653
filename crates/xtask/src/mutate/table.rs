//! Table: the mutations, each the smallest change that breaks one rule.
//!
//! A mutation names its line as it stands, without the blanks before it; a test checks that the line is there exactly once, so
//! that the table cannot go stale.

use anyhow::{Context, ensure};

/// One line that breaks one rule.
#[derive(Debug)]
pub(crate) struct Mutation {
    /// The rule of `architecture.md`, section 4, or of `failures.md`.
    pub(crate) rule: &'static str,
    /// What is no longer so.
    pub(crate) breaks: &'static str,
    pub(crate) file: &'static str,
    /// The line as it stands.
    pub(crate) line: &'static str,
    /// What stands there instead.
    pub(crate) with: &'static str,
}

impl Mutation {
    /// Returns the file with the rule broken.
    pub(crate) fn apply(&self, sound: &str) -> anyhow::Result<String> {
        let mut places = sound.split_inclusive('\n').filter(|line| line.trim() == self.line);
        let place = places.next().with_context(|| format!("{}: no line is `{}`", self.file, self.line))?;
        ensure!(places.next().is_none(), "{}: more than one line is `{}`", self.file, self.line);
        let at = place.as_ptr() as usize - sound.as_ptr() as usize;
        let blanks = place.len() - place.trim_start().len();
        Ok([&sound[..at + blanks], self.with, "\n", &sound[at + place.len()..]].concat())
    }
}

macro_rules! mutations {
    ($($rule:literal, $breaks:literal, $file:literal: $line:literal => $with:literal;)*) => {
        /// Every mutation, in the order of the rules.
        pub(crate) const MUTATIONS: &[Mutation] = &[$(Mutation {
            rule: $rule, breaks: $breaks, file: concat!("crates/core/src/", $file), line: $line, with: $with,
        },)*];
    };
}

mutations! {
    "rule 1", "a request ends without its record", "request/outcome.rs":
        "world.outputs.push_back(Output::Decision(Box::new(decision)));" => "drop(decision);";
    "rule 1", "a request that is over is kept", "machine.rs":
        "requests.remove(&id);" => "";
    "rule 2", "something starts after the commit", "request.rs":
        "if self.has_begun() {" => "if self.has_begun() && result.is_ok() {";
    "rule 2", "an attempt gets more time than there is", "plan/time.rs":
        "let commit = self.left().saturating_sub(self.reserve(tier)).max(1);" =>
        "let commit = self.left().saturating_add(self.reserve(tier)).max(1);";
    "rule 3", "no clock bounds the time to commit", "attempt.rs":
        "let commit = if self.sent { Nanos::MAX } else { self.commit_by };" => "let commit = Nanos::MAX;";
    "rule 3", "no time is kept for the tiers below", "plan/time.rs":
        "below.fold(0, |kept: Nanos, below| match kept.saturating_add(self.need(below)) {" =>
        "below.fold(0, |kept: Nanos, below| match kept.saturating_add(self.need(below).min(1)) {";
    "rule 3", "a refusal does not say when to come back", "request/outcome.rs":
        "Some(soonest.unwrap_or(0).clamp(SECOND, 300 * SECOND))" => "Some(soonest.unwrap_or(0))";
    "rule 4", "an open path is asked", "breaker.rs":
        "Question { signal: Signal::OpenFor, value: until.saturating_sub(now), threshold: 0 }" =>
        "Question { signal: Signal::OpenFor, value: 0 * until.saturating_sub(now), threshold: 0 }";
    "rule 4", "everybody may probe", "breaker.rs":
        "threshold: u64::from(if half.shown { self.policy.probes } else { 1 })," => "threshold: 1_000,";
    "rule 4", "a lease never expires", "breaker.rs":
        "State::HalfOpen(half) if half.leases.iter().any(|lease| lease.expires <= now) => {" =>
        "State::HalfOpen(half) if half.leases.iter().any(|lease| lease.expires == 0) => {";
    "rule 5", "a caller's fault counts against the path", "class.rs":
        "CallerInvalid = \"caller.caller_invalid\", Caller, None, No, No, Nothing, CallerError;" =>
        "CallerInvalid = \"caller.caller_invalid\", Caller, Hard, No, No, Nothing, CallerError;";
    "rule 5", "a suspected client counts against the path", "class.rs":
        "CallerSuspected = \"caller.caller_suspected\", Caller, None, No, Yes, Nothing, CallerError;" =>
        "CallerSuspected = \"caller.caller_suspected\", Caller, Hard, No, Yes, Nothing, CallerError;";
    "rule 5", "a client that leaves counts against the path", "class.rs":
        "ClientGone = \"cancelled.client_gone\", Cancelled, None, No, No, Nothing, ClientGone;" =>
        "ClientGone = \"cancelled.client_gone\", Cancelled, Hard, No, No, Nothing, ClientGone;";
    "rule 5", "a lease without a verdict is not given back", "breaker.rs":
        "return self.release(verdict.attempt);" => "return;";
    "rule 6", "a retry is free", "request/retry.rs":
        "world.budget.withdraw(now, value);" => "world.budget.withdraw(now, 0);";
    "rule 6", "a first attempt deposits all of its cost", "budget.rs":
        "let deposit = self.policy.ratio.of(cost);" => "let deposit = cost;";
    "rule 7", "a stream is committed again with every piece", "commit.rs":
        "let held = *self == Self::Held;" => "let held = true;";
    "rule 7", "a stream leaves before the commit point of its route", "request/show.rs":
        "CommitPoint::Full => false," => "CommitPoint::Full => true,";
    "F-122", "a stream is recovered again and again", "request/recover.rs":
        "Role::Continue => false," => "Role::Continue => self.recover(now, world, Role::Continue),";
    "rule 8", "a route goes back to a path that is being tried", "route.rs":
        "(BreakerState::Closed, Some(_)) => {" => "(BreakerState::Closed | BreakerState::HalfOpen, Some(_)) => {";
    "rule 8", "fail-over waits until the path is half open", "route.rs":
        "(BreakerState::Open, None) => {" => "(BreakerState::HalfOpen, None) => {";
    "rule 9", "an open request goes over to the new revision", "machine.rs":
        "self.generation = Arc::new(Generation { revision, slots, before, limiters, watches });" =>
        "self.generation = Arc::new(Generation { revision, slots, before, limiters, watches }); for it in self.requests.values_mut() { it.generation = self.generation.clone(); }";
    "rule 10", "what was compared is not written down", "request.rs":
        "self.facts.extend(facts);" => "if !barred { self.facts.extend(facts); }";
    "rule 10", "the client is told another tier", "request/outcome.rs":
        "self.tell(Some(running.tier), derived.reason, attempts.len())" =>
        "self.tell(Some(running.tier + 1).filter(|it| usize::from(*it) < self.route().tiers.len()), derived.reason, attempts.len())";
    "rule 11", "a place in a queue is not given back", "request/wait.rs":
        "What::Recovery => world.waiting.retain(|(_, request)| *request != self.admit.request)," => "What::Recovery => {}";
    "rule 11", "a good probe does not count", "breaker.rs":
        "half.good += 1;" => "half.good += 0;";
    "rule 12", "an address in memory decides", "plan/time.rs":
        "let spread = (self.request.admit.entropy >> 16) % PAUSE_SPREAD;" =>
        "let spread = core::ptr::from_ref(self.request).addr() as u64 % PAUSE_SPREAD;";
    "F-022", "a quick path is waited for like a slow one", "first.rs":
        "const TIMES: Nanos = 4;" => "const TIMES: Nanos = 400;";
    "F-026", "a silent path is asked again", "class.rs":
        "FirstTokenTimeout = \"target.first_token_timeout\", Target, Hard, No, Yes, Nothing, TtftBreach;" =>
        "FirstTokenTimeout = \"target.first_token_timeout\", Target, Hard, Once, Yes, Nothing, TtftBreach;";
    "F-026", "a path that said nothing in all its time is asked again", "class.rs":
        "TotalTimeout = \"target.total_timeout\", Target, Hard, No, Yes, Nothing, Timeout;" =>
        "TotalTimeout = \"target.total_timeout\", Target, Hard, Once, Yes, Nothing, Timeout;";
    "F-031", "remote attempts are not counted", "request.rs":
        "self.remote += u8::from(counts.remote);" => "self.remote = 1;";
    "F-031", "each member of an ensemble counts", "request/vote.rs":
        "let counts = Counts { deposit: !self.started, remote: remote && !self.remote };" =>
        "let counts = Counts { deposit: !self.started, remote };";
    "F-034", "a sequence goes on at another replica", "plan.rs":
        "self.request.may_ask(replica) && gate.is_none_or(|&gate| self.gates.at(gate).admits(self.now))" =>
        "gate.is_none_or(|&gate| self.gates.at(gate).admits(self.now))";
    "F-035", "what broke two models is asked of a third", "plan.rs":
        "u64::from(self.request.crashes) > CHANCE" => "u64::from(self.request.crashes) > CHANCE + 100";
    "F-043", "free retries have no end", "request/retry.rs":
        "self.free += 1;" => "self.free = 1;";
    "F-051", "a word of the server closes nothing", "request/gates.rs":
        "true => Word::Close(Closing { told: how.after, first, most })," =>
        "true => Word::Nothing,";
    "F-051", "what one replica has no room for goes to the next tier", "request/gates.rs":
        "replicas.len() > 1 && own.is_some() && self.gate_of(attempt, result) == own" => "{ let _ = (own, result); false }";
    "F-051", "a request goes round all replicas that say not now", "request/retry.rs":
        "self.turned |= another.turns;" => "let _ = another.turns;";
    "F-053", "a later word shortens a gate", "domain.rs":
        "let longer = now.saturating_add(length).max(was);" => "let longer = now.saturating_add(length); let _ = was;";
    "F-064", "a slow path is left for a canned answer", "request/pace.rs":
        "if !self.plan(now, world).next_has_another(attempt.tier) {" => "if false {";
    "F-067", "a path that flaps does not stay away longer", "flap.rs":
        "self.doublings += 1;" => "self.doublings += 0;";
    "F-072", "one bad answer is a relapse", "ramp.rs":
        "const RELAPSE: u32 = 2;" => "const RELAPSE: u32 = 1;";
    "F-077", "a stream that broke keeps no others off", "request/gates.rs":
        "false if attempt.sent && result.is_break() => Word::Close(closing)," =>
        "false if attempt.sent && result.is_break() => { let _ = closing; Word::Nothing }";
    "F-081", "push-back lowers no limit", "limiter.rs":
        "Said::Pushed => self.fall(now, shared.unwrap_or(0))," => "Said::Pushed => { let _ = shared; }";
    "F-084", "the least important have all of the room", "priority.rs":
        "Self::Sheddable => 800," => "Self::Sheddable => 1_000,";
    "F-091", "a hedge does not wait for what is usual", "hedge.rs":
        "Some(p95.max(self.policy.floor))" => "Some(p95.min(self.policy.floor))";
    "F-094", "what is slow for all is hedged", "hedge.rs":
        "(Signal::HedgeLate, self.late_permille(now), LATE)," => "(Signal::HedgeLate, self.late_permille(now) * 0, LATE),";
    "F-100", "the one drawn first is asked", "load.rs":
        "[first, second].map(|at| at as usize).into_iter().min_by_key(|&at| scores[at])" =>
        "[first, second].map(|at| at as usize).into_iter().min_by_key(|_| 0)";
    "F-103", "a replica that is worse than its peers stays", "path/lane.rs":
        "self.replicas[replica.index()].breaker.worse(now, (entropy, trip));" => "let _ = (entropy, trip, replica);";
    "F-147", "whatever was found in other words is given", "request/cached.rs":
        "if facts.iter().any(Fact::breached) { ResultCode::CacheDissimilar } else { result }" => "result";
    "F-166", "each wait has all the time there is", "request/wait.rs":
        "let left = most.saturating_sub(now.saturating_sub(since));" => "let left = most;";
    "F-166", "each wait counts as the first", "request/wait.rs":
        "self.waited.recovery = Some(Patience { since, most });" => "let _ = Patience { since, most };";
    "F-166", "who looked again stands at the end", "request/wait.rs":
        "world.waiting.sort_unstable();" => "";
    "F-166", "room that comes free is for whoever comes", "machine.rs":
        "self.with(waiter, |it, world| it.look_again(now, world));" => "let _ = waiter;";
    "F-183", "a route falls as often as its path", "pin.rs":
        "const MOST: usize = 6;" => "const MOST: usize = 600;";
    "F-112", "a good probe closes what it had opened", "breaker.rs":
        "(State::Out { .. }, None) => self.state = State::HalfOpen(HalfOpen::default())," =>
        "(State::Out { .. }, None) => self.state = State::Closed,";
    "F-113", "two refusals take a replica out", "probe.rs":
        "self.out |= self.refused >= OUT_AFTER;" => "self.out |= self.refused + 1 >= OUT_AFTER;";
    "F-184", "a detector that has died is believed for ever", "drift.rs":
        "self.told.filter(|it| now.saturating_sub(it.at) <= MAX_AGE)" => "{ let _ = now; self.told }";
    "F-182", "a route is back from drift without a dwell", "drift.rs":
        "Turn::Back { since: now, first: now.max(since.saturating_add(every)) }" =>
        "{ let _ = (since, every); Turn::Back { since: now, first: now } }";
    "DRIFT-5", "what has moved is told wrong", "drift.rs":
        "Self::OutputDrift => Signal::OutputDrift," => "Self::OutputDrift => Signal::Drift,";
    "G-003", "a tier is asked in spite of drift", "plan.rs":
        "if let Some(kept) = request.drift.filter(|kept| tier < kept.start_at) {" =>
        "if let Some(kept) = request.drift.filter(|kept| tier > kept.start_at) {";
    "STEP-3", "a tier is asked in spite of a promise that is not kept", "plan.rs":
        "if let Some((signal, value, threshold)) = request.stepped.and_then(|it| it.ask(tier)) {" =>
        "if let Some((signal, value, threshold)) = request.stepped.and_then(|it| it.ask(tier + 1)) {";
    "STEP-1", "an attempt is asked for as much as before", "request.rs":
        "let steps = self.stepped.map_or(0, |it| it.at(tier));" => "let steps = 0;";
    "G-003", "a tier is asked in spite of a guard", "plan.rs":
        "for guard in request.route().guards.iter().filter(|guard| tier < guard.start_at) {" =>
        "for guard in request.route().guards.iter().filter(|guard| tier + 1 < guard.start_at) {";
    "VOTE-2", "the quorum is given up while enough may still vote", "request/vote.rs":
        "if votes + out < quorum {" => "if votes < quorum {";
    "VOTE-2", "who still may change the answer is not waited for", "request/vote.rs":
        "if votes >= quorum && (out == 0 || vote.is_settled()) {" => "if votes >= quorum {";
    "VOTE-2", "nobody is waited for where every vote counts", "request/vote.rs":
        "self.agree == Permille::new(0) && self.tally.is_some_and(|tally| tally.open == 0)" =>
        "self.tally.is_some_and(|tally| tally.open == 0)";
    "VOTE-2", "too little agreement is taken for an answer", "request/vote.rs":
        "let Some(mut leader) = leader.filter(|_| !agreement.breached()) else {" => "let Some(mut leader) = leader else {";
    "VOTE-3", "what a member comes to says nothing about its path", "request/vote.rs":
        "self.settle(now, world, (&attempt, result, how.status), None);" => "";
    "VOTE-3", "who is not waited for counts against its path", "class.rs":
        "VoteOver = \"cancelled.vote_over\", Cancelled, None, No, No, Nothing, QuorumNotReached;" =>
        "VoteOver = \"cancelled.vote_over\", Cancelled, Hard, No, No, Nothing, QuorumNotReached;";
    "OIP-35", "rows that were answered are asked for again", "request/rows.rs":
        "self.rows = left;" => "";
    "OIP-35", "a part of an answer is kept where all rows are to move", "rows.rs":
        "let split = matches!(rule, RowRule::Split) && bad < asked;" => "let split = bad < asked;";
    "OIP-35", "nobody is told to keep what was answered in part", "request.rs":
        "self.keep_part(world, attempt);" => "";
    "OIP-35", "rows that were set apart are asked for all the same", "revision.rs":
        "self.split && tier < self.start_at" => "self.split && tier >= self.start_at";
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn every_mutation_changes_one_line_that_is_there() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        for it in MUTATIONS {
            let sound = fs::read_to_string(root.join(it.file)).expect(it.file);
            let broken = it.apply(&sound).unwrap_or_else(|error| panic!("{error}"));
            let others = |text: &str| text.lines().count();
            let moved = sound.lines().zip(broken.lines()).filter(|(before, after)| before != after).count();
            assert_eq!((others(&sound), moved), (others(&broken), 1), "{}: `{}`", it.file, it.line);
        }
    }

    #[test]
    fn every_rule_of_the_core_is_broken_at_least_once() {
        let broken: BTreeSet<&str> = MUTATIONS.iter().map(|it| it.rule).collect();
        for rule in 1..=12 {
            assert!(broken.contains(format!("rule {rule}").as_str()), "nothing breaks rule {rule}");
        }
        assert!(MUTATIONS.len() >= 15);
    }

    #[test]
    fn a_line_that_is_not_there_or_twice_is_told() {
        let it = Mutation { rule: "", breaks: "", file: "a.rs", line: "one();", with: "two();" };
        assert_eq!(it.apply("    one();\nend();\n").expect("it is there"), "    two();\nend();\n");
        assert!(it.apply("none();\n").expect_err("it is not").to_string().contains("no line is `one();`"));
        assert!(it.apply("one();\n one();\n").expect_err("which?").to_string().contains("more than one line"));
    }
}
