//! TLS: what files of certificates are good for, on either side.
//!
//! Accepted: PEM with the server's certificate first, and a key in PKCS #8, PKCS #1 or SEC 1; text between the blocks is passed over.
//! Rejected: a key that is that of another certificate, a file without a certificate, DER.
//!
//! # Source
//! RFC 7468 (PEM), RFC 7301 (ALPN).

mod expiry;

use std::sync::Arc;

use evenkeel_config::{Certificate, Secret};
use hyper_rustls::ConfigBuilderExt;
use jiff::Timestamp;
use rustls::{
    ClientConfig, Error, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// Makes ready what the data plane encrypts with.
///
/// # Errors
/// What is wrong with the certificate or its key.
pub(crate) fn server(certificate: &Certificate) -> Result<Arc<ServerConfig>, String> {
    let chain = certificates(&certificate.chain)?;
    let key = PrivateKeyDer::from_pem_slice(certificate.key.reveal().as_bytes());
    let key = key.map_err(|error| match is_locked(certificate.key.reveal()) {
        true => LOCKED.to_owned(),
        false => format!("`key` holds no private key that can be read: {error}"),
    })?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    let mut config = config.map_err(|error| match error {
        Error::InconsistentKeys(_) => "`key` is not the key of the certificate".to_owned(),
        error => format!("certificate and key cannot be used: {error}"),
    })?;
    config.alpn_protocols = protocols();
    Ok(Arc::new(config))
}

/// Makes ready what an upstream is called with: it trusts these issuers, or the public ones.
///
/// # Errors
/// What is wrong with the issuers.
pub(crate) fn client(issuers: Option<&Secret>) -> Result<Arc<ClientConfig>, String> {
    let mut config = trusting(issuers)?;
    config.alpn_protocols = protocols();
    Ok(Arc::new(config))
}

/// Makes ready what a server that speaks no HTTP is called with.
///
/// # Errors
/// What is wrong with the issuers.
pub(crate) fn trusting(issuers: Option<&Secret>) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder();
    let builder = match issuers {
        None => builder.with_webpki_roots(),
        Some(issuers) => {
            let mut roots = RootCertStore::empty();
            for issuer in certificates(issuers)? {
                roots.add(issuer).map_err(|error| format!("a certificate cannot be an issuer: {error}"))?;
            }
            builder.with_root_certificates(roots)
        }
    };
    Ok(builder.with_no_client_auth())
}

/// What is said of a key that nobody can use.
const LOCKED: &str = "`key` is locked with a passphrase, which nobody is here to type; write it without one, readable by this \
                      process alone: openssl pkey -in KEY -out key.pem";

/// Says whether a key is locked with a passphrase: as PKCS #8 (RFC 7468, section 11), or as older files are (RFC 1421).
fn is_locked(pem: &str) -> bool {
    pem.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || pem.contains("Proc-Type: 4,ENCRYPTED")
}

/// Returns until when a server can show its certificate: where one of the chain ends, the others are of no use.
pub(crate) fn shown_until(certificate: &Certificate) -> Option<Timestamp> {
    ends(&certificate.chain).into_iter().min()
}

/// Returns until when somebody can be believed by these issuers: as long as one of them is left.
pub(crate) fn believed_until(issuers: &Secret) -> Option<Timestamp> {
    ends(issuers).into_iter().max()
}

fn ends(pem: &Secret) -> Vec<Timestamp> {
    certificates(pem).unwrap_or_default().iter().filter_map(|it| expiry::not_after(it)).collect()
}

fn protocols() -> Vec<Vec<u8>> {
    vec![b"h2".to_vec(), b"http/1.1".to_vec()]
}

fn certificates(pem: &Secret) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.reveal().as_bytes()).collect();
    match read {
        Err(error) => Err(format!("a certificate cannot be read: {error}")),
        Ok(none) if none.is_empty() => Err("there is no certificate in PEM".into()),
        Ok(certificates) => Ok(certificates),
    }
}
