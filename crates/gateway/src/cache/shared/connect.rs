//! Connect: makes the connections to the store that gateways share, encrypted where its address begins with `rediss`.
//!
//! # Invariants
//! - `REACH-1`: an encrypted store is spoken to only once it has shown a certificate for the very name or address that it is reached
//!   at, of an issuer that is trusted; its credential is sent after that.
//! - `REACH-2`: what is told of a failure holds nothing of the address, which may have a credential in it (SEC-1).

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use evenkeel_config::Store;
use redis::{
    AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisError, ServerErrorKind,
    aio::MultiplexedConnection,
};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::tls;

/// Addresses of one name that are tried.
const ADDRESSES: usize = 4;

/// How a store is reached.
pub(super) struct Way {
    info: ConnectionInfo,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// A connection, with the task that reads and writes on it, which ends with it.
pub(super) struct Line {
    pub(super) connection: MultiplexedConnection,
    _task: JoinSet<()>,
}

impl Way {
    /// Reads the address of a store, and whom it may be known by.
    ///
    /// # Errors
    /// What of it cannot be used.
    pub(super) fn to(store: &Store) -> Result<Self, String> {
        let url = store.url.reveal();
        // Who encrypts is not asked of whoever speaks afterwards: there is one set of TLS, and one of issuers.
        let (clear, encrypted) = match url.strip_prefix("rediss://") {
            Some(rest) => (format!("redis://{rest}"), true),
            None => (url.to_owned(), false),
        };
        let info = clear.as_str().into_connection_info();
        let info = info.map_err(|error| format!("its address cannot be used: {}", error.category()))?;
        let ConnectionAddr::Tcp(host, port) = info.addr() else {
            return Err("its address is none of a network".into());
        };
        let (host, port) = (host.clone(), *port);
        let tls = encrypted.then(|| connector(&host, store)).transpose()?;
        Ok(Self { info, host, port, tls })
    }

    /// Connects, says who it is, and chooses its database; each address of its name gets a part of the time.
    ///
    /// # Errors
    /// Why it came to nothing.
    pub(super) async fn connect(&self, within: Duration) -> Result<Line, String> {
        let connecting = async {
            let tcp = self.tcp(within).await?;
            let Some((connector, name)) = &self.tls else { return self.speak(tcp, within).await };
            let shaken = connector.connect(name.clone(), tcp).await;
            self.speak(shaken.map_err(|error| format!("no TLS handshake: {error}"))?, within).await
        };
        timeout(within, connecting).await.map_err(|_| format!("no connection within {within:?}"))?
    }

