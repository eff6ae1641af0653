//! Encrypted connections on both sides: clients that encrypt, clients that should, servers of an issuer of one's own (HP-14).

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use evenkeel_config::{Deployment, load_text};
use evenkeel_gateway::{Gateway, StartError, expiring, prove};
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::client::{get, until};

/// A gateway that encrypts; `SERVER` stands for more keys of it.
const ENCRYPTS: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0", tls: {certificate: certificate.pem, key: key.pem}SERVER}
routes:
  echo:
    protocol: oip
    output: {tensors: {y: {datatype: FP32}}}
    tiers: [{name: default, fixed: {outputs: {y: 0.5}}}]
"#;

/// One before it that calls it, over REST, over gRPC, and over REST without knowing its issuer.
const BEFORE: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  rest: {protocol: oip, url: "https://BEHIND", dialect: plain, ca: issuer.pem}
  grpc: {protocol: oip-grpc, url: "https://BEHIND", dialect: plain, ca: issuer.pem}
  stranger: {protocol: oip, url: "https://BEHIND", dialect: plain}
routes:
  rest: {protocol: oip, tiers: [{name: primary, oip: {upstream: rest, model: echo}}]}
  grpc: {protocol: oip, tiers: [{name: primary, oip: {upstream: grpc, model: echo}}]}
  stranger: {protocol: oip, tiers: [{name: primary, oip: {upstream: stranger, model: echo}, retries: 0}, {name: default, fixed: {outputs: {y: 0.25}}}]}
"#;

const ASKED: &str = r#"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]}"#;

/// An issuer, and the folder in which a gateway finds what it has issued.
struct Office {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Office {
    /// Opens with a first certificate.
    fn open() -> Self {
        let mut params = CertificateParams::new([]).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = named("issuer");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an issuer");
        let office = Self { issuer, folder: tempfile::tempdir().expect("a folder") };
        office.write("issuer.pem", &office.issuer.pem());
        office.issue("first");
        office
    }

    /// Puts another certificate for this machine into the place of the last, with a key of its own; returns its bytes.
    fn issue(&self, name: &str) -> Vec<u8> {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(["localhost".into(), "127.0.0.1".into()]).expect("parameters");
        params.distinguished_name = named(name);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        self.write("certificate.pem", &certificate.pem());
        self.write("key.pem", &key.serialize_pem());
        certificate.der().to_vec()
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.folder.path().join(file), text).expect("written");
    }

    fn compiled(&self, text: &str) -> Arc<Deployment> {
        let loaded = load_text("test", text, self.folder.path());
        loaded.deployment.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
    }

    async fn gateway(&self, server: &str) -> Gateway {
        Gateway::start(self.compiled(&ENCRYPTS.replace("SERVER", server))).await.expect("it starts")
    }

    /// Connects, speaking one version of HTTP, to a gateway that is known by a name, or by its address alone, which no
    /// handshake tells (RFC 6066, section 3).
    async fn connect(&self, to: SocketAddr, protocol: &str, name: &'static str) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        let issuer = CertificateDer::from_pem_slice(self.issuer.pem().as_bytes()).expect("PEM");
        roots.add(issuer).expect("an issuer");
        let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![protocol.into()];
        let stream = TcpStream::connect(to).await.expect("it listens");
        let name = ServerName::try_from(name).expect("a name");
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("it can show who it is")
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut it = DistinguishedName::new();
    it.push(DnType::CommonName, name);
    it
}

/// Returns the certificate that was shown.
fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().expect("a certificate")[0].to_vec()
}

/// A request for a version of HTTP that names its host in the way of that.
fn request(uri: &str) -> Request<Full<Bytes>> {
    let request = Request::post(uri).header(header::HOST, "localhost");
    request.body(Full::from(ASKED)).expect("a request")
}

/// Returns how often a kind was refused before admission.
fn refused(gateway: &Gateway, kind: &str) -> Option<u64> {
    let name = format!("evenkeel_refused_before_admission_total{{kind=\"{kind}\"}} ");
    gateway.metrics().lines().find_map(|line| line.strip_prefix(&name)).map(|count| count.parse().expect("a count"))
}

