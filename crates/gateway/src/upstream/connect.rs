//! Connect: makes the connections of an upstream, each stage with a clock of its own, each connection with its past.
//!
//! # Invariants
//! - `CONN-1`: whoever swallows what is sent to them, a connection is made or given up within `dns`, `connect` and `tls`
//!   together (F-032); which of them ran out can be told from the error (UP-14).

use std::{
    error::Error,
    future::{Future, Ready, ready},
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use evenkeel_config::UpstreamSpec;
use http::{Uri, uri::Scheme};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{
    client::legacy::connect::{HttpConnector, dns::GaiResolver},
    rt::TokioIo,
};
use rustls::ClientConfig;
use thiserror::Error;
use tokio::{net::TcpStream, time::timeout};
use tower_service::Service;

use super::{alive, line::Line, resolve::Resolver};

type BoxError = Box<dyn Error + Send + Sync>;
type Later<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;
type Tcp = TokioIo<TcpStream>;
/// A connection, encrypted or not.
type Stream = TokioIo<Line<TokioIo<MaybeHttpsStream<Tcp>>>>;

/// Makes connections.
#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector<Resolver<GaiResolver>>,
    tls: Arc<ClientConfig>,
    handshake: Duration,
}

/// Why a connection that was made could not be encrypted.
#[derive(Debug, Error)]
pub(super) enum Handshake {
    /// The peer did not do its part.
    #[error("no TLS handshake in {0:?}")]
    Slow(Duration),
    /// The peer, or its certificate, is not what was expected.
    #[error("no TLS handshake")]
    Failed(#[source] BoxError),
}

impl Connector {
    pub(super) fn new(spec: &UpstreamSpec, resolver: Resolver<GaiResolver>, tls: Arc<ClientConfig>) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(resolver);
        tcp.set_connect_timeout(Some(Duration::from_nanos(spec.connect)));
        tcp.set_nodelay(true);
        alive::tcp(&mut tcp);
        tcp.enforce_http(false);
        Self { tcp, tls, handshake: Duration::from_nanos(spec.tls) }
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Later<Stream, BoxError>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, tls, most) = (self.tcp.call(uri.clone()), self.tls.clone(), self.handshake);
        Box::pin(async move {
            let tcp = connecting.await?;
            let stream = match uri.scheme() == Some(&Scheme::HTTPS) {
                true => {
                    let shaking = HttpsConnector::from((Held(Some(tcp)), tls)).call(uri);
                    let shaken = timeout(most, shaking).await.map_err(|_| Handshake::Slow(most))?;
                    shaken.map_err(Handshake::Failed)?
                }
                false => MaybeHttpsStream::Http(tcp),
            };
            Ok(TokioIo::new(Line::new(TokioIo::new(stream))))
        })
    }
}

/// A connection that is there already, for the one who encrypts it.
struct Held(Option<Tcp>);

