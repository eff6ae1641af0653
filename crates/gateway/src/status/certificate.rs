//! Certificate: what is promised of the thresholds of a route, and whether that holds now.

use evenkeel_api::{Certificate, Drift};
use evenkeel_config::{Certified, Issued};
use evenkeel_core as core;
use jiff::Timestamp;

use crate::{clock::Clock, events::Events, quality::Tested, sure::time};

/// Returns the certificate of a route as it stands now.
pub(super) fn render(
    (route, it): (&str, &Issued),
    (drift, events): (Option<&Drift>, &Events),
    clock: Clock,
) -> Certificate {
    let tested = events.quality.tested(route).filter(|tested| tested.sha256 == it.sha256);
    stands(it, (drift, tested.as_ref()), clock.wall(clock.now()))
}

/// Says what a certificate is worth: what it promises holds of rows like those that it was issued for, and so not while drift says
/// that they have moved; and no more once rows in service have shown that it does not.
fn stands(it: &Issued, (drift, tested): (Option<&Drift>, Option<&Tested>), now: Timestamp) -> Certificate {
    let Certified { epsilon, delta, at_least, n, .. } = *it.certified;
    let until = time(it.certified.until());
    let broken = tested.and_then(|it| it.void);
    let since = broken.filter(|_| it.void.is_none()).map(|it| wall(it.0));
    let broken = broken.map(|it| format!("in service answers are wrong more often than promised, by {} answers", it.1));
    let drifting = drift.and_then(|it| it.alarm.as_ref()).map(|it| format!("drift alarms since {}", it.at));
    let steps = tested.map_or(0, |it| it.steps);
    let because = it.void.clone().or(broken).or(drifting);
    let standing = match &because {
        Some(_) => "void",
        None if now >= until => "expired",
        None => "valid",
    };
    Certificate {
        certificate: core::digest_name(&it.sha256),
        standing: standing.into(),
        until,
        because,
        since,
        epsilon,
        against: it.certified.tiers.last().map(|it| it.name.clone()).unwrap_or_default(),
        delta,
        at_least,
        n,
        tested: tested.map_or(0, |it| it.rows),
        mode: if it.enforced { "enforce" } else { "observe" }.into(),
        steps,
        stepped_to: it.stepped(steps),
    }
}

fn wall(nanos: u64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use evenkeel_api::DriftAlarm;

    use super::*;

    #[test]
    fn it_is_void_while_drift_alarms_and_for_good_by_rows_in_service_and_expires() {
        let mut certified = Certified::new("r".into(), Vec::new(), 0.9);
        (certified.at, certified.valid_for) = (1_000, 500);
        let issued = |void: Option<&str>| Issued {
            sha256: [0; 32],
            certified: certified.clone().into(),
            void: void.map(str::to_owned),
            enforced: true,
            ladder: vec![0.95],
        };
        let alarm = DriftAlarm { at: time(1_100), since: time(1_050), samples: 9, culprits: Vec::new() };
        let drift = |alarm| Drift {
            state: None,
            score: None,
            samples: 9,
            as_of: None,
            reference: String::new(),
            mode: "observe".into(),
            start_at: None,
            alarm,
            proposed_since: None,
            share: None,
            streams: Vec::new(),
            dropped: 0,
            too_few: Vec::new(),
            history: Vec::new(),
        };
        let (calm, moved) = (drift(None), drift(Some(alarm)));
        for (void, drift, now, standing, because) in [
            (None, None, 1_200, "valid", None),
            (None, Some(&calm), 1_200, "valid", None),
            (None, Some(&moved), 1_200, "void", Some("drift alarms since 1970-01-01T00:18:20Z")),
            (Some("another model"), Some(&moved), 1_200, "void", Some("another model")),
            (None, Some(&calm), 1_500, "expired", None),
        ] {
            let it = stands(&issued(void), (drift, None), time(now));
            assert_eq!((it.standing.as_str(), it.because.as_deref()), (standing, because), "{now}");
        }
        let tested = |void: Option<(u64, u64)>| Tested {
            sha256: [0; 32],
            rows: 90,
            odds: 101.0,
            void,
            steps: void.map_or(0, |_| 1),
        };
        let kept = stands(&issued(None), (Some(&calm), Some(&tested(None))), time(1_200));
        assert_eq!((kept.standing.as_str(), kept.tested, kept.since), ("valid", 90, None));
        let broken = stands(&issued(None), (Some(&moved), Some(&tested(Some((1_100_000_000_000, 70))))), time(1_200));
        let because = "in service answers are wrong more often than promised, by 70 answers";
        assert_eq!((broken.because.as_deref(), broken.since), (Some(because), Some(time(1_100))));
        assert_eq!((broken.mode.as_str(), broken.steps, broken.stepped_to), ("enforce", 1, Some(0.95)));
        let other = stands(&issued(Some("another model")), (None, Some(&tested(Some((1, 1))))), time(1_200));
        assert_eq!((other.because.as_deref(), other.since), (Some("another model"), None));
    }
}
