//! The same Redis behind TLS, for a user who may do no more than a gateway does, in a database of its own (F-146).

use std::{sync::atomic::AtomicU64, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use tokio::net::TcpListener;

use super::*;
use crate::client::until;

/// All that a gateway does there, as the guide has it.
const USER: &str = "gateway on >hush ~evenkeel:cache:* +getrange +set +del +ping +select";

/// A Redis that encrypts, and whom it is known by.
struct Encrypted {
    redis: Redis,
    port: u16,
}

impl Encrypted {
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).expect("written");
        let mut params = CertificateParams::new([]).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an issuer");
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(["localhost".into()]).expect("parameters");
        write("ca.pem", &issuer.pem());
        write("certificate.pem", &params.signed_by(&key, &issuer).expect("a certificate").pem());
        write("key.pem", &key.serialize_pem());
        let (port, at) = (free(), |file: &str| folder.path().join(file).display().to_string());
        let mut more = vec!["--tls-port".to_owned(), port.to_string(), "--tls-auth-clients".into(), "no".into()];
        for (option, file) in [("cert", "certificate.pem"), ("key", "key.pem"), ("ca-cert", "ca.pem")] {
            more.extend([format!("--tls-{option}-file"), at(file)]);
        }
        more.push("--user".into());
        more.extend(USER.split(' ').map(str::to_owned));
        let redis = Redis::start_in(folder, more)?;
        Some(Self { redis, port })
    }

    /// A gateway that keeps its answers there; `url` stands for the address, with `PORT` in it.
    async fn gateway(&self, shared: &str) -> Kit {
        self.gateway_at(self.port, shared).await
    }

    async fn gateway_at(&self, port: u16, shared: &str) -> Kit {
        self.redis.is_up().await;
        let shared = shared.replace("PORT", &port.to_string());
        let text = CONFIG.replace("\"redis://127.0.0.1:PORT\"", &shared);
        Kit::of(&text, self.redis.folder.path(), BTreeMap::new()).await
    }

    /// Returns a line of the store's list of those who are connected, where it is one of gateways.
    async fn users(&self) -> Vec<String> {
        let told = self.redis.say(&[b"CLIENT", b"LIST"]).await.unwrap_or_default();
        told.lines().filter(|it| it.contains(" user=gateway ")).map(str::to_owned).collect()
    }

    /// Stands before it, and counts who comes; returns at which port.
    async fn counted(&self) -> (u16, Arc<AtomicU64>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (port, to, came) = (listener.local_addr().expect("bound").port(), self.port, Arc::new(AtomicU64::new(0)));
        let counts = came.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                counts.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut store = TcpStream::connect(("127.0.0.1", to)).await?;
                    tokio::io::copy_bidirectional(&mut client, &mut store).await
                });
            }
        });
        (port, came)
    }

    async fn database(&self, number: &[u8]) -> bool {
        let told = self.redis.say(&[b"INFO", b"keyspace"]).await.unwrap_or_default();
        told.contains(&format!("db{}:", String::from_utf8_lossy(number)))
    }
}

const KNOWN: &str = r#"{url: "rediss://gateway:hush@localhost:PORT/3", ca: ca.pem}"#;

#[tokio::test(flavor = "multi_thread")]
async fn f_146_answers_are_kept_together_behind_tls_by_a_user_and_in_a_database_of_their_own() {
    let Some(store) = Encrypted::start() else { return };
    let (one, other) = (store.gateway(KNOWN).await, store.gateway(KNOWN).await);
    connected(&one).await;
    connected(&other).await;
    until_came(&other, "hit", async |seed| {
        let written = count(&one, "written");
        ask(&one, seed).await;
        let look = async {
            while count(&one, "written") == written {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(5), look).await.is_ok() {
            ask(&other, seed).await;
        }
    })
    .await;
    let users = store.users().await;
    assert!(users.len() >= 2 && users.iter().all(|it| it.contains(" db=3 ")), "{users:?}");
    assert!(store.database(b"3").await && !store.database(b"0").await, "the number of the address counts");
}

#[tokio::test(flavor = "multi_thread")]
async fn da_05_f_146_a_store_that_is_not_known_or_knows_nobody_of_this_name_costs_no_answer() {
    let Some(store) = Encrypted::start() else { return };
    for shared in [
        KNOWN.replace(", ca: ca.pem", ""),
        KNOWN.replace("localhost", "127.0.0.1"),
        KNOWN.replace("hush", "other"),
        // It is spoken to in the clear where it encrypts.
        KNOWN.replace("rediss", "redis"),
    ] {
        let (port, came) = store.counted().await;
        let kit = store.gateway_at(port, &shared).await;
        // Who comes again has not come in.
        until(|| Some(()).filter(|()| came.load(Ordering::SeqCst) > 1)).await;
        for seed in 0..5 {
            let got = ask(&kit, seed).await;
            assert_eq!((got.status, got.header("evenkeel-method")), (200, "primary"), "{shared}: {got:?}");
        }
        assert_eq!(count(&kit, "not_connected"), 5, "{shared}");
        assert_eq!(ask(&kit, 0).await.header("evenkeel-method"), "cache", "{shared}: what was kept here goes on");
    }
    assert_eq!(store.users().await, [""; 0], "nobody came in");
}

#[tokio::test(flavor = "multi_thread")]
async fn cf_02_f_146_a_store_whose_issuers_change_is_connected_to_anew() {
    let Some(store) = Encrypted::start() else { return };
    let kit = store.gateway(&KNOWN.replace(", ca: ca.pem", "")).await;
    ask(&kit, 1).await;
    assert_eq!(count(&kit, "not_connected"), 1, "its issuer is none of the public ones");
    let text = CONFIG.replace("\"redis://127.0.0.1:PORT\"", &KNOWN.replace("PORT", &store.port.to_string()));
    kit.gateway.apply(kit.compile(&text, store.redis.folder.path())).expect("it fits");
    connected(&kit).await;
    assert_eq!(store.users().await.len(), 1);
}

#[tokio::test]
async fn f_146_what_is_no_issuer_of_a_store_is_refused_before_anything_starts() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("ca.pem"), "nothing\n").expect("written");
    let models = CONFIG.replace("BIG", "http://127.0.0.1:1").replace("SMALL", "http://127.0.0.1:2");
    let text = models.replace("\"redis://127.0.0.1:PORT\"", r#"{url: "rediss://h", ca: ca.pem}"#);
    let mut loaded = evenkeel_config::load_text("evenkeel.yaml", &text, folder.path());
    let deployment = loaded.deployment.clone().unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    loaded.refuse(evenkeel_gateway::prove(&deployment));
    let told = loaded.diagnostics.last().expect("a mistake");
    assert_eq!((told.code, told.line, told.key.as_str()), ("unfit-store", 4, "shared"), "{told}");
    assert!(told.message.contains("there is no certificate"), "{told}");
    let started = evenkeel_gateway::Gateway::start(deployment).await;
    assert!(matches!(started, Err(evenkeel_gateway::StartError::Unfit(_))), "nothing starts");
}
