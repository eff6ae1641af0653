//! TLS: what files of certificates are good for, on either side.
//!
//! Accepted: PEM with the server's certificate first, and a key in PKCS #8, PKCS #1 or SEC 1; text between the blocks is passed over.
//! Rejected: a key that is that of another certificate, a file without a certificate, DER.
//!
//! # Source
//! RFC 7468 (PEM), RFC 7301 (ALPN).

use std::sync::Arc;

use evenkeel_config::{Certificate, Secret};
use hyper_rustls::ConfigBuilderExt;
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
    let key = key.map_err(|error| format!("`key` holds no private key that can be read: {error}"))?;
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
