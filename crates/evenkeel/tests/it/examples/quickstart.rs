//! The quickstart: a mock is stopped, started again, broken while it runs, and healed.

use super::Example;
use crate::{
    openai_sdk::faults,
    process::{Mocking, get, http, until},
};

#[test]
fn the_quickstart_answers_as_its_readme_says() {
    let mut quickstart = Example::start("quickstart", &[&[], &[]]);
    let [body, stall] = quickstart.shown().map(str::to_owned);
    let told = quickstart.chat(&body);
    assert_eq!((&told["tier"], &told["degraded"]), (&0.into(), &false.into()), "{told}");

    // Ctrl-C, some more requests, and the same mock again.
    let address = quickstart.mocks.remove(0).models.to_string();
    let told = quickstart.chat(&body);
    assert_eq!((&told["tier"], &told["reason"]), (&1.into(), &"CONNECT_FAILED".into()), "{told}");
    until("the open breaker", || (quickstart.chat(&body)["reason"] == "BREAKER_OPEN").then_some(()));
    quickstart.mocks.insert(0, Mocking::at(&address, &[]));
    until("the primary", || (quickstart.chat(&body)["tier"] == 0).then_some(()));

    let (ways, front) = (format!("in {} ways", faults().len()), include_str!("../../../../../README.md"));
    assert!(quickstart.readme.contains(&ways) && front.contains(&ways), "it breaks {ways}");
    quickstart.faults("PUT", &stall);
    quickstart.faults("DELETE", "");
    let (data, admin) = (quickstart.serving.data, quickstart.serving.admin);
    let id = quickstart.chat(&body)["decision"].as_str().expect("an id").to_owned();
    assert_eq!(get(data, &format!("/v1/decisions/{id}"))["id"], id);
    assert_eq!(get(data, "/v1/routes/support-chat/state")["route"], "support-chat");
    assert_eq!(http(admin, "GET", "/metrics", "").0, 200);
}
