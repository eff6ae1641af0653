//! What a stream that broke after its commit means for the next ones (`failures.md`, F-077, F-133).

use super::*;

impl Kit {
    /// Begins a stream and breaks it.
    fn break_stream(&mut self, result: R) {
        self.admit(Operation::ChatStream);
        self.event(Event::FirstContent);
        self.end(result, 200);
    }

    /// Asks for a stream that is answered at once; returns the tier.
    fn stream(&mut self) -> u8 {
        self.admit(Operation::ChatStream);
        self.event(Event::FirstContent);
        self.end(R::Ok, 200);
        self.start().tier
    }
}

/// A route whose broken streams are not mended.
fn kit() -> Kit {
    let mut revision = revision(1);
    revision.routes[0].rescue = false;
    Kit::new(revision)
}

#[test]
fn f_077_after_a_break_the_next_streams_start_elsewhere_and_then_one_tries() {
    let mut kit = kit();
    kit.break_stream(R::Truncated);
    assert_eq!(kit.breaker(0), BreakerState::Closed, "one is no trip");
    kit.now = 2 * SECOND - 1;
    assert_eq!(kit.stream(), 1);
    let decision = kit.decision();
    assert_eq!(decision.reason, Reason::StreamBrokenRecently);
    assert_eq!(decision.candidates[0].verdict, Verdict::Rejected);
    kit.admit(Operation::Chat);
    assert_eq!(kit.start().tier, 0, "answers in one piece are another matter");
    kit.end(R::Ok, 200);
    kit.now = 2 * SECOND;
    kit.admit(Operation::ChatStream);
    let tries = kit.start().attempt;
    assert_eq!(kit.tier_of(tries), 0);
    assert_eq!(kit.stream(), 1, "one at a time");
    kit.feed(Input::Attempt { attempt: tries, event: Event::Ended { result: R::Ok, status: None, after: None } });
    assert_eq!([kit.stream(), kit.stream()], [0, 0]);
}

#[test]
fn f_077_two_seconds_of_content_are_proof_enough_and_another_break_begins_anew() {
    let mut kit = kit();
    kit.break_stream(R::ErrorInStream);
    kit.now = 2 * SECOND;
    kit.admit(Operation::ChatStream);
    kit.event(Event::FirstContent);
    let tries = kit.start().attempt;
    for n in 1..=4 {
        kit.now += 500 * MILLISECOND;
        assert_eq!(kit.stream(), 1, "half-second {n}");
        kit.feed(Input::Attempt { attempt: tries, event: Event::Progress });
    }
    assert_eq!(kit.stream(), 0, "it may go on for minutes");
    kit.feed(Input::Attempt {
        attempt: tries,
        event: Event::Ended { result: R::Truncated, status: None, after: None },
    });
    assert_eq!(kit.stream(), 1);
}

#[test]
fn f_077_without_another_model_below_a_path_is_not_left_alone() {
    let mut kit = kit();
    kit.break_stream(R::Truncated);
    // Now `small` breaks as well: it is the last model, and a canned answer would help nobody.
    kit.break_stream(R::Truncated);
    assert_eq!(kit.starts(), [(0, 0), (1, 0)]);
    assert_eq!(kit.stream(), 1);
    kit.admit_as(Operation::ChatStream, |admit| admit.max_tier = Some(0));
    assert_eq!(kit.start().tier, 0, "this client takes no other");
}

#[test]
fn f_077_what_did_not_break_keeps_nobody_away() {
    for (sent, result) in
        [(false, R::Truncated), (true, R::AnswerTooLarge), (true, R::ClientSlow), (true, R::ContentFiltered)]
    {
        let mut kit = kit();
        kit.admit(Operation::ChatStream);
        if sent {
            kit.event(Event::FirstContent);
        }
        kit.end(result, 200);
        assert_eq!(kit.stream(), 0, "{result:?}");
    }
}

#[test]
fn f_074_f_077_a_reload_does_not_make_a_broken_path_whole() {
    let mut kit = kit();
    kit.break_stream(R::Stall);
    let mut next = revision(1);
    next.routes[0].rescue = false;
    next.digest = [8; 32];
    kit.feed(Input::Revision(Arc::new(next)));
    assert_eq!(kit.stream(), 1);
    // Another replica joins while one tries: its end will be heard at the path as it was.
    kit.now = 2 * SECOND;
    kit.admit(Operation::ChatStream);
    kit.feed(Input::Revision(Arc::new(revision(2))));
    assert_eq!([kit.stream(), kit.stream()], [0, 0], "so another may try, and the path is not shut for good");
}
