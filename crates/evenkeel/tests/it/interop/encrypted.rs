//! Real clients that encrypt, over HTTP and gRPC on one port, to the binary with a certificate of an issuer of its own.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::{CLIENTS, ask_with, servers};
use crate::process::Serving;

/// A model in process behind TLS.
const CONFIG: &str = "version: 1
server: {listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\", tls: {certificate: certificate.pem, key: key.pem}}
routes:
  onnx: {protocol: oip, tiers: [{name: primary, onnx: {file: distilled.onnx}}]}
";

#[test]
fn hp_14_every_client_works_over_tls() {
    if servers::are_left_out("interop", &["tri", "ks"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let issuer = certify(folder.path());
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/home-value/distilled.onnx");
    std::fs::copy(model, folder.path().join("distilled.onnx")).expect("copied");
    let file = folder.path().join("evenkeel.yaml");
    std::fs::write(&file, CONFIG).expect("written");
    let serving = Serving::start(&file);
    let address = format!("https://localhost:{}", serving.data.port());
    for client in &CLIENTS {
        let told = ask_with(client, (&address, &address), &["onnx"], &[("OIP_CA", &issuer)]);
        assert!(told[0].ok, "{}: {}", client.1, told[0].detail);
    }
}

/// Writes a certificate for this machine and its key; returns the file of the issuer.
fn certify(folder: &Path) -> String {
    let mut params = CertificateParams::new([]).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // What has the name of its issuer would pass for its own.
    params.distinguished_name.push(DnType::CommonName, "issuer");
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an issuer");
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["localhost".into()]).expect("parameters");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    let write = |file: &str, text: &str| std::fs::write(folder.join(file), text).expect("written");
    write("certificate.pem", &certificate.pem());
    write("key.pem", &key.serialize_pem());
    write("issuer.pem", &issuer.pem());
    folder.join("issuer.pem").to_str().expect("text").to_owned()
}
