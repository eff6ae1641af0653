//! Recoveries that are none.

use super::*;

/// Begins a stream, breaks it, and lets another attempt mend it, with a forged end.
fn mended(matched: bool, forge: Forge<'_>) -> Vec<&'static str> {
    let mut forger = Forger::new();
    forger.admit(Operation::ChatStream, HONEST);
    forger.event(Event::FirstContent, HONEST);
    forger.end(R::Truncated, None, HONEST);
    let (attempt, request) = forger.last();
    let real = Input::Splice { attempt, splice: Splice::Matched };
    let told = Input::Splice { attempt, splice: if matched { Splice::Matched } else { Splice::Diverged } };
    forger.feed(real, &told, Some(request), HONEST);
    forger.end(R::Ok, None, forge);
    forger.found
}

#[test]
fn f_122_f_125_f_133_a_recovery_that_is_none_is_found() {
    assert_eq!(mended(true, HONEST), [""; 0]);
    assert_eq!(mended(false, HONEST)[0], "F-125", "nobody has seen that it says the same");
    let whole = |mut outputs: Vec<Output>| {
        for output in &mut outputs {
            if let Output::Decision(decision) = output {
                decision.attempts.iter_mut().for_each(|attempt| attempt.role = Role::Answer);
            }
        }
        outputs
    };
    assert_eq!(mended(true, &whole)[0], "F-133", "the record hides that it broke");
    // A recovery of what did not break, and a second one.
    let mut forger = Forger::new();
    forger.admit(Operation::ChatStream, &|outputs| {
        let Output::Start(start) = outputs[0].clone() else { panic!("tier 0 is started") };
        vec![Output::Start(Start { role: Role::Splice, ..start })]
    });
    assert_eq!(forger.found, ["F-122"]);
    let mut forger = Forger::new();
    forger.admit(Operation::ChatStream, HONEST);
    forger.event(Event::FirstContent, HONEST);
    forger.end(R::Truncated, None, HONEST);
    let (attempt, request) = (AttemptId(9), forger.last().1);
    forger.end(R::Truncated, None, &|mut outputs| {
        let (path, replica) = (evenkeel_core::PathId(1), evenkeel_core::ReplicaId(0));
        let start = Start {
            request,
            attempt,
            tier: 1,
            path,
            replica,
            budget: 1,
            fresh: false,
            role: Role::Splice,
            rows: 0,
            steps: 0,
        };
        outputs.insert(0, Output::Start(start));
        outputs
    });
    assert_eq!(forger.found[0], "F-122");
}
