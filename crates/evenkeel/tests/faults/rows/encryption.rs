//! HP-14: clients that encrypt, by a gateway of their own whose certificate is renewed while they ask.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    net::SocketAddr,
    path::PathBuf,
    process::Stdio,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{io::AsyncWriteExt, net::TcpStream, process::Command, task::JoinSet, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    process::Process,
    raw::shout,
    row::{Forms::Plain, Row, SHORT, Variant, act},
    run::{Run, Side},
};

/// The rows of this file.
pub(crate) const ROWS: &[Row] = &[Row::new("HP-14", Plain, &[Variant::named("", "", SHORT)], act!(hp_14)).single()];

/// Clients at once.
const CLIENTS: usize = 4;
/// Requests on one connection.
const REQUESTS: usize = 5;
/// Times that the certificate is renewed.
const RENEWALS: usize = 3;
/// How long a client by hand may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// An issuer, and the folder in which the gateway finds what it issues.
struct Office {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
    client: TlsConnector,
}

/// What clients saw.
#[derive(Default)]
struct Seen {
    certificates: RefCell<BTreeSet<Vec<u8>>>,
    connections: Cell<usize>,
    answers: Cell<usize>,
    failures: RefCell<Vec<String>>,
    enough: Cell<bool>,
}

impl Office {
    fn open(folder: PathBuf) -> Office {
        let mut params = CertificateParams::new([]).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an issuer");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(issuer.pem().as_bytes()).expect("PEM")).expect("an issuer");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().expect("versions");
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let office = Office { issuer, folder, client: TlsConnector::from(Arc::new(config)) };
        office.issue();
        office
    }

    /// Puts a new certificate, of a new key, into the place of the last; returns its bytes.
    fn issue(&self) -> Vec<u8> {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(["localhost".into(), "127.0.0.1".into()]).expect("parameters");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        std::fs::write(self.folder.join("certificate.pem"), certificate.pem()).expect("written");
        std::fs::write(self.folder.join("key.pem"), key.serialize_pem()).expect("written");
        certificate.der().to_vec()
    }
}

/// Asks until it is enough, a few requests on each connection, every second one without the name of the server.
async fn ask(to: SocketAddr, client: TlsConnector, body: String, seen: Rc<Seen>) {
    while !seen.enough.get() {
        let named = seen.connections.replace(seen.connections.get() + 1).is_multiple_of(2);
        let name = ServerName::try_from(if named { "localhost" } else { "127.0.0.1" }).expect("a name");
        let one = async {
            let stream = client.connect(name, TcpStream::connect(to).await?).await?;
            seen.certificates.borrow_mut().insert(shown(&stream));
            let (mut asking, connection) = http1::handshake(TokioIo::new(stream)).await?;
            tokio::task::spawn_local(connection);
            for _ in 0..REQUESTS {
                let request = Request::post("/v1/chat/completions").header(header::HOST, "localhost");
                let request = request.header(header::CONTENT_TYPE, "application/json");
                asking.ready().await?;
                let answer = asking.send_request(request.body(Full::<Bytes>::from(body.clone()))?).await?;
                let (status, tier) = (answer.status(), answer.headers().get("evenkeel-tier").cloned());
                answer.into_body().collect().await?;
                if status != 200 || tier.is_none_or(|tier| tier != "0") {
                    return Err(format!("{status}").into());
                }
                seen.answers.set(seen.answers.get() + 1);
            }
            Ok::<_, Box<dyn std::error::Error>>(())
        };
        if let Err(error) = one.await {
            seen.failures.borrow_mut().push(error.to_string());
        }
    }
}

fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().map_or(Vec::new(), |shown| shown[0].to_vec())
}

/// Lets `openssl` ask for a renegotiation; returns what it says until it is let go. None where there is no `openssl`.
async fn renegotiate(to: SocketAddr) -> Option<String> {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-tls1_2", "-connect", &to.to_string()]);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = piped.spawn().ok()?;
    // It reads its orders once it is connected.
    child.stdin.take()?.write_all(b"R\n").await.ok()?;
    Some(match timeout(PATIENCE, child.wait_with_output()).await {
        Ok(output) => output.map(|it| String::from_utf8_lossy(&[it.stdout, it.stderr].concat()).into_owned()).ok()?,
        Err(_) => "it was not let go".to_owned(),
    })
}

