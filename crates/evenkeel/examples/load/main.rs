//! Asks N times over C connections, one request at a time on each, and fails unless every answer is a good one (`bench/proxy`,
//! `bench/tensors`, `bench/watched`).
//!
//! Usage: `load FORM BASE MODEL N C`; FORM is `chat` (a completion of about 1 KB), `chat-4k`, a tensor of a thousand numbers as
//! `json`, `binary` or `grpc`, or drawn by a seed `rows-30` (a row of thirty features) or `chat-2k`.

mod form;

use anyhow::{Context, bail};

use self::form::Form;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [form, base, model, requests, connections] = arguments.as_slice() else {
        bail!("usage: load FORM BASE MODEL N C")
    };
    let (requests, connections): (usize, usize) = (requests.parse()?, connections.parse()?);
    let form = Form::named(form, base, model)?;
    #[expect(clippy::disallowed_methods, reason = "all are waited for below")]
    let tasks: Vec<_> = (0..connections).map(|_| tokio::spawn(ask(form.clone(), requests / connections))).collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}

async fn ask(form: Form, times: usize) -> anyhow::Result<()> {
    let client = form.client();
    for _ in 0..times {
        form.read(client.request(form.request()?).await.context("no answer")?).await?;
    }
    Ok(())
}
