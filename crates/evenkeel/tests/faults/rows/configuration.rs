//! CF: the configuration, read again while the gateway runs.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::sleep};

use super::upstream_starred::answered;
use crate::{
    exchange::outcome,
    process::Process,
    raw::read_request,
    row::{
        Forms::{Plain, Streamed},
        PLAIN, Row, SHORT, STARRED, Setting, Variant, act,
    },
    run::{Run, Side, counts},
};

/// The rows of this file.
pub(crate) const ROWS: &[Row] = &[
    Row::new("CF-01", Plain, &[Variant::named("", "", SHORT)], act!(cf_01)).single(),
    Row::new("CF-02", Streamed, &[Variant::named("", "{fault: status, status: 503}", STAYS_OPEN)], act!(cf_02))
        .single(),
    Row::new("CF-04", Plain, &[Variant::named("", "", SHORT)], act!(cf_04)).single(),
    Row::new("CF-06", Plain, &[Variant::named("", "", SHORT)], act!(cf_06))
        .within(Setting { raw: Some(|stream| Box::pin(tell_key(stream))), ..PLAIN })
        .single(),
    Row::new("CF-07", Plain, &[Variant::named("", "", SHORT)], act!(cf_07)).single(),
    Row::new("CF-10", Streamed, &[Variant::named("", "{fault: slow_tokens, every_ms: 200}", STARRED)], act!(cf_10))
        .single(),
];

/// A breaker that stays open for longer than the row lasts, unless it is forgotten.
const STAYS_OPEN: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, breaker: {open: 60s, open_max: 60s}}
      - {name: lower, openai: {upstream: lower, model: MODEL}}
";

/// Reads the configuration of the house.
fn config(run: &Run) -> String {
    std::fs::read_to_string(run.house.folder.path().join("evenkeel.yaml")).expect("the file is there")
}

/// Saves a configuration in its place, whole at once: what is refused is counted once for each, and not for an empty file
/// in between.
fn save(run: &Run, text: &str) {
    let folder = run.house.folder.path();
    std::fs::write(folder.join("next"), text).expect("written");
    std::fs::rename(folder.join("next"), folder.join("evenkeel.yaml")).expect("in its place");
}

/// Returns the revision in force and what was refused last.
async fn ready(run: &Run) -> (Value, Value) {
    let ready = run.house.client.send(run.house.admin, "GET", "/readyz", String::new()).await.json();
    (ready["revision"].clone(), ready["rejected"].clone())
}

/// Claims that a saved file is refused and changes nothing.
async fn refuses(run: &mut Run, what: &str, text: &str) {
    let (before, _) = ready(run).await;
    let failures = run.house.metric("evenkeel_config_apply_failures_total").await;
    save(run, text);
    let counted = async || {
        let now = run.house.metric("evenkeel_config_apply_failures_total").await;
        (now > failures).then_some(())
    };
    let counted = run.until(counted).await;
    run.must(counted.is_some(), "refused, and counted", &what);
    let (after, rejected) = ready(run).await;
    run.must(after == before && !rejected.is_null(), "the last good revision stays", &(what, &rejected));
    let it = run.ask().await;
    answered(run, &it, 0);
    let stays = it.record["revision"] == before;
    run.must(stays, "the last good revision decides", &(&it.record["revision"], &before));
    run.saw(Side::Client, outcome(&it.got));
    run.saw(Side::Path, format!("the revision before decides: {stays}"));
    run.saw(Side::Record, format!("{what}: refused, {} in `/readyz`", rejected["diagnostics"]));
}

async fn cf_01(run: &mut Run) {
    let good = config(run);
    let half = good[..good.len() / 2].to_owned() + "\n  x: [";
    let huge = format!("{good}\n# {}\n", "x".repeat(20_000_000));
    // Nothing in a file is a weight but the shares of a ramp, and nothing names another tier or route: what goes round in a
    // circle is an alias of YAML alone.
    let ramp = |first: &str| good.replacen("stall: 1s", &format!("stall: 1s, breaker: {{ramp: [{first}, 1]}}"), 1);
    let circle = good.replacen("tiers:", "tiers: &tiers", 1) + "      - *tiers\n";
    for (what, why, text) in [
        ("unknown keys", "nonsense", format!("{good}\nnonsense: 1\n")),
        ("half-written", "not YAML", half),
        ("empty", "the file is empty", String::new()),
        ("a time of NaN", "NaN", good.replace("deadline: 8s", "deadline: NaN")),
        ("a share of NaN", "ramp[0]", ramp(".nan")),
        ("a share of 0", "ramp", ramp("0")),
        ("a list that holds itself", "aliases", circle),
        ("huge", "larger than 4 MiB", huge),
    ] {
        refuses(run, what, &text).await;
        let (_, rejected) = ready(run).await;
        run.must(rejected["messages"].to_string().contains(why), "for its own reason", &(what, rejected));
    }
    save(run, &ramp("0.5"));
    let applied = async || ready(run).await.1.is_null().then_some(());
    let applied = run.until(applied).await;
    run.must(applied.is_some(), "a share between them is taken", &ready(run).await);
    run.saw(Side::Record, "no key is a weight but the shares of a ramp, and none names a tier or a route in a circle");
    save(run, &good);
}