async fn hp_14(run: &mut Run) {
    let office = Office::open(run.house.folder.path().to_owned());
    let [primary, lower] = [&run.house.primary, &run.house.lower].map(|it| it.models);
    let (name, route) = (&run.route, SHORT.replace("MODEL", &run.route));
    let text = format!(
        "version: 1\nserver: {{listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\", tls: {{certificate: certificate.pem, key: key.pem}}, \
         read_timeout: 2s}}\n\
         upstreams:\n  primary: {{protocol: openai, url: \"http://{primary}/v1\"}}\n  lower: {{protocol: openai, url: \
         \"http://{lower}/v1\"}}\nroutes:\n  {name}:{route}"
    );
    let file = office.folder.join("encrypted.yaml");
    std::fs::write(&file, text).expect("written");
    let gateway = Process::start(&["serve", "-c", file.to_str().expect("text")]).await;
    let (data, admin) = (gateway.address("serves at https://"), gateway.address("admin at http://"));

    let seen = Rc::new(Seen::default());
    let mut asking = JoinSet::new();
    for _ in 0..CLIENTS {
        asking.spawn_local(ask(data, office.client.clone(), run.chat(&run.route).to_string(), seen.clone()));
    }
    for _ in 0..RENEWALS {
        let renewed = office.issue();
        let shown = run.until(async || seen.certificates.borrow().contains(&renewed).then_some(())).await;
        run.must(shown.is_some(), "a renewed certificate is shown to who connects", &gateway.log_text());
    }
    seen.enough.set(true);
    asking.join_all().await;
    run.must_be(seen.failures.take(), Vec::new(), "renewal drops nothing");
    let (answers, connections, shown) = (seen.answers.get(), seen.connections.get(), seen.certificates.borrow().len());
    run.must(answers >= RENEWALS * REQUESTS, "requests were answered all along", &answers);
    run.saw(
        Side::Client,
        format!("with and without SNI, {RENEWALS} renewals and more of certificates under load: no failure"),
    );
    run.must(shown > RENEWALS, "each certificate was shown to some", &(shown, connections));

    match renegotiate(data).await {
        Some(said) => {
            run.must(said.contains("RENEGOTIATING"), "it was asked for", &said);
            let gone = said.contains("unexpected eof") || said.contains("no renegotiation");
            run.must(gone, "nothing is renegotiated, and the client is let go", &said);
            run.saw(Side::Client, "renegotiation: none, the connection is closed after `read_timeout`");
        }
        None => run.saw(Side::Client, "renegotiation: not shown, there is no `openssl` here"),
    }
    let clear = shout(data, b"GET /v2/health/live HTTP/1.1\r\nhost: t\r\n\r\n", PATIENCE).await;
    run.must(clear.statuses() == [400] && clear.text().contains("https://"), "who does not encrypt is told to", &clear);
    let broken = shout(data, &[22, 3, 1, 0, 4, 1, 0, 0, 0], PATIENCE).await;
    run.must(broken.closed && broken.statuses().is_empty(), "half a handshake is closed", &broken);
    let metrics = run.house.client.send(admin, "GET", "/metrics", String::new()).await.text();
    for kind in ["not_encrypted", "tls_failed"] {
        let counted = format!("evenkeel_refused_before_admission_total{{kind=\"{kind}\"}} ");
        run.must(metrics.contains(&counted), "counted", &kind);
    }
    run.saw(Side::Record, "in the clear and half a handshake: counted as `not_encrypted` and `tls_failed`");
    run.saw(Side::Path, "tier 0 answers every request");
    gateway.signal("TERM").await;
    let (code, _) = gateway.ended(crate::house::STOP).await;
    run.must_be(code, Some(0), "it ends when it is told to");
}