impl Service<Uri> for Held {
    type Response = Tcp;
    type Error = io::Error;
    type Future = Ready<io::Result<Tcp>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        ready(self.0.take().ok_or_else(|| io::ErrorKind::NotConnected.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::{future::Pending, net::SocketAddr, vec};

    use evenkeel_config::load_text;
    use hyper_util::client::legacy::connect::dns::Name;
    use rustls::{
        CertificateError, RootCertStore, ServerConfig, ServerConnection,
        pki_types::{CertificateDer, PrivatePkcs8KeyDer},
    };

    use super::*;
    use crate::upstream::fault::find;

    /// A resolver that never answers.
    #[derive(Clone)]
    struct Deaf;

    impl Service<Name> for Deaf {
        type Response = vec::IntoIter<SocketAddr>;
        type Error = io::Error;
        type Future = Pending<io::Result<Self::Response>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Name) -> Self::Future {
            std::future::pending()
        }
    }

    #[tokio::test]
    async fn conn_1_f_032_a_deaf_resolver_is_left_in_time() {
        let mut tcp = HttpConnector::new_with_resolver(Resolver::new(Deaf, Duration::from_millis(10)));
        let error = tcp.call(Uri::from_static("http://models.invalid")).await.expect_err("nobody answers");
        assert!(error.to_string().contains("dns error"), "what the classification looks for: {error:?}");
    }

    macro_rules! certificate {
        ($name:literal) => {
            include_bytes!(concat!("../../../evenkeel/tests/faults/certificates/", $name, ".der")).as_slice()
        };
    }

    fn spec() -> UpstreamSpec {
        let text = "version: 1\nupstreams: {u: {protocol: openai, url: \"https://127.0.0.1\"}}\nroutes: {r: {protocol: openai-chat, \
                    tiers: [{name: t, openai: {upstream: u, model: m}}]}}\n";
        let loaded = load_text("t.yaml", text, std::path::Path::new(""));
        loaded.deployment.expect("nothing is wrong with it").upstreams[0].clone()
    }

    fn connector(tls: ClientConfig) -> Connector {
        Connector::new(&spec(), Resolver::new(GaiResolver::new(), Duration::from_secs(1)), Arc::new(tls))
    }

    /// Serves one handshake with a certificate; returns where.
    fn certified(certificate: &'static [u8]) -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let key = PrivatePkcs8KeyDer::from(certificate!("key"));
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![CertificateDer::from(certificate)], key.into()).expect("it fits");
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("one comes");
            let mut connection = ServerConnection::new(Arc::new(config)).expect("a connection");
            // Whoever has seen enough of the certificate leaves.
            let _ = connection.complete_io(&mut stream);
        });
        address
    }

    /// Connects as the gateway does, and trusts the issuer of the tests.
    async fn shake(certificate: &'static [u8]) -> Result<(), CertificateError> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(certificate!("ca"))).expect("an issuer");
        let trusting = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let mut connector = connector(trusting);
        let uri = format!("https://{}", certified(certificate)).parse().expect("an address");
        let Err(error) = connector.call(uri).await else { return Ok(()) };
        assert!(matches!(error.downcast_ref(), Some(Handshake::Failed(_))), "{error:?}");
        match find::<rustls::Error>(&*error) {
            Some(rustls::Error::InvalidCertificate(why)) => Err(why.clone()),
            _ => panic!("{error:?}"),
        }
    }

    #[tokio::test]
    async fn up_20_a_certificate_is_held_against_the_time_the_host_and_its_issuer() {
        assert_eq!(shake(certificate!("good")).await, Ok(()), "each of the others differs from it in one thing");
        let why = async |certificate| format!("{:?}", shake(certificate).await.expect_err("it is no good"));
        for (certificate, expected) in [
            (certificate!("expired"), "Expired"),
            (certificate!("not-yet-valid"), "NotValidYet"),
            (certificate!("other-host"), "NotValidForName"),
            (certificate!("untrusted-issuer"), "UnknownIssuer"),
        ] {
            let found = why(certificate).await;
            assert!(found.starts_with(expected), "{found} in place of {expected}");
        }
    }
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn alive_1_f_032_up_31_the_system_is_told_when_a_silent_peer_is_gone() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let uri = format!("http://{}", listener.local_addr().expect("its own")).parse().expect("an address");
        let mut connector =
            connector(ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth());
        let stream = connector.tcp.call(uri).await.expect("it listens");
        let socket = socket2::SockRef::from(stream.inner());
        assert!(socket.keepalive().expect("an option"));
        let told = [socket.tcp_keepalive_time(), socket.tcp_keepalive_interval()].map(|it| it.expect("an option"));
        assert_eq!(told, [15, 5].map(Duration::from_secs));
        assert_eq!(socket.tcp_keepalive_retries().expect("an option"), 3);
        assert_eq!(socket.tcp_user_timeout().expect("an option"), Some(Duration::from_secs(15)));
    }
}
