//! Files of certificates: read, watched, and no part of the revision.

use super::*;
use crate::secret::Secret;

/// A folder with files of these names, whose content is their name.
fn folder(files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    files.iter().for_each(|file| std::fs::write(folder.path().join(file), file).expect("written"));
    folder
}

fn own(tls: &str) -> String {
    format!("{}server: {{tls: {{{tls}}}}}\n", with(""))
}

#[test]
fn each_file_counts_with_its_name_and_what_it_holds_is_handed_on() {
    let folder = folder(&["a.pem", "b.pem"]);
    let encrypted = |ca: &str| with("").replace("url: \"http:", &format!("{ca}url: \"https:"));
    for (turned, plain) in [
        (own("certificate: a.pem, key: b.pem"), with("")),
        (own("certificate: a.pem, key: b.pem"), own("certificate: b.pem, key: b.pem")),
        (own("certificate: a.pem, key: b.pem"), own("certificate: a.pem, key: a.pem")),
        (encrypted("ca: a.pem, "), encrypted("")),
        (encrypted("ca: a.pem, "), encrypted("ca: b.pem, ")),
    ] {
        let name = |text: &str| load_text("t", text, folder.path()).deployment.expect("it compiles").name();
        assert_ne!(name(&turned), name(&plain), "{turned}");
    }
    let loaded = load_text("t", &own("certificate: a.pem, key: b.pem"), folder.path());
    let certificate = loaded.deployment.expect("it compiles").certificate.clone().expect("there is one");
    assert_eq!((certificate.chain.reveal(), certificate.key.reveal()), ("a.pem", "b.pem"));
    assert!(!format!("{certificate:?}").contains("pem"), "SEC-1");
    let loaded = load_text("t", &encrypted("ca: b.pem, "), folder.path());
    let upstreams = &loaded.deployment.expect("it compiles").upstreams;
    assert_eq!(upstreams[0].issuers.as_ref().map(Secret::reveal), Some("b.pem"));
}

#[test]
fn hp_14_dig_2_what_is_renewed_is_noticed_and_is_the_same_revision() {
    let folder = folder(&["a.pem", "b.pem"]);
    let text = own("certificate: a.pem, key: b.pem");
    let load = || load_text("t", &text, folder.path());
    let mut before = load();
    assert!(!before.sources.look(), "nothing has changed");
    for file in ["a.pem", "b.pem"] {
        std::fs::write(folder.path().join(file), "renewed").expect("written");
        assert!(before.sources.look(), "{file}");
    }
    let name = |it: Loaded| it.deployment.expect("it compiles").name();
    assert_eq!(name(before), name(load()));
}

#[test]
fn a_file_that_is_not_there_or_changes_nothing_is_told() {
    let folder = folder(&["a.pem"]);
    let codes = |text: &str| {
        let found = load_text("t", text, folder.path()).diagnostics;
        let found = found.iter().filter(|it| it.code != "last-tier-can-fail");
        found.map(|it| (it.code, it.key.clone())).collect::<Vec<_>>()
    };
    let key = |code, key: &str| (code, key.to_owned());
    assert_eq!(codes(&own("certificate: a.pem, key: b.pem")), [key("missing-file", "server.tls.key")]);
    assert_eq!(codes(&own("certificate: a.pem")), [key("missing-key", "server.tls.key")], "both are needed");
    let clear = with("").replace("url:", "ca: a.pem, url:");
    assert_eq!(codes(&clear), [key("no-effect", "upstreams.big.ca")]);
    let encrypted = with("").replace("url: \"http:", "ca: a.pem, url: \"https:");
    assert_eq!(codes(&encrypted), []);
}

