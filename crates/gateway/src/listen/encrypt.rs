//! Encrypt: how a client's connection begins where the data plane encrypts (TLS 1.3, RFC 8446, or 1.2).
//!
//! # Invariants
//! - `SHAKE-1`: who says nothing, or stops in the middle of a handshake, holds up no drain for longer than an idle connection does
//!   (F-175).

use std::{future::Future, sync::Arc};

use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{connection::LAST_CALL, socket::Socket};
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
    let mut first = [0];
    let looked = unless_draining(shared, stream.peek(&mut first)).await.ok_or(Failure::Over)?;
    match looked {
        Ok(1) if first == [HANDSHAKE] => {}
        Ok(1) => return Err(Failure::Clear),
        Ok(_) | Err(_) => return Err(Failure::Over),
    }
    let shaken = unless_draining(shared, TlsAcceptor::from(tls.clone()).accept(socket)).await;
    shaken.ok_or(Failure::Over)?.map_err(|_| Failure::Handshake)
}

/// Waits for something; where the gateway closes, only a little while more, in which a client that is there does it.
async fn unless_draining<T>(shared: &Shared, something: impl Future<Output = T>) -> Option<T> {
    let (mut draining, mut last) = (shared.phase.subscribe(), shared.phase.subscribe());
    let closing = async {
        reached(&mut draining, Phase::Draining).await;
        tokio::select! {
            () = tokio::time::sleep(LAST_CALL) => {}
            () = reached(&mut last, Phase::Last) => {}
        }
    };
    tokio::select! {
        it = something => Some(it),
        () = closing => None,
    }
}
