//! A threshold of confidence, and a certificate of it, that are not there any more.

use std::{collections::BTreeMap, path::Path};

use evenkeel_config::{Certified, CertifiedTier};
use serde_json::{Value, json};

use super::{lasting, list, of_primary};
use crate::client::{Kit, chats};

/// A chat whose first tier says how sure it is.
fn chat(accept: &str, certificate: &str) -> String {
    chats(&format!(
        "
routes:
  chat:
    protocol: openai-chat
    deadline: 5s
    commit: full
    shadow: {{share: 0}}{certificate}
    tiers:
      - name: primary
        openai: {{upstream: big, model: large}}
        retries: 0
        breaker: {{consecutive: 1000, fast: [1000, 1, 10s], slow: [1000, 1, 60s], low: [1000, 1000]}}{accept}
      - {{name: small, openai: {{upstream: small, model: little}}}}
      - {{name: default, fixed: {{content: Later.}}}}
"
    ))
}

const ACCEPT: &str = "\n        accept: {confidence: \"exp(logprobs.mean)\", at_least: 0.7}";

/// Starts a gateway whose models were both asked before: of such a path there is one comparison more.
async fn asked_before(config: &str, folder: &Path) -> Kit {
    let kit = Kit::of(config, folder, BTreeMap::new()).await;
    kit.break_primary("{fault: logprobs, each: -1.0}");
    assert_eq!(kit.chat("chat", false).await.header("evenkeel-tier"), "1");
    kit
}

async fn said(kit: &Kit, config: &str, folder: &Path) -> Value {
    kit.gateway.apply(kit.compile(config, folder)).expect("it can be applied");
    kit.record(&kit.chat("chat", false).await).await
}

#[tokio::test]
async fn acceptance_8_a_threshold_of_confidence_that_is_off_takes_its_inputs_and_reasons_with_it_and_nothing_else() {
    let (on, off, folder) = (chat(ACCEPT, ""), chat("", ""), Path::new("."));
    let kit = asked_before(&on, folder).await;
    let without = |record: &Value| {
        let mut it = lasting(record);
        list(&mut it["inputs"]).retain(|it| it["signal"] != "rows_low");
        list(&mut it["attempts"]).iter_mut().for_each(|it| drop(it.as_object_mut().expect("one").remove("confidence")));
        it
    };
    for (faults, tier) in [("{fault: logprobs, each: -0.1}", 0), ("{fault: status, status: 503}", 1)] {
        kit.break_primary(faults);
        let (before, after) = (said(&kit, &on, folder).await, said(&kit, &off, folder).await);
        assert_eq!((&before["outcome"]["tier"], without(&before)), (&json!(tier), lasting(&after)), "{faults}");
        assert_eq!(before["attempts"][0]["confidence"].is_object(), tier == 0, "{before}");
    }
    kit.break_primary("{fault: logprobs, each: -1.0}");
    let (before, after) = (said(&kit, &on, folder).await, said(&kit, &off, folder).await);
    let went = |it: &Value| (it["outcome"]["tier"].clone(), it["reason"].clone());
    assert_eq!(went(&before), (json!(1), json!("LOW_CONFIDENCE")), "{before}");
    assert_eq!(went(&after), (json!(0), json!("PRIMARY_HEALTHY")), "{after}");
    assert_eq!(of_primary(&lasting(&after)), of_primary(&without(&before)));
}

#[tokio::test]
async fn acceptance_8_a_certificate_decides_nothing_be_it_good_void_or_not_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let issue = |file: &str, large: &str| {
        let tier =
            |name: &str, model: &str| CertifiedTier { name: name.into(), model: model.into(), calibration: None };
        let tiers = vec![tier("primary", large), tier("small", "openai small little")];
        let valid = Certified { valid_for: u64::from(u32::MAX), at: 1, ..Certified::new("chat".into(), tiers, 0.7) };
        std::fs::write(folder.path().join(file), valid.write()).expect("written");
        chat(ACCEPT, &format!("\n    certificate: {file}"))
    };
    let (good, void) = (issue("good.json", "openai big large"), issue("void.json", "openai big larger"));
    let none = chat(ACCEPT, "");
    let kit = asked_before(&none, folder.path()).await;
    for faults in ["{fault: logprobs, each: -0.1}", "{fault: logprobs, each: -1.0}"] {
        kit.break_primary(faults);
        let expected = lasting(&said(&kit, &none, folder.path()).await);
        assert_eq!(kit.gateway.route_state("chat").expect("a route").certificate, None);
        for (config, standing) in [(&good, "valid"), (&void, "void")] {
            assert_eq!(lasting(&said(&kit, config, folder.path()).await), expected, "{standing}, {faults}");
            let certificate = kit.gateway.route_state("chat").and_then(|it| it.certificate).expect("it is shown");
            assert_eq!(certificate.standing, standing);
        }
    }
}
