//! Where the ladder ends: when a refusal says to come back (F-056, F-165).

use super::{gates::apart, *};

/// So many tiers of two that have a quota each, and nothing below them.
fn tiers(tiers: usize) -> Revision {
    let mut revision = apart();
    revision.routes[0].tiers.truncate(tiers);
    revision
}

impl Kit {
    /// What the last refusal says of when to come back.
    fn retry_after(&self) -> Nanos {
        let last = self.out.iter().rev().find_map(|output| match output {
            Output::Refuse { retry_after, .. } => Some(*retry_after),
            _ => None,
        });
        last.expect("something was refused").expect("it says when")
    }
}

#[test]
fn f_056_f_165_the_first_refusal_says_what_the_next_one_says() {
    for seconds in [&[20][..], &[40, 7], &[7, 40]] {
        let mut kit = Kit::new(tiers(seconds.len()));
        kit.admit(Operation::Chat);
        seconds.iter().for_each(|it| kit.limited(Some(it * SECOND)));
        let soonest = seconds.iter().min().expect("one at least") * SECOND;
        assert_eq!(
            (kit.refusals().len(), kit.retry_after()),
            (1, soonest),
            "the tiers that it asked itself: {seconds:?}"
        );
        kit.admit(Operation::Chat);
        assert_eq!((kit.refusals().len(), kit.retry_after()), (2, soonest), "asked by nobody: {seconds:?}");
    }
}

#[test]
fn f_165_a_tier_that_failed_and_is_not_barred_may_be_asked_soon() {
    let mut kit = Kit::new(tiers(2));
    kit.admit(Operation::Chat);
    kit.limited(Some(40 * SECOND));
    kit.end(R::ConnectFailed, 0);
    assert_eq!(kit.retry_after(), SECOND);
    kit.admit(Operation::Chat);
    kit.end(R::ConnectFailed, 0);
    let after = kit.retry_after();
    assert!((9 * SECOND..=12 * SECOND).contains(&after), "the second failure has opened it: {after}");
}

#[test]
fn f_165_a_tier_that_cannot_do_what_was_asked_is_nothing_to_come_back_for() {
    let mut kit = Kit::new(tiers(2));
    kit.admit(Operation::Chat);
    kit.limited(Some(40 * SECOND));
    kit.end(R::ContextExceeded, 400);
    assert_eq!(kit.retry_after(), 40 * SECOND);
}
