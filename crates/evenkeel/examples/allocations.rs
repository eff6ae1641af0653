//! Counts how often a gateway asks for memory for each inference, by the form of its client and of its upstream.
//!
//! Usage: `allocations [N]`. The gateway has threads of its own, and only what is asked for on them is counted; its client and its
//! upstream, another gateway, have others. Prints one JSON line a pair of forms.

use std::path::Path;

use allocation_counter::{AllocationInfo, measure};
use anyhow::Context;
use evenkeel_config::load_text;
use evenkeel_gateway::Gateway;
use serde_json::json;
use tokio::{
    runtime::{Builder, Runtime},
    sync::mpsc,
};

#[path = "load/form.rs"]
mod form;

use form::Form;

/// Requests before counting begins.
const WARM: usize = 200;

fn main() -> anyhow::Result<()> {
    let times: usize = std::env::args().nth(1).map_or(Ok(2_000), |it| it.parse())?;
    let other = runtime()?;
    let numbers: Vec<f32> = (0..1_000).map(|at| at as f32 * 0.001_953_125).collect();
    let y = json!({"dtype": "FP32", "shape": [1, 1_000], "data": numbers});
    let behind = format!("routes: {{m: {{protocol: oip, tiers: [{{name: d, fixed: {{outputs: {{y: {y}}}}}}}]}}}}\n");
    let behind = other.block_on(start(&behind))?;
    let address = behind.address();
    let route = |name: &str, upstream: &str| {
        format!("  {name}: {{protocol: oip, tiers: [{{name: p, oip: {{upstream: {upstream}, model: m}}}}]}}\n")
    };
    let text = format!(
        "upstreams:\n  plain: {{protocol: oip, dialect: plain, url: \"http://{address}\"}}\n  packs: {{protocol: oip, dialect: triton, url: \
         \"http://{address}\"}}\n  calls: {{protocol: oip-grpc, dialect: triton, url: \"http://{address}\"}}\nroutes:\n{}{}{}",
        route("json", "plain"),
        route("binary", "packs"),
        route("grpc", "calls")
    );
    // This thread is the gateway's alone: what is asked for on it is counted.
    let own = Builder::new_current_thread().enable_all().build()?;
    let gateway = own.block_on(start(&text))?;
    let base = format!("http://{}", gateway.address());
    for form in ["json", "binary", "grpc"] {
        for upstream in ["json", "binary", "grpc"] {
            let asked = Form::named(form, &base, upstream)?;
            let run = |times: usize| {
                let (done, mut over) = mpsc::channel(1);
                let asked = asked.clone();
                other.spawn(async move { done.send(ask(&asked, times).await).await });
                let (mut result, own) = (None, &own);
                let counted = measure(|| result = own.block_on(over.recv()));
                result.context("the load is gone")?.map(|()| counted)
            };
            run(WARM)?;
            let AllocationInfo { count_total, bytes_total, .. } = run(times)?;
            let per = |total: u64| total / times as u64;
            let (allocations, bytes) = (per(count_total), per(bytes_total));
            println!("{}", json!({"client": form, "upstream": upstream, "allocations": allocations, "bytes": bytes}));
        }
    }
    Ok(())
}

fn runtime() -> anyhow::Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(1).enable_all().build()?)
}

async fn start(rest: &str) -> anyhow::Result<Gateway> {
    let text = format!("version: 1\nserver: {{listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\"}}\n{rest}");
    let loaded = load_text("allocations", &text, Path::new("."));
    let deployment = loaded.deployment.with_context(|| format!("{:?}", loaded.diagnostics.first()))?;
    Ok(Gateway::start(deployment).await?)
}

async fn ask(form: &Form, times: usize) -> anyhow::Result<()> {
    let client = form.client();
    for _ in 0..times {
        form.read(client.request(form.request()?).await?).await?;
    }
    Ok(())
}