    async fn tcp(&self, within: Duration) -> Result<TcpStream, String> {
        let found = lookup_host((self.host.as_str(), self.port)).await;
        let found: Vec<SocketAddr> = found.map_err(|error| format!("its name: {error}"))?.take(ADDRESSES).collect();
        let each = within / (found.len() as u32 + 1);
        let mut failed = io::Error::from(io::ErrorKind::NotFound);
        for address in found {
            match timeout(each, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Without it small commands wait for one another; where it cannot be had they do.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => failed = error,
                Err(_) => failed = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(format!("no connection: {failed}"))
    }

    async fn speak<S>(&self, stream: S, within: Duration) -> Result<Line, String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(within));
        let made = MultiplexedConnection::new_with_config(self.info.redis_settings(), stream, config).await;
        let (connection, driver) = made.map_err(|error| words(&error))?;
        let mut task = JoinSet::new();
        task.spawn(driver);
        Ok(Line { connection, _task: task })
    }
}

/// Returns what an encrypted store is called with, and the name that its certificate must have.
fn connector(host: &str, store: &Store) -> Result<(TlsConnector, ServerName<'static>), String> {
    let config: ClientConfig = tls::trusting(store.issuers.as_ref())?;
    let name = ServerName::try_from(host.to_owned());
    let name = name.map_err(|_| "its host is no name that a certificate could have".to_owned())?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

/// Says what a store has answered, without a word of what it was sent.
pub(super) fn words(error: &RedisError) -> String {
    match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) => "it does not take the user, or the password".into(),
        (ErrorKind::Server(ServerErrorKind::NoPerm), _) => {
            "it says NOPERM: the user may not do all that is done".into()
        }
        (_, Some(code)) => format!("it says {code}"),
        (_, None) => format!("it does not answer as a Redis does: {}", error.category()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use evenkeel_config::load_text;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use rustls::{
        ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    };
    use tempfile::TempDir;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        sync::oneshot,
    };
    use tokio_rustls::TlsAcceptor;

    use super::*;

    const PATIENT: Duration = Duration::from_secs(60);

    /// Reads a store as the file of a gateway names it.
    fn store(shared: &str, folder: &Path) -> Store {
        let text = format!(
            "version: 1\nshared: {shared}\nroutes: {{r: {{protocol: openai-chat, cache: {{}}, tiers: [{{name: d, fixed: {{content: x}}}}]}}}}\n"
        );
        let loaded = load_text("t.yaml", &text, folder);
        let deployment = loaded.deployment.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
        deployment.shared.clone().expect("one is named")
    }

    /// A store that shows a certificate for one name, and answers all that it hears with some words.
    async fn scene(name: &str, says: &'static [u8]) -> (TempDir, u16, oneshot::Receiver<Vec<u8>>) {
        let mut params = CertificateParams::new([]).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an issuer");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("written");
        let key = KeyPair::generate().expect("a key");
        let shown = CertificateParams::new([name.to_owned()]).expect("parameters").signed_by(&key, &issuer);
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![shown.expect("a certificate").der().clone()], key).expect("it fits");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let (tell, told) = oneshot::channel();
        #[expect(clippy::disallowed_methods, reason = "it ends with the runtime of its test")]
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("one comes");
            let mut heard = vec![0; 4 << 10];
            let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await else {
                return drop(tell.send(Vec::new()));
            };
            let read = stream.read(&mut heard).await.unwrap_or_default();
            heard.truncate(read);
            drop(stream.write_all(says).await);
            drop(tell.send(heard));
            std::future::pending::<()>().await;
        });
        (folder, port, told)
    }

    /// Connects; returns why that failed, and what was heard of it behind the encryption.
    async fn failed(shared: &str, (name, says): (&str, &'static [u8])) -> (String, String) {
        let (folder, port, told) = scene(name, says).await;
        let store = store(&shared.replace("PORT", &port.to_string()), folder.path());
        let failed = Way::to(&store).expect("it can be used").connect(PATIENT).await;
        let why = failed.err().expect("it comes to nothing");
        (why, String::from_utf8(told.await.expect("one came")).expect("words"))
    }

    #[tokio::test]
    async fn reach_1_f_146_nothing_is_said_to_a_store_that_does_not_show_who_it_is() {
        let known = r#"{url: "rediss://me:hush@localhost:PORT", ca: ca.pem}"#;
        for (shared, name, words) in [
            (r#""rediss://me:hush@localhost:PORT""#, "localhost", "UnknownIssuer"),
            (known, "other.example", "not valid for name"),
        ] {
            let (why, heard) = failed(shared, (name, b"")).await;
            assert!(why.contains("no TLS handshake") && why.contains(words), "{why}");
            assert_eq!(heard, "", "{shared}");
        }
    }

    #[tokio::test]
    async fn reach_1_reach_2_f_146_the_credential_comes_after_the_certificate_and_is_told_to_nobody_else() {
        let shared = r#"{url: "rediss://me:hu%2Fsh@localhost:PORT/3", ca: ca.pem}"#;
        let (why, heard) =
            failed(shared, ("localhost", b"-WRONGPASS invalid username-password pair\r\n+OK\r\n+OK\r\n+OK\r\n")).await;
        assert_eq!(why, "it does not take the user, or the password");
        assert!(heard.contains("AUTH\r\n$2\r\nme\r\n$5\r\nhu/sh\r\n"), "{heard}");
        assert!(heard.contains("SELECT\r\n$1\r\n3\r\n"), "{heard}");
    }

    #[tokio::test]
    async fn f_146_who_does_not_encrypt_or_keeps_silent_is_left_in_time() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let way = |scheme: &str| {
            let shared = format!("\"{scheme}://localhost:{port}\"");
            Way::to(&store(&shared, Path::new("."))).expect("it can be used")
        };
        for scheme in ["redis", "rediss"] {
            // The system accepts, and nobody behind it answers.
            let why = way(scheme).connect(Duration::from_millis(50)).await.err().expect("nobody answers");
            assert!(why.contains("within 50ms"), "{why}");
        }
        drop(listener);
        let why = way("rediss").connect(PATIENT).await.err().expect("nobody listens");
        assert!(why.starts_with("no connection: "), "{why}");
    }
}
