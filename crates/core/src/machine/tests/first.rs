//! How long the first content of a stream may take, where that is learned (F-022).

use super::*;

fn learning(primary_replicas: usize) -> Revision {
    let mut revision = revision(primary_replicas);
    revision.paths[0].clocks.first_content = FirstClock::Auto;
    revision
}

/// A primary whose first contents have taken 200 ms, so many times.
fn known(revision: Revision, times: u64) -> Kit {
    let mut kit = Kit::new(revision);
    (0..times).for_each(|_| kit.breaks_after(200 * MILLISECOND));
    kit
}

impl Kit {
    /// A stream that is answered after a silence.
    fn breaks_after(&mut self, silence: Nanos) {
        self.admit(Operation::ChatStream);
        self.until(self.now + silence);
        self.event(Event::FirstContent);
        self.end(R::Ok, 200);
    }

    /// A stream at which the primary says nothing; returns after how long it is left.
    fn is_left_after(&mut self) -> Nanos {
        let (at, starts) = (self.now, self.starts().len());
        self.admit(Operation::ChatStream);
        while self.starts().len() < starts + 2 {
            let (next, _) = self.core.next_timeout().expect("its clock");
            self.until(next);
        }
        let left = self.now - at;
        self.event(Event::FirstContent);
        self.end(R::Ok, 200);
        left
    }

    /// What the last record says of learned clocks: silence and clock.
    fn clocks(&self) -> Vec<(Nanos, Nanos)> {
        let facts = self.decision().facts;
        facts.iter().filter(|it| it.signal == Signal::FirstToken).map(|it| (it.value, it.threshold)).collect()
    }
}

#[test]
fn f_022_auto_waits_ten_seconds_until_fifty_streams_were_heard_and_then_as_long_as_they_say() {
    assert_eq!(known(learning(1), 49).is_left_after(), 10 * SECOND);
    let mut kit = known(learning(1), 50);
    assert_eq!(kit.is_left_after(), 2 * SECOND);
    assert_eq!(kit.results(), ["target.first_token_timeout", "ok"]);
    assert_eq!(kit.decision().reason, Reason::TtftBreach);
    assert_eq!(known(revision(1), 60).is_left_after(), 4 * SECOND, "a clock that was named does not learn");
}

#[test]
fn f_022_auto_rule_10_the_clock_that_held_stands_in_the_record() {
    let mut kit = known(learning(1), 50);
    assert_eq!(kit.clocks(), [(200 * MILLISECOND, 10 * SECOND)]);
    kit.is_left_after();
    assert_eq!(kit.clocks(), [(2 * SECOND, 2 * SECOND)]);
    let forged = |forge: &dyn Fn(&mut Decision)| {
        let mut decision = kit.decision();
        forge(&mut decision);
        !decision.rederives()
    };
    assert!(forged(&|it| it.attempts[0].duration -= 1), "nobody has waited so long");
    let clock = |it: &mut Decision, clock| {
        let fact = it.facts.iter_mut().find(|fact| fact.signal == Signal::FirstToken).expect("it was compared");
        (fact.value, fact.threshold) = (clock, clock);
    };
    assert!(forged(&|it| clock(it, SECOND)), "no clock is so short");
    assert!(forged(&|it| it.revision = Arc::new(revision(1))), "a clock that was named is not learned");
    assert!(!forged(&|_| ()));
    kit.breaks_after(300 * MILLISECOND);
    assert_eq!(kit.clocks(), [(300 * MILLISECOND, 2 * SECOND)], "also where it did not fire");
    assert_eq!(known(revision(1), 1).clocks(), [], "what the revision says is not said again");
}

#[test]
fn f_022_auto_prompts_of_another_length_have_a_clock_of_their_own() {
    let mut kit = known(learning(1), 60);
    kit.admit_as(Operation::ChatStream, |admit| admit.tokens = 10_000);
    assert_eq!(kit.start().budget, 10 * SECOND);
}

#[test]
fn f_022_auto_what_timed_out_counts_as_twice_its_clock() {
    let mut patient = learning(1);
    patient.routes[0].deadline = 60 * SECOND;
    let mut kit = known(patient, 57);
    for _ in 0..2 {
        assert_eq!(kit.is_left_after(), 2 * SECOND, "two of sixty are fewer than one in twenty");
        kit.breaks_after(200 * MILLISECOND);
    }
    assert_eq!(kit.is_left_after(), 2 * SECOND);
    kit.breaks_after(200 * MILLISECOND);
    let left = kit.is_left_after();
    assert!((16 * SECOND..=20 * SECOND).contains(&left), "four times twice two seconds, within a quarter: {left}");
    assert_eq!(kit.clocks(), [(left, left)]);
}

