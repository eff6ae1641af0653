//! Certificate: what is promised of the thresholds of a route, and whether that holds now.

use evenkeel_api::{Certificate, Drift};
use evenkeel_config::{Certified, Issued};
use evenkeel_core as core;
use jiff::Timestamp;

use crate::sure::time;

/// Returns a certificate as it stands: what it promises holds of rows like those that it was issued for, and so not while drift says
/// that they have moved.
pub(super) fn render(it: &Issued, drift: Option<&Drift>, now: Timestamp) -> Certificate {
    let Certified { epsilon, delta, at_least, n, .. } = *it.certified;
    let until = time(it.certified.until());
    let drifting = drift.and_then(|it| it.alarm.as_ref()).map(|it| format!("drift alarms since {}", it.at));
    let because = it.void.clone().or(drifting);
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
        epsilon,
        against: it.certified.tiers.last().map(|it| it.name.clone()).unwrap_or_default(),
        delta,
        at_least,
        n,
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_api::DriftAlarm;

    use super::*;

    #[test]
    fn it_is_void_while_drift_alarms_and_expires() {
        let mut certified = Certified::new("r".into(), Vec::new(), 0.9);
        (certified.at, certified.valid_for) = (1_000, 500);
        let issued = |void: Option<&str>| Issued {
            sha256: [0; 32],
            certified: certified.clone().into(),
            void: void.map(str::to_owned),
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
        };
        let (calm, moved) = (drift(None), drift(Some(alarm)));
        for (void, drift, now, standing, because) in [
            (None, None, 1_200, "valid", None),
            (None, Some(&calm), 1_200, "valid", None),
            (None, Some(&moved), 1_200, "void", Some("drift alarms since 1970-01-01T00:18:20Z")),
            (Some("another model"), Some(&moved), 1_200, "void", Some("another model")),
            (None, Some(&calm), 1_500, "expired", None),
        ] {
            let it = render(&issued(void), drift, time(now));
            assert_eq!((it.standing.as_str(), it.because.as_deref()), (standing, because), "{now}");
        }
    }
}