/// How long clients ask under reloads, each of two times.
const RELOADING: Duration = Duration::from_secs(2);
/// Reloads a second that are applied at the least, each told by a signal of its own, on a machine that does other things, too.
const LEAST_RATE: u64 = 25;

async fn cf_02(run: &mut Run) {
    let good = config(run);
    let other = good.replace("deadline: 8s", "deadline: 9s");
    let applied = |run: &Run| run.house.gateway.lines("configuration applied").len();
    let before = applied(run);
    let well = under_reloads(run, [&other, &good], 0).await;
    run.break_primary().await;
    for _ in 0..5 {
        let it = run.ask().await;
        answered(run, &it, 1);
    }
    run.must_be(run.breaker().await, "open".to_owned(), "the path opens");
    run.set_primary("").await;
    // It is well again, and nobody is to know: whoever asks it has forgotten why it was left.
    let tried = run.primary_saw().await.len();
    let ill = under_reloads(run, [&other, &good], 1).await;
    run.must_be(run.primary_saw().await.len(), tried, "the breaker is kept");
    let state = run.breaker().await;
    run.must_be(state.as_str(), "open", "the breaker is kept");
    let reloads = applied(run) - before;
    let rate = reloads as u64 / (2 * RELOADING.as_secs());
    run.must(rate >= LEAST_RATE, "so many reloads a second are applied", &(rate, reloads));
    save(run, &good);
    run.saw(
        Side::Client,
        format!("no error under {reloads} reloads, {rate} a second: {}", counts([well.0, ill.0].concat())),
    );
    run.saw(Side::Path, format!("{state} throughout, not asked"));
    run.saw(
        Side::Record,
        format!("{} and {} revisions, each record of the one that the client was told", well.1, ill.1),
    );
}

/// Asks for a while, as two configurations take turns with some milliseconds between them; all is answered by one tier. Returns
/// what the clients saw, and how many revisions decided.
async fn under_reloads(run: &mut Run, texts: [&str; 2], tier: u8) -> (Vec<String>, usize) {
    let beside = run.beside();
    let (start, most) = (Instant::now(), RELOADING);
    let reloading = async {
        for text in texts.into_iter().cycle() {
            save(&beside, text);
            beside.house.gateway.signal("HUP").await;
            // The pace of the reloads.
            sleep(Duration::from_millis(10)).await;
            if start.elapsed() > most {
                break;
            }
        }
    };
    let asking = async {
        let (mut seen, mut revisions) = (Vec::new(), std::collections::BTreeSet::new());
        while start.elapsed() < most {
            let it = run.ask().await;
            answered(run, &it, tier);
            let (told, record) = (it.got.header("evenkeel-revision"), it.record["revision"].as_str());
            run.must(record == Some(told) && told.starts_with("sha256:"), "one revision per request", &(told, record));
            revisions.insert(told.to_owned());
            seen.push(outcome(&it.got));
        }
        run.must_be(revisions.len(), 2, "both revisions have decided");
        (seen, revisions.len())
    };
    tokio::join!(reloading, asking).1
}

async fn cf_04(run: &mut Run) {
    let good = config(run);
    for version in ["version: 0", "version: 2", "version: 99"] {
        refuses(run, version, &good.replacen("version: 1", version, 1)).await;
    }
    save(run, &good);
}

