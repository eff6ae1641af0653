//! Asked: what a path that is computed in this process answers to the rows of a table, through the data plane as any client.

use std::{path::Path, sync::Arc};

use anyhow::{Context, bail, ensure};
use evenkeel_config::{Deployment, FeatureKind, Input, Kind, kind};
use evenkeel_gateway::Gateway;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::table::Table;
use crate::client::Client;

/// Rows of one request.
const ROWS: usize = 100;

/// Returns a deployment of one tier, as it answers without `calibrate_to`; another model may stand in its place.
///
/// # Errors
/// There is no such tier, or it calls an upstream and no model stands in its place.
pub(crate) fn alone(
    whole: &Deployment,
    (route, tier): (&str, &str),
    model: Option<&Path>,
) -> anyhow::Result<Deployment> {
    let mut whole = whole.clone();
    if let Some(file) = model {
        instead(&mut whole, (route, tier), file)?;
    }
    let mut alone = whole.only(route, tier)?;
    (alone.paths[0].calibration, alone.paths[0].live_calibration) = (None, None);
    "127.0.0.1:0".clone_into(&mut alone.server.listen);
    // A map stands before the steps of a route.
    alone.routes[0].post = Arc::default();
    alone.certificate = None;
    Ok(alone)
}

/// Puts a model file in the place of a tier.
fn instead(whole: &mut Deployment, (route, tier): (&str, &str), file: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut revision = (*whole.revision).clone();
    let found = revision.routes.iter().find(|it| it.name == route);
    let found = found.and_then(|it| it.tiers.iter().find(|it| it.name == tier));
    let Some(at) = found.map(|it| it.path.index()) else { return Ok(()) };
    revision.paths[at].place = evenkeel_core::Where::Local;
    // One table after the other is asked: nobody waits.
    let (threads, queue, batch) = (1, 1, 1);
    let sha256 = Sha256::digest(&bytes).into();
    let onnx = kind::Onnx { file: file.into(), sha256, threads, queue, batch, signed: None };
    whole.paths[at].kind = Kind::Onnx(onnx);
    whole.paths[at].map.clear();
    whole.revision = Arc::new(revision);
    Ok(())
}

/// Asks for all rows of a table; returns the numbers of one output, row by row.
///
/// # Errors
/// The route does not say what it takes, the table lacks a column, or the path does not answer a row.
pub(crate) async fn ask(alone: Deployment, table: &Table, output: &str) -> anyhow::Result<Vec<Vec<f64>>> {
    let route = alone.revision.routes[0].name.clone();
    let input = alone.routes[0].input.clone().with_context(|| format!("route `{route}` does not say what it takes"))?;
    let columns = columns(&input, table)?;
    let most = alone.routes[0].max_batch.and_then(|it| usize::try_from(it).ok()).unwrap_or(ROWS).clamp(1, ROWS);
    let gateway = Gateway::start(Arc::new(alone)).await?;
    let client = Client::new(gateway.address());
    let (mut answers, rows) = (Vec::with_capacity(table.len()), table.len());
    for from in (0..rows).step_by(most) {
        let range = from..(from + most).min(rows);
        let count = range.len();
        let body = json!({"inputs": inputs(&input, &columns, range)});
        let answer = client.infer(&route, &body).await.with_context(|| format!("rows from {}", from + 1))?;
        answers.extend(numbers(&answer, output, count)?);
    }
    gateway.shutdown(std::time::Duration::ZERO).await;
    Ok(answers)
}

/// The columns of the table that are features, in the order of the route.
fn columns(input: &Input, table: &Table) -> anyhow::Result<Vec<Vec<Value>>> {
    ensure!(input.tensors.is_empty(), "the route takes tensors that are no columns: give the scores as columns");
    let column = |it: &evenkeel_config::Feature| -> anyhow::Result<Vec<Value>> {
        let texts = table.column(&it.name)?;
        let value = |(at, text): (usize, &str)| {
            let value = match it.kind {
                FeatureKind::Category | FeatureKind::String => Some(json!(text)),
                FeatureKind::Int => text.trim().parse::<i64>().ok().map(|it| json!(it)),
                FeatureKind::Float => text.trim().parse::<f64>().ok().filter(|it| it.is_finite()).map(|it| json!(it)),
                FeatureKind::Bool => match text.trim() {
                    "true" | "1" => Some(json!(true)),
                    "false" | "0" => Some(json!(false)),
                    _ => None,
                },
            };
            value.with_context(|| format!("row {}, column `{}`: `{text}` is no value of it", at + 1, it.name))
        };
        texts.into_iter().enumerate().map(value).collect()
    };
    input.features.iter().map(column).collect()
}

/// The inputs of one request.
fn inputs(input: &Input, columns: &[Vec<Value>], rows: std::ops::Range<usize>) -> Vec<Value> {
    let count = rows.len();
    if let Some(name) = &input.tensor {
        let data: Vec<&Value> = rows.flat_map(|row| columns.iter().map(move |column| &column[row])).collect();
        return vec![json!({"name": name, "datatype": "FP32", "shape": [count, columns.len()], "data": data})];
    }
    let datatype = |kind| match kind {
        FeatureKind::Float => "FP64",
        FeatureKind::Int => "INT64",
        FeatureKind::Category | FeatureKind::String => "BYTES",
        FeatureKind::Bool => "BOOL",
    };
    let of = |(feature, column): (&evenkeel_config::Feature, &Vec<Value>)| json!({"name": feature.name, "datatype": datatype(feature.kind), "shape": [count], "data": column[rows.clone()]});
    input.features.iter().zip(columns).map(of).collect()
}

/// The numbers of an output, row by row.
fn numbers(answer: &Value, output: &str, rows: usize) -> anyhow::Result<Vec<Vec<f64>>> {
    let found = answer["outputs"].as_array().into_iter().flatten().find(|it| it["name"] == output);
    let data = found.and_then(|it| it["data"].as_array()).with_context(|| format!("no output `{output}` came"))?;
    let numbers: Option<Vec<f64>> = data.iter().map(Value::as_f64).collect();
    let numbers = numbers.with_context(|| format!("output `{output}` has no numbers"))?;
    if numbers.is_empty() || !numbers.len().is_multiple_of(rows) {
        bail!("output `{output}` has {} values for {rows} rows", numbers.len());
    }
    Ok(numbers.chunks_exact(numbers.len() / rows).map(<[f64]>::to_vec).collect())
}