#[test]
fn f_022_auto_no_silence_is_waited_for_beyond_what_is_kept_for_the_tiers_below() {
    let mut kit = Kit::new(learning(1));
    (0..60).for_each(|_| kit.breaks_after(4 * SECOND));
    kit.admit(Operation::ChatStream);
    let reserve = 20 * SECOND - kit.start().budget;
    assert_eq!(reserve, 5 * SECOND + 5 * MILLISECOND, "F-027: and not the sixteen seconds of the clock");
    kit.until(kit.now + 15 * SECOND);
    kit.event(Event::FirstContent);
    kit.end(R::Ok, 200);
    assert_eq!(kit.results(), ["target.first_token_timeout", "ok"]);
    assert_eq!(kit.clocks(), [], "it was not the learned clock that held");
}

#[test]
fn f_022_auto_reasoning_breaks_the_silence() {
    let mut kit = Kit::new(learning(1));
    for _ in 0..50 {
        kit.admit(Operation::ChatStream);
        kit.until(kit.now + 100 * MILLISECOND);
        kit.event(Event::Progress);
        kit.until(kit.now + 900 * MILLISECOND);
        kit.event(Event::FirstContent);
        kit.end(R::Ok, 200);
    }
    assert_eq!(kit.is_left_after(), 2 * SECOND, "the thoughts came after 100 ms");
}

#[test]
fn f_022_auto_f_028_the_last_model_is_waited_for_and_the_record_says_that_its_clock_had_fired() {
    let mut kit = known(learning(1), 60);
    let before = kit.now;
    let request = kit.admit(Operation::ChatStream);
    let waiting = kit.start().attempt;
    for _ in 0..2 {
        // Two others find that `small` refuses connections, and open it.
        kit.admit(Operation::ChatStream);
        kit.end(R::EmptyAnswer, 200);
        kit.end(R::ConnectFailed, 0);
    }
    kit.until(before + 9 * SECOND);
    for event in [Event::FirstContent, Event::Ended { result: R::Ok, status: Some(200), after: None }] {
        kit.feed(Input::Attempt { attempt: waiting, event });
    }
    let decision = kit.decision();
    assert_eq!((decision.request, decision.outcome.tier), (request, Some(0)));
    assert_eq!(kit.clocks(), [(2 * SECOND, 2 * SECOND)]);
}

#[test]
fn f_022_auto_f_090_a_hedge_has_a_clock_of_its_own_start() {
    let mut hedged = learning(2);
    hedged.paths[0].hedge = true;
    hedged.routes[0].budget.floor = 100;
    let mut kit = Kit::new(hedged);
    (0..1_000).for_each(|_| kit.breaks_after(200 * MILLISECOND));
    let at = kit.now;
    kit.admit(Operation::ChatStream);
    let first = kit.starts().len();
    kit.until(at + 20 * SECOND);
    assert_eq!(kit.starts()[first..].iter().map(|it| it.0).collect::<Vec<_>>(), [0, 1], "a hedge, then the next tier");
    assert_eq!(kit.clocks(), [(2 * SECOND, 2 * SECOND); 2]);
    let attempts = kit.decision().attempts;
    assert_eq!(attempts[..2].iter().map(|it| it.duration).collect::<Vec<_>>(), [2 * SECOND; 2]);
}

#[test]
fn f_022_auto_f_122_a_stream_that_is_said_again_has_the_same_clock() {
    let mut kit = known(learning(2), 120);
    kit.admit(Operation::ChatStream);
    kit.event(Event::FirstContent);
    kit.end(R::Truncated, 200);
    assert_eq!((kit.start().role, kit.start().budget), (crate::Role::Splice, 2 * SECOND));
}

#[test]
fn f_022_auto_f_074_what_was_learned_survives_a_reload_that_goes_on_learning() {
    let mut kit = known(learning(1), 60);
    let mut other = learning(1);
    other.paths[0].retries = 0;
    kit.feed(Input::Revision(Arc::new(other.clone())));
    assert_eq!(kit.is_left_after(), 2 * SECOND);
    kit.feed(Input::Revision(Arc::new(revision(1))));
    assert_eq!(kit.is_left_after(), 4 * SECOND);
    kit.feed(Input::Revision(Arc::new(other)));
    assert_eq!(kit.is_left_after(), 10 * SECOND, "it begins anew");
}

#[test]
fn f_173_clients_that_leave_early_lengthen_a_learned_clock_and_never_shorten_it() {
    let mut kit = known(learning(1), 60);
    let leave = |kit: &mut Kit, after: Nanos| {
        let request = kit.admit(Operation::ChatStream);
        kit.until(kit.now + after);
        kit.feed(Input::ClientGone { request });
    };
    (0..100).for_each(|_| leave(&mut kit, MILLISECOND));
    (0..10).for_each(|_| leave(&mut kit, 1_500 * MILLISECOND));
    kit.admit(Operation::ChatStream);
    assert!((6 * SECOND..=8 * SECOND).contains(&kit.start().budget), "{}", kit.start().budget);
}