async fn cf_06(run: &mut Run) {
    let good = config(run);
    let missing = good.replacen("protocol: openai,", "protocol: openai, api_key: \"${env:EVENKEEL_NOT_SET}\",", 1);
    refuses(run, "a secret that is missing", &missing).await;
    // One in a file is read again whenever the configuration is, also where nothing but the secret has changed.
    let raw = run.house.raw.as_ref().expect("a listener").address;
    let secret = run.house.folder.path().join("key");
    let primary = format!(
        "  primary: {{protocol: openai, url: \"http://{raw}/v1\", api_key: \"${{file:{}}}\"}}",
        secret.display()
    );
    let keyed = good.lines().map(|line| if line.starts_with("  primary:") { primary.as_str() } else { line });
    let keyed = keyed.collect::<Vec<_>>().join("\n");
    let mut told = Vec::new();
    for key in ["0001", "0002"] {
        std::fs::write(&secret, format!("{KEY}{key}")).expect("written");
        save(run, &keyed);
        run.house.gateway.signal("HUP").await;
        let body = run.chat(&run.route);
        let sent = async || {
            let mut one = run.beside();
            Some(one.ask_with(&body, &[]).await).filter(|it| it.got.said() == key)
        };
        let it = run.until(sent).await;
        run.must(it.is_some(), "the new credential is sent without a restart", &key);
        if let Some(it) = it {
            answered(run, &it, 0);
            run.saw(Side::Client, outcome(&it.got));
            told.extend([it.record.to_string(), it.got.text(), format!("{:?}", it.got.headers)]);
        }
    }
    run.saw(Side::Path, "each of two secrets in turn, without a restart");
    told.push(run.house.gateway.log_text());
    let shown = told.iter().filter(|it| it.contains(KEY)).count();
    run.must_be(shown, 0, "never the value");
    run.saw(Side::Record, format!("the value in {shown} of log, record and answer"));
    save(run, &good);
}

/// How the secrets of CF-06 begin.
const KEY: &str = "sk-rotated-";

/// Answers with the end of the credential that came; mocks never show one.
async fn tell_key(mut stream: TcpStream) {
    let request = String::from_utf8_lossy(&read_request(&mut stream).await).into_owned();
    let key = request.split(KEY).nth(1).and_then(|rest| rest.get(..4)).unwrap_or("none");
    let choice = format!(r#"{{"index":0,"message":{{"role":"assistant","content":"{key}"}},"finish_reason":"stop"}}"#);
    let body = format!(r#"{{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{choice}]}}"#);
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length:";
    // Whoever does not wait for it is not there any more.
    let _ = stream.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn cf_07(run: &mut Run) {
    let file = run.house.folder.path().join("warned.yaml");
    let text = "version: 1\nupstreams:\n  u: {protocol: openai, url: \"http://127.0.0.1:1/v1\"}\nroutes:\n  r:\n    protocol: \
                openai-chat\n    tiers:\n      - {name: sure, fixed: {content: x}}\n      - {name: beyond, openai: {upstream: u, model: \
                m}}\n";
    std::fs::write(&file, text).expect("written");
    let said = Process::run(&["check", file.to_str().expect("text")]).await;
    run.must(said.contains("warning[unreachable]") && said.contains("`beyond`"), "a tier that is never reached", &said);
    run.must(said.contains("warning[last-tier-can-fail]"), "a last tier that can fail", &said);
    let codes = said.lines().filter_map(|line| line.split_once("warning[")?.1.split(']').next());
    run.saw(Side::Record, format!("`check` warns of {}; not built: `plan`", counts(codes)));
}

async fn cf_10(run: &mut Run) {
    run.break_primary().await;
    let whole = run.whole_text().await;
    let good = config(run);
    let mut beside = run.beside();
    let removing = async {
        beside.begun().await;
        let (before, _) = ready(&beside).await;
        let kept = good.replace("upstream: primary", "upstream: lower");
        let kept: String =
            kept.lines().filter(|line| !line.starts_with("  primary:")).map(|it| format!("{it}\n")).collect();
        save(&beside, &kept);
        let applied = beside.until(async || (ready(&beside).await.0 != before).then_some(())).await;
        beside.must(applied.is_some(), "the upstream is removed", &before);
        let after = beside.ask().await;
        (after, beside.primary_saw().await.iter().filter(|it| it.ended_ms.is_none()).count())
    };
    let (it, (after, open)) = tokio::join!(run.ask(), removing);
    run.failed.append(&mut beside.failed);
    answered(run, &it, 0);
    run.must_be(it.got.said(), whole, "the request finishes on its revision");
    run.must(after.got.is_whole(), "and answered", &after.got);
    let revisions = [&it, &after].map(|it| (it.record["revision"].as_str(), it.got.header("evenkeel-revision")));
    let told = revisions.iter().all(|(record, header)| *record == Some(*header));
    run.must(told && revisions[0] != revisions[1], "the next one is of the new revision", &revisions);
    let saw = run.primary_saw().await;
    let drained = saw.len() == 1 && saw[0].ended_ms.is_some() && !saw[0].client_gone;
    run.must(drained, "what it had begun it ends, and nothing more comes", &saw);
    run.must_be(open, 1, "it lasts longer than the upstream");
    save(run, &good);
    run.saw(Side::Client, format!("{}, begun before; {} after", outcome(&it.got), outcome(&after.got)));
    run.saw(Side::Path, format!("P = {}, {open} open after the removal, not cut off", saw.len()));
    run.saw(Side::Record, format!("two revisions, each told: {told}"));
}
