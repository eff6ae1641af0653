//! Encrypt: how a client's connection begins where the data plane encrypts (TLS 1.3, RFC 8446, or 1.2).

use std::sync::Arc;

use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::socket::Socket;
use crate::gateway::{Phase, Shared, reached};

/// The first byte of who encrypts (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;

/// Why a connection is not encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The client does not encrypt: more likely it has begun a request.
    Clear,
    /// It could not agree with us on how to.
    Handshake,
    /// It is gone, or there is no time left for it.
    Over,
}

impl Failure {
    /// Returns what it is counted as.
    pub(super) const fn kind(self) -> Option<&'static str> {
        match self {
            Self::Clear => Some("not_encrypted"),
            Self::Handshake => Some("tls_failed"),
            Self::Over => None,
        }
    }
}

/// Agrees with a client on how to encrypt.
///
/// # Errors
/// Why it came to nothing.
pub(super) async fn encrypt(
    shared: &Shared,
    (stream, socket): (&TcpStream, Socket),
    tls: &Arc<ServerConfig>,
) -> Result<TlsStream<Socket>, Failure> {
    let mut phase = shared.phase.subscribe();
    let shaking = async {
        let mut first = [0];
        match stream.peek(&mut first).await {
            Ok(1) if first == [HANDSHAKE] => {
                TlsAcceptor::from(tls.clone()).accept(socket).await.map_err(|_| Failure::Handshake)
            }
            Ok(1) => Err(Failure::Clear),
            Ok(_) | Err(_) => Err(Failure::Over),
        }
    };
    tokio::select! {
        shaken = shaking => shaken,
        () = reached(&mut phase, Phase::Last) => Err(Failure::Over),
    }
}