#[tokio::test(flavor = "multi_thread")]
async fn hp_14_both_versions_of_http_are_spoken_with_and_without_a_name() {
    let office = Office::open();
    let gateway = office.gateway("").await;
    for name in ["localhost", "127.0.0.1"] {
        let stream = office.connect(gateway.address(), "http/1.1", name).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        let (mut one, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
        tokio::spawn(connection);
        let answer = one.send_request(request("/v2/models/echo/infer")).await.expect("an answer");
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["evenkeel-tier"]),
            (200, &"0".parse().expect("a value"))
        );

        let stream = office.connect(gateway.address(), "h2", name).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (mut two, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
        tokio::spawn(connection);
        let answer = two.send_request(request("https://localhost/v2/models/echo/infer")).await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 200);
        let body = answer.into_body().collect().await.expect("to its end").to_bytes();
        assert!(String::from_utf8_lossy(&body).contains("\"data\":[0.5]"), "{body:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hp_14_a_renewed_certificate_counts_from_the_next_connection_on_and_drops_none() {
    let office = Office::open();
    let gateway = office.gateway("").await;
    let old = office.connect(gateway.address(), "http/1.1", "localhost").await;
    let first = shown(&old);
    let (mut asking, connection) = http1::handshake(TokioIo::new(old)).await.expect("HTTP/1.1");
    tokio::spawn(connection);
    let second = office.issue("second");
    let revision = gateway.revision();
    gateway.apply(office.compiled(&ENCRYPTS.replace("SERVER", ""))).expect("it fits");
    assert_eq!(gateway.revision(), revision, "DIG-2: it decides nothing otherwise");
    let new = office.connect(gateway.address(), "http/1.1", "localhost").await;
    assert!(shown(&new) == second && first != second);
    for _ in 0..2 {
        asking.ready().await.expect("it stands");
        let answer = asking.send_request(request("/v2/models/echo/infer")).await.expect("it stands");
        assert_eq!(answer.status().as_u16(), 200);
        answer.into_body().collect().await.expect("to its end");
    }

    // Half of it is renewed: the certificate is there, its key is not yet.
    let key = std::fs::read_to_string(office.folder.path().join("key.pem")).expect("it is there");
    office.issue("third");
    office.write("key.pem", &key);
    let unfit = gateway.apply(office.compiled(&ENCRYPTS.replace("SERVER", ""))).expect_err("it does not fit");
    assert_eq!(unfit[0].message, "`key` is not the key of the certificate");
    assert_eq!(shown(&office.connect(gateway.address(), "http/1.1", "localhost").await), second, "the last good one");
}

#[tokio::test(flavor = "multi_thread")]
async fn hp_14_who_does_not_encrypt_is_told_to_and_who_cannot_is_counted() {
    let office = Office::open();
    let gateway = office.gateway("").await;
    let got = get(gateway.address(), "/v2/health/live").await;
    assert_eq!((got.status, got.header("connection")), (400, "close"));
    assert!(got.json()["error"]["message"].as_str().expect("words").contains("https://"), "{got:?}");
    assert_eq!(until(|| refused(&gateway, "not_encrypted")).await, 1);

    let mut broken = TcpStream::connect(gateway.address()).await.expect("it listens");
    broken.write_all(&[22, 3, 1, 0, 4, 1, 0, 0, 0]).await.expect("written");
    let mut said = Vec::new();
    let _ = broken.read_to_end(&mut said).await;
    assert_eq!(until(|| refused(&gateway, "tls_failed")).await, 1, "closed: {said:?}");
    assert!(!said.starts_with(b"HTTP"), "nothing is said in the clear to who encrypts: {said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_06_a_handshake_that_does_not_end_is_given_up_within_the_time_of_a_head() {
    let office = Office::open();
    let gateway = office.gateway(", read_timeout: 150ms").await;
    for begun in [&[22_u8, 3, 1][..], &[][..]] {
        let mut slow = TcpStream::connect(gateway.address()).await.expect("it listens");
        slow.write_all(begun).await.expect("written");
        let closed = tokio::time::timeout(Duration::from_secs(20), slow.read_to_end(&mut Vec::new())).await;
        closed.expect("it is let go").expect("closed in order");
    }
    // An encrypted connection on which no request comes is let go as well.
    let mut idle = office.connect(gateway.address(), "http/1.1", "localhost").await;
    let closed = tokio::time::timeout(Duration::from_secs(20), idle.read_to_end(&mut Vec::new())).await;
    drop(closed.expect("it is let go"));
    assert_eq!(until(|| refused(&gateway, "head_too_slow").filter(|count| *count >= 1)).await, 1, "the one that began");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_an_issuer_of_ones_own_is_trusted_where_that_is_named() {
    let office = Office::open();
    let behind = office.gateway("").await;
    let text = BEFORE.replace("BEHIND", &behind.address().to_string());
    let before = Gateway::start(office.compiled(&text)).await.expect("it starts");
    for (route, tier, answer) in [("rest", "0", "[0.5]"), ("grpc", "0", "[0.5]"), ("stranger", "1", "[0.25]")] {
        let got = crate::client::post(before.address(), &format!("/v2/models/{route}/infer"), ASKED).await;
        assert_eq!((got.status, got.header("evenkeel-tier")), (200, tier), "{route}: {got:?}");
        assert!(String::from_utf8_lossy(&got.body).contains(&format!("\"data\":{answer}")), "{route}: {got:?}");
        let record = before.decision(got.header("evenkeel-decision")).expect("a record");
        let result = if route == "stranger" { "target.tls_failed" } else { "ok" };
        assert_eq!(record.attempts[0].result, result, "{route}");
    }
}

#[tokio::test]
async fn what_is_no_certificate_is_refused_before_anything_starts() {
    let office = Office::open();
    let upstream = "version: 1\nserver: {listen: \"127.0.0.1:0\"}\nupstreams: {u: {protocol: oip, url: \"https://127.0.0.1:1\", ca: CA}}\n\
                    routes: {r: {protocol: oip, tiers: [{name: t, oip: {upstream: u, model: m}}]}}\n";
    let own = ENCRYPTS.replace("SERVER", "");
    office.write("empty.pem", "nothing\n");
    office.write("torn.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    office.write("locked.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let before = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    office.write("locked-as-before.pem", before);
    office.write("no.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    for (text, line, key, words) in [
        (own.replace("key.pem", "certificate.pem"), 3, "server.tls", "`key` holds no private key"),
        (own.replace("key.pem", "locked.pem"), 3, "server.tls", "locked with a passphrase"),
        (own.replace("key.pem", "locked-as-before.pem"), 3, "server.tls", "openssl pkey -in"),
        (own.replace("certificate.pem", "key.pem"), 3, "server.tls", "there is no certificate"),
        (own.replace("certificate.pem", "torn.pem"), 3, "server.tls", "a certificate cannot be read"),
        (own.replace("certificate.pem", "no.pem"), 3, "server.tls", "cannot be used"),
        (upstream.replace("CA", "empty.pem"), 3, "upstreams.u.ca", "there is no certificate"),
        (upstream.replace("CA", "no.pem"), 3, "upstreams.u.ca", "cannot be an issuer"),
    ] {
        let mut loaded = load_text("evenkeel.yaml", &text, office.folder.path());
        let deployment = loaded.deployment.clone().unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
        loaded.refuse(prove(&deployment));
        let told = loaded.diagnostics.last().expect("a mistake");
        assert_eq!((told.code, told.line, told.key.as_str()), ("unfit-certificate", line, key), "{told}");
        assert!(told.message.contains(words), "{told}");
        let started = Gateway::start(deployment).await;
        assert!(matches!(started, Err(StartError::Unfit(_))), "{words}: nothing starts");
    }
    let absent = load_text("evenkeel.yaml", &own.replace("key.pem", "absent.pem"), Path::new("."));
    let told: Vec<_> = absent.diagnostics.iter().map(|it| (it.code, it.key.as_str())).collect();
    assert_eq!(told, [("missing-file", "server.tls.certificate"), ("missing-file", "server.tls.key")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_175_shake_1_who_says_nothing_and_who_stops_half_way_hold_up_no_drain() {
    let office = Office::open();
    let gateway = office.gateway("").await;
    let mut open = Vec::new();
    for begun in [&[][..], &[22_u8, 3, 1]] {
        let mut stream = TcpStream::connect(gateway.address()).await.expect("it listens");
        stream.write_all(begun).await.expect("written");
        open.push(stream);
    }
    let idle = office.connect(gateway.address(), "http/1.1", "localhost").await;
    let drained = tokio::time::timeout(Duration::from_secs(60), gateway.shutdown(Duration::from_secs(3_600)));
    drained.await.expect("none of them is waited for to the end of the drain");
    drop((open, idle));
}

#[tokio::test(flavor = "multi_thread")]
async fn hp_14_a_certificate_that_expires_soon_is_warned_of_and_its_end_is_a_metric() {
    let office = Office::open();
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(["localhost".into()]).expect("parameters");
    params.not_after = rcgen::date_time_ymd(2031, 5, 20);
    office.write("certificate.pem", &params.signed_by(&key, &office.issuer).expect("a certificate").pem());
    office.write("key.pem", &key.serialize_pem());
    // Of two issuers one is left for longer.
    let old = {
        let mut params = CertificateParams::new([]).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = rcgen::date_time_ymd(2029, 1, 1);
        CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an issuer")
    };
    let mut next = CertificateParams::new([]).expect("parameters");
    next.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    next.not_after = rcgen::date_time_ymd(2030, 1, 1);
    let next = next.self_signed(&KeyPair::generate().expect("a key")).expect("an issuer");
    office.write("issuers.pem", &format!("{}{}", old.pem(), next.pem()));
    let text = ENCRYPTS
        .replace("SERVER", "")
        .replace("routes:", "upstreams: {u: {protocol: oip, url: \"https://127.0.0.1:1\", ca: issuers.pem}}\nroutes:");
    let text = text.replace("tiers: [", "tiers: [{name: primary, oip: {upstream: u, model: m}}, ");
    let deployment = office.compiled(&text);
    let at = |time: &str| {
        let found = expiring(&deployment, time.parse().expect("a time"));
        found.into_iter().map(|it| (format!("{:?}", it.part), it.message)).collect::<Vec<_>>()
    };
    assert_eq!(at("2029-12-17T00:00:00Z"), [], "more than fourteen days");
    let issuers = "the last of its issuers expires at 2030-01-01T00:00:00Z, in 13 days and 23 hours";
    let told = at("2029-12-18T00:00:01Z");
    assert_eq!(told, [("Issuers(UpstreamId(0))".to_owned(), issuers.to_owned())]);
    let both = at("2031-05-20T00:00:00Z");
    assert_eq!(both[0], ("Certificate".to_owned(), "its certificate has expired, at 2031-05-20T00:00:00Z".to_owned()));
    assert_eq!((both.len(), &*both[1].1), (2, "the last of its issuers has expired, at 2030-01-01T00:00:00Z"));
    let mut loaded = load_text("evenkeel.yaml", &text, office.folder.path());
    loaded.warn(expiring(&deployment, "2030-01-02T00:00:00Z".parse().expect("a time")));
    let warned = loaded.diagnostics.last().expect("a warning");
    assert_eq!((warned.code, warned.key.as_str(), loaded.errors()), ("expires-soon", "upstreams.u.ca", 0));

    let gateway = Gateway::start(deployment.clone()).await.expect("it starts");
    let metrics = gateway.metrics();
    for (series, end) in
        [("of=\"server\",upstream=\"none\"", 1_937_001_600), ("of=\"issuers\",upstream=\"u\"", 1_893_456_000)]
    {
        let line = format!("evenkeel_certificate_expiry_timestamp_seconds{{{series}}} {end}");
        assert!(metrics.contains(&line), "{line}\n{metrics}");
    }
}
