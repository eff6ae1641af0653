//! Metrics of what is under way, of who waits, and of what is left to pay with, as they stand while it is so.

use std::sync::Arc;

use crate::client::{Kit, until};

const ROUTES: &str = r#"
routes:
  chat:
    protocol: openai-chat
    deadline: 20s
    tiers:
      - {name: primary, openai: {upstream: big, model: large}, limit: 7, first_token: 15s}
      - {name: small, openai: {upstream: small, model: little}}
      - {name: default, fixed: {content: "Later."}}
"#;

fn series(name: &str, labels: &str) -> String {
    format!("evenkeel_{name}{{route=\"chat\",{labels}}}")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_flight_and_who_waits_is_seen_while_it_is_so() {
    let kit = Arc::new(Kit::chats(ROUTES).await);
    let primary = "path=\"primary\",replica=\"0\"";
    let (in_flight, limit) = (series("in_flight_weight", primary), series("limit_weight", primary));
    assert_eq!((kit.metric(&in_flight), kit.metric(&limit)), (Some(0.0), Some(7.0)));
    let small = series("limit_weight", "path=\"small\",replica=\"0\"");
    assert_eq!(kit.metric(&small), None, "nobody has pushed back: it has no limit");
    assert_eq!(kit.metric(&series("in_flight_weight", "path=\"default\",replica=\"0\"")), None);

    kit.break_primary("{fault: silence}");
    let asking = tokio::spawn({
        let kit = kit.clone();
        async move { kit.chat("chat", false).await }
    });
    until(|| kit.metric(&in_flight).filter(|it| *it == 1.0)).await;
    asking.abort();
    until(|| kit.metric(&in_flight).filter(|it| *it == 0.0)).await;

    kit.break_primary("{fault: rate_limited, retry_after: 3}");
    let waiters = series("gate_waiters", "path=\"primary\"");
    assert_eq!(kit.metric(&waiters), Some(0.0));
    let asking = tokio::spawn({
        let kit = kit.clone();
        async move { kit.chat("chat", false).await }
    });
    until(|| kit.metric(&waiters).filter(|it| *it == 1.0)).await;
    asking.abort();
    until(|| kit.metric(&waiters).filter(|it| *it == 0.0)).await;
    assert_eq!(kit.metric("evenkeel_recovery_waiters{route=\"chat\"}"), Some(0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn f_044_what_is_left_of_a_purse_is_seen() {
    let kit = Kit::chats(ROUTES).await;
    let (balance, floor) = (series("purse_balance", "pays=\"retry\""), series("purse_floor", "pays=\"retry\""));
    assert_eq!((kit.metric(&balance), kit.metric(&floor)), (Some(0.0), Some(3.0)));
    assert_eq!(kit.chat("chat", false).await.status, 200);
    assert!(kit.metric(&balance).is_some_and(|it| it > 0.0), "a tenth of what the request cost");
    kit.break_primary("{fault: status, status: 500, times: 1}");
    assert_eq!(kit.chat("chat", false).await.header("evenkeel-attempts"), "2");
    assert_eq!(kit.metric(&floor), Some(2.0), "the floor has paid");
    assert!(kit.metric(&series("purse_floor", "pays=\"hedge\"")).is_some());
}
