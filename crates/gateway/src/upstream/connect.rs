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
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, MaybeHttpsStream};
use hyper_util::{
    client::legacy::connect::{HttpConnector, dns::GaiResolver},
    rt::TokioIo,
};
use rustls::ClientConfig;
use thiserror::Error;
use tokio::{net::TcpStream, time::timeout};
use tower_service::Service;

use super::{line::Line, resolve::Resolver};

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
    pub(super) fn new(spec: &UpstreamSpec, resolver: Resolver<GaiResolver>) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(resolver);
        tcp.set_connect_timeout(Some(Duration::from_nanos(spec.connect)));
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(15)));
        tcp.enforce_http(false);
        let mut tls = ClientConfig::builder().with_webpki_roots().with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self { tcp, tls: Arc::new(tls), handshake: Duration::from_nanos(spec.tls) }
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

    use hyper_util::client::legacy::connect::dns::Name;

    use super::*;

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
}
