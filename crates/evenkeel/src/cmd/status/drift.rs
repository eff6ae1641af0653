//! How a route stands with drift, in words.

use evenkeel_api::{Drift, DriftAlarm};

use super::super::counted;
use crate::plot::spark;

/// Writes the line of a route; a second one names who carries an alarm.
pub(super) fn told(it: &Drift) -> String {
    let state = match (&it.state, it.score) {
        (Some(state), Some(score)) => {
            format!("{state}, score {score} of 1, {}", counted(it.samples as usize, "row"))
        }
        _ => "no row was compared yet".to_owned(),
    };
    let left_out = match it.dropped {
        0 => String::new(),
        rows => format!(", {} left out", counted(rows as usize, "row")),
    };
    let mut text = format!("  drift: {state}{left_out}{}\n", follows(it));
    if let Some(DriftAlarm { at, since, culprits, .. }) = &it.alarm {
        let who: Vec<_> = culprits.iter().map(|it| format!("{} ({})", it.stream, it.score)).collect();
        text += &format!("    alarm at {at}, since about {since}, by {}\n", who.join(", "));
    }
    text += &history(it);
    for few in &it.too_few {
        let rows = counted(few.rows as usize, "row");
        text += &format!("    {} is not compared: the reference has {rows} of it\n", few.stream);
    }
    text
}

/// Draws the last hour; an alarm is as tall as a line is.
fn history(it: &Drift) -> String {
    let [first, .., last] = &it.history[..] else { return String::new() };
    let scores = it.history.iter().map(|it| it.score.min(1.0)).chain([1.0]);
    let mut line = spark(&scores.collect::<Vec<_>>());
    line.pop();
    format!("    score from {} to {}: {line}\n", first.at, last.at)
}

/// Says what follows.
fn follows(it: &Drift) -> String {
    let start = it.start_at.as_deref().unwrap_or("a lower tier");
    match (it.share, it.proposed_since) {
        (Some(share), _) => format!("; tiers above {start} get {:.1} % of the requests", share * 100.0),
        (None, Some(since)) => format!("; to start at {start} is proposed since {since}, and nothing was done"),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(more: serde_json::Value) -> String {
        let mut it = json!({
            "state": "drift", "score": 1.2, "samples": 5321, "as_of": "2026-01-01T00:00:00Z", "reference": "sha256:00",
            "mode": "enforce", "start_at": "distilled", "streams": [], "dropped": 0,
        });
        it.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        told(&serde_json::from_value(it).expect("a state"))
    }

    #[test]
    fn an_alarm_is_told_with_those_who_carry_it_and_what_follows() {
        let culprits = json!([{"stream": "feature:age", "score": 1.1, "since": "2026-01-01T00:00:00Z"},
                              {"stream": "row_score", "score": 0.9, "since": "2026-01-01T00:00:00Z"}]);
        let alarm = json!({"at": "2026-01-01T00:05:00Z", "since": "2026-01-01T00:00:00Z", "samples": 400, "culprits": culprits});
        assert_eq!(
            words(json!({"alarm": alarm, "share": 0.25, "dropped": 3})),
            "  drift: drift, score 1.2 of 1, 5321 rows, 3 rows left out; tiers above distilled get 25.0 % of the requests\n    \
             alarm at 2026-01-01T00:05:00Z, since about 2026-01-01T00:00:00Z, by feature:age (1.1), row_score (0.9)\n"
        );
        let proposed = words(json!({"mode": "recommend", "proposed_since": "2026-01-01T00:05:01Z"}));
        assert!(
            proposed.ends_with("to start at distilled is proposed since 2026-01-01T00:05:01Z, and nothing was done\n")
        );
    }

    #[test]
    fn the_last_hour_is_drawn_and_an_alarm_is_the_tallest() {
        let point = |minute: u32, score: f64| json!({"at": format!("2026-01-01T00:0{minute}:00Z"), "score": score});
        let history = json!([point(0, 0.0), point(1, 0.5), point(2, 0.25), point(4, 1.7)]);
        let text = words(json!({"history": history}));
        assert!(text.ends_with("    score from 2026-01-01T00:00:00Z to 2026-01-01T00:04:00Z:  ▄▂█\n"), "{text}");
        assert!(!words(json!({"history": [point(0, 1.0)]})).contains("score from"), "one minute is no course");
    }

    #[test]
    fn a_route_without_a_row_and_streams_without_enough_are_told_as_such() {
        let few = json!([{"stream": "row_score", "rows": 250}]);
        assert_eq!(
            words(json!({"state": null, "score": null, "samples": 0, "too_few": few})),
            "  drift: no row was compared yet\n    row_score is not compared: the reference has 250 rows of it\n"
        );
    }
}
