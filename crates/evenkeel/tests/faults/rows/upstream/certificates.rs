//! UP-20: a server that cannot show who it is.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use rustls::{
    ServerConfig, ServerConnection,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
};
use tokio::net::TcpStream;

use crate::{
    exchange::outcome,
    row::{Forms::Both, PLAIN, Row, Setting, Variant, act},
    rows::upstream_starred::answered,
    run::{Run, Side},
};

/// The rows of this file.
pub(crate) const ROWS: &[Row] = &[Row::new("UP-20", Both, &[Variant::named("", "", BAD_TLS)], act!(up_20))
    .within(Setting { upstreams: TLS, raw: Some(|stream| Box::pin(certify(stream))), ..PLAIN })];

/// A primary whose certificate is no good.
const BAD_TLS: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: certified, model: MODEL}}
      - {name: lower, openai: {upstream: lower, model: MODEL}}
";

const TLS: &str = "  certified: {protocol: openai, url: \"https://RAW/v1\", ca: CERTIFICATES/ca.pem}\n  lower: {protocol: openai, url: \"LOWER/v1\"}\n";

/// What is wrong with a certificate. All but the last are of the issuer that the gateway is told to trust, and differ from one that
/// it takes in one thing (`gateway/src/upstream/connect.rs`).
const BAD: [&[u8]; 4] = [
    include_bytes!("../../certificates/expired.der"),
    include_bytes!("../../certificates/not-yet-valid.der"),
    include_bytes!("../../certificates/other-host.der"),
    include_bytes!("../../certificates/untrusted-issuer.der"),
];

/// Speaks TLS, with each certificate in its turn, until the other side has seen enough of it.
async fn certify(stream: TcpStream) {
    static TURN: AtomicUsize = AtomicUsize::new(0);
    let certificate = BAD[TURN.fetch_add(1, Relaxed) % BAD.len()];
    let key = PrivatePkcs8KeyDer::from(include_bytes!("../../certificates/key.der").as_slice());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("versions").with_no_client_auth();
    let config = config.with_single_cert(vec![CertificateDer::from(certificate)], key.into()).expect("it fits");
    let shaking = move || {
        let mut stream = stream.into_std().ok()?;
        stream.set_nonblocking(false).ok()?;
        let mut connection = ServerConnection::new(Arc::new(config)).ok()?;
        connection.complete_io(&mut stream).ok()
    };
    let _ = tokio::task::spawn_blocking(shaking).await;
}

async fn up_20(run: &mut Run) {
    let it = run.ask().await;
    answered(run, &it, 1);
    let results = it.results("primary").join(", ");
    run.must_be(results.as_str(), "target.tls_failed", "hard, no retry");
    let logged = run.house.gateway.lines("no TLS handshake");
    let why = logged.first().and_then(|line| line["why"].as_str()).unwrap_or_default().to_owned();
    run.must(logged.len() == 1 && why.contains("certificate"), "said why, once for each replica", &logged);
    run.saw(Side::Client, outcome(&it.got));
    run.saw(Side::Path, format!("{} handshake", it.results("primary").len()));
    run.saw(Side::Record, format!("`{results}`; not built: warnings before a certificate ends"));
}
