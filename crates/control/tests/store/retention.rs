//! What is too old goes, by a clock that is passed.

use evenkeel_control::store::{Ingester, Swept, Times};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::kit::{Kit, id, time, with_each};

async fn spans(kit: &Kit, span_s: i64) -> usize {
    let (from, to) = (Timestamp::UNIX_EPOCH, "2027-12-31T00:00:00Z".parse().expect("a time"));
    let history = kit.store.history(&Times { route: Some("chat".into()), from, to, span_s }).await.expect("asked");
    let mut starts: Vec<_> = history.spans.iter().map(|it| it.start).collect();
    starts.dedup();
    starts.len()
}

#[test]
fn g_092_decisions_go_after_keep_and_spans_after_theirs() {
    with_each("retention", async |kit: &mut Kit| {
        // A bit more than eight minutes of decisions.
        kit.decisions("i1", 1, 1_001, 300);
        let event = |n: u64, at: u64| json!({"n": n, "time": time(at), "type": "route.transition", "actor": "rule:x", "data": {}});
        kit.segment("i1", "events", 1, &[&[event(1, 1), event(2, 1_000)]]);
        let keep = SignedDuration::from_hours(100);
        let mut ingester = Ingester::new(kit.store.clone(), kit.folder.path().into(), keep);
        kit.read(&mut ingester).await.expect("read");
        let (seconds, minutes, hours) = (spans(kit, 1).await, spans(kit, 60).await, spans(kit, 3_600).await);
        assert_eq!((seconds > 450, minutes, hours), (true, 9, 1));

        assert_eq!(ingester.sweep(time(1_000)).await, Ok(Swept::default()), "nothing is too old");
        // The seconds of the first half are more than an hour old.
        let Swept { gone, is_more } = ingester.sweep(time(500) + SignedDuration::from_hours(1)).await.expect("swept");
        let left = spans(kit, 1).await;
        assert!(!is_more && gone > 200 && left > 200 && left < seconds - 200, "{gone} gone, {left} of {seconds} left");
        assert_eq!((spans(kit, 60).await, kit.ids().await.len()), (9, 1_000));

        ingester.sweep(time(1_000) + SignedDuration::from_hours(74)).await.expect("swept");
        assert_eq!((spans(kit, 1).await, spans(kit, 60).await, spans(kit, 3_600).await), (0, 0, 1));
        assert_eq!(kit.ids().await.len(), 1_000);

        assert_eq!(ingester.sweep(time(990) + SignedDuration::from_hours(90)).await, Ok(Swept::default()));
        kit.store.keep_for(SignedDuration::from_hours(90));
        let swept = ingester.sweep(time(900) + SignedDuration::from_hours(90)).await.expect("swept");
        assert_eq!((swept.gone, kit.ids().await.len()), (899 + 1, 101), "899 decisions and an event");
        kit.store.keep_for(keep);

        ingester.sweep(time(990) + keep).await.expect("swept");
        let expected: Vec<_> = (990..1_001).map(|n| id("i1", n)).collect();
        assert_eq!(
            (kit.ids().await, spans(kit, 3_600).await),
            (expected, 1),
            "the rest of an hour is there as long as its end is"
        );
        ingester.sweep(time(12_000) + keep).await.expect("swept");
        assert_eq!((kit.ids().await.len(), spans(kit, 3_600).await), (0, 0));
        assert_eq!(kit.read(&mut ingester).await, Ok(0), "and what is gone is not read again");
    });
}

#[test]
fn g_092_much_that_is_too_old_goes_in_steps_and_what_comes_is_stored_between_them() {
    with_each("steps", async |kit: &mut Kit| {
        kit.decisions("i1", 1, 11, 10);
        let mut ingester = kit.ingester();
        kit.read(&mut ingester).await.expect("read");
        // Of another instance, and long ago.
        kit.sql(
            "INSERT INTO decisions WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5000) SELECT 'i2', n, \
             '01' || n, n, 'chat', 'sha256:0', 'chat', 'normal', 0, 'primary', false, 'answered', 'PRIMARY_HEALTHY', 200, 7, 1, NULL FROM r",
        )
        .await;
        kit.decisions("i1", 11, 21, 10);
        let first = ingester.sweep(time(100)).await.expect("swept");
        assert_eq!((first, kit.ids().await.len()), (Swept { gone: 4_000, is_more: true }, 1_010));
        assert_eq!(kit.read(&mut ingester).await, Ok(10));
        let second = ingester.sweep(time(100)).await.expect("swept");
        assert_eq!((second, kit.ids().await.len()), (Swept { gone: 1_000, is_more: false }, 20));
    });
}