#[test]
fn f_146_dig_2_a_shared_store_has_issuers_of_its_own_and_its_map_is_the_address_where_it_has_none() {
    let folder = folder(&["a.pem", "b.pem"]);
    let keeps = with("").replace("    tiers:", "    cache: {}\n    tiers:");
    let load = |shared: &str| load_text("t", &format!("{keeps}shared: {shared}\n"), folder.path());
    let name = |shared: &str| load(shared).deployment.expect("it compiles").name();
    let known = r#"{url: "rediss://h", ca: a.pem}"#;
    let loaded = load(known);
    let store = loaded.deployment.as_ref().expect("it compiles").shared.clone().expect("there is one");
    assert_eq!((store.url.reveal(), store.issuers.as_ref().map(Secret::reveal)), ("rediss://h", Some("a.pem")));
    assert!(!format!("{store:?}").contains("rediss"), "SEC-1");
    assert_eq!(name(r#"{url: "rediss://h"}"#), name(r#""rediss://h""#), "DIG-1");
    assert_eq!(name("{url: none}"), load_text("t", &keeps, folder.path()).deployment.expect("it compiles").name());
    assert_ne!(name(known), name(r#""rediss://h""#));
    assert_ne!(name(known), name(r#"{url: "rediss://h", ca: b.pem}"#));
    assert_ne!(name(known), name(r#"{url: "rediss://i", ca: a.pem}"#));
    assert_ne!(name(r#""rediss://h""#), name(r#""redis://h""#));
}

#[test]
fn f_146_a_shared_store_that_cannot_be_meant_is_told_where_it_stands() {
    let folder = folder(&["a.pem"]);
    let keeps = with("").replace("    tiers:", "    cache: {}\n    tiers:");
    for (shared, told) in [
        (r#"{url: "rediss://h", ca: a.pem}"#, &[][..]),
        (r#"{url: "redis://h", ca: a.pem}"#, &[("no-effect", "shared.ca")]),
        (r#"{url: none, ca: a.pem}"#, &[("no-effect", "shared.ca")]),
        (r#"{url: "rediss://h", ca: b.pem}"#, &[("missing-file", "shared.ca")]),
        (r#"{url: "rediss://u:p@h", ca: a.pem}"#, &[("plain-secret", "shared.url")]),
        (r#"{url: "redis+unix:///run/redis.sock"}"#, &[("bad-url", "shared.url")]),
        (r#""redis://a:1,b:2""#, &[("bad-url", "shared")]),
        (r#""""#, &[("bad-url", "shared")]),
        (r#"{url: ""}"#, &[("bad-url", "shared.url")]),
        (r#"{ca: a.pem}"#, &[("missing-key", "shared.url")]),
        (r#"{url: "rediss://h", insecure: true}"#, &[("unknown-key", "shared.insecure")]),
        ("[a]", &[("wrong-type", "shared")]),
    ] {
        let found = load_text("t", &format!("{keeps}shared: {shared}\n"), folder.path()).diagnostics;
        let found = found.iter().filter(|it| it.code != "last-tier-can-fail");
        let found: Vec<_> = found.map(|it| (it.code, it.key.as_str())).collect();
        assert_eq!(found, told, "{shared}");
    }
}

#[test]
fn a_binary_file_of_certificates_is_told_how_to_be_written() {
    let folder = folder(&["b.pem"]);
    std::fs::write(folder.path().join("a.der"), [0x30, 0x82, 0x01, 0x00, 0xFF]).expect("written");
    let found = load_text("t", &own("certificate: a.der, key: b.pem"), folder.path()).diagnostics;
    let told = found.iter().find(|it| it.code == "not-pem").expect("it is told");
    assert_eq!(told.key, "server.tls.certificate");
    assert!(told.message.contains("is DER") && told.hint.contains("openssl x509 -inform der"), "{told}");
    // A text that begins with the same byte is one.
    std::fs::write(folder.path().join("a.der"), "0 is no certificate").expect("written");
    let found = load_text("t", &own("certificate: a.der, key: b.pem"), folder.path()).diagnostics;
    assert!(found.iter().all(|it| it.code != "not-pem"), "{found:?}");
}
