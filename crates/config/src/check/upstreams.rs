//! What must hold for `server` and `upstreams`.

use std::net::SocketAddr;

use super::Checks;
use crate::{
    schema::{
        path::Target,
        route::Route,
        tier::Tier,
        upstream::{Upstream, UpstreamProtocol},
    },
    secret::within,
    tree::Key,
};

/// The least time between two probes of a replica, in nanoseconds.
const LEAST: u64 = 100_000_000;

impl Checks<'_> {
    pub(super) fn server(&mut self) {
        let (key, server) = (Key::default().field("server"), &self.file.server);
        let [listen, admin] = [("listen", &server.listen), ("admin", &server.admin)].map(|(name, address)| {
            let read = address.parse::<SocketAddr>();
            if read.is_err() {
                let named = address.rsplit_once(':').is_some_and(|(host, port)| {
                    !host.is_empty() && port.parse::<u16>().is_ok() && !host.contains(['[', ':'])
                });
                let why = if named { ", and names are not taken" } else { "" };
                let message = format!("`{address}` is not an address and a port{why}");
                self.error("bad-address", &key.field(name), message, "for example 127.0.0.1:8080 or [::]:8080");
            }
            read.ok().filter(|it| it.port() != 0)
        });
        if let Some(tls) = &server.tls {
            let key = key.field("tls");
            self.pem(&key.field("certificate"), &tls.certificate);
            self.pem(&key.field("key"), &tls.key);
        }
        let hint =
            "name a folder, such as ./evenkeel-data; `decisions: off` with `audit: {level: off}` keeps nothing there";
        self.not_empty(&key.field("data_dir"), &server.data_dir, "it names no folder", hint);
        self.largest_body(&key, server);
        if server.max_body > server.body_bytes && !self.report.doubts_within(&key) {
            let message = "the largest body is larger than all bodies together may be, so it is refused always";
            self.error("order", &key.field("body_bytes"), message, "make it several times `max_body`");
        } else if !self.report.doubts_within(&key) {
            self.body_room(&key.field("body_bytes"));
        }
        if listen.is_some() && listen == admin {
            let message = "both planes cannot listen at one address";
            self.error("same-address", &key.field("admin"), message, "choose another port");
        }
    }

    /// Warns of bodies that reach no model, since one alone fills more of the room of all than the most important of the
    /// routes with models may use (F-087).
    fn body_room(&mut self, key: &Key) {
        let (file, server) = (self.file, &self.file.server);
        let remote = |route: &&Route| {
            let mut kinds = route.tiers.iter().flat_map(Tier::asked).flat_map(|tier| tier.kinds.given());
            kinds.any(|(_, kind)| matches!(kind.target(), Target::Upstream(_)))
        };
        let Some(first) = file.routes.values().filter(remote).map(|route| route.priority.in_core()).min() else {
            return;
        };
        let most = first.share_of_bodies().thousandths();
        if u128::from(server.max_body.0) * 1_000 <= u128::from(server.body_bytes.0) * u128::from(most) {
            return;
        }
        let message = format!(
            "the largest body alone fills more of `body_bytes` than models may use ({} %, by `priority: {}`, the highest of the \
             routes with models), so it never reaches one",
            most / 10,
            first.name()
        );
        self.warning("body-room", key, message, "make it several times `max_body`");
    }

    pub(super) fn upstreams(&mut self) {
        let file = self.file;
        for (name, upstream) in &file.upstreams {
            let key = Key::default().field("upstreams").field(name);
            self.name_is_usable(&key, name);
            self.addresses(&key, upstream);
            if let Some(reference) = &upstream.api_key {
                self.secret(&key.field("api_key"), reference);
            }
            if let Some(domain) = &upstream.capacity_domain {
                self.name_is_usable(&key.field("capacity_domain"), domain);
            }
            let dialect = key.field("dialect");
            if upstream.protocol == UpstreamProtocol::Openai && self.report.is_written(&dialect) {
                let message = "an `openai` upstream has no dialect";
                self.error("misplaced-key", &dialect, message, "remove it, or write `protocol: oip`");
            }
            self.feature_server(&key, upstream);
            self.probe(&key.field("probe"), upstream);
            self.available(&key.field("min_available"), upstream);
            if let Some(ca) = &upstream.ca {
                self.pem(&key.field("ca"), ca);
            }
            let encrypted = upstream.addresses().any(|url| url.starts_with("https://"));
            for key in ["tls", "ca"].map(|name| key.field(name)) {
                if !encrypted && self.report.is_written(&key) {
                    let message = "it changes nothing where no address begins with https";
                    self.warning("no-effect", &key, message, "remove it");
                }
            }
        }
    }

    /// Warns of upstreams that nothing calls, where every other reference is right.
    pub(super) fn unused(&mut self) {
        let file = self.file;
        let tiers = || file.routes.values().flat_map(|route| &route.tiers).flat_map(Tier::asked);
        let kinds = || tiers().flat_map(|tier| tier.kinds.given());
        for name in file.upstreams.keys().filter(|_| self.report.errors() == 0).collect::<Vec<_>>() {
            let brings = file.routes.values().flat_map(|route| &route.enrich).any(|it| it.upstream == *name);
            let embeds = file.routes.values().flat_map(Route::semantic).any(|it| it.embeddings.upstream == *name)
                || file.routes.values().flat_map(Route::encoder).any(|it| it.upstream == *name);
            if !brings
                && !embeds
                && !kinds().any(|(_, kind)| kind.target() == Target::Upstream(name) || kind.also() == Some(name))
            {
                let key = Key::default().field("upstreams").field(name);
                let message = format!("no tier calls upstream `{name}`, and no route is enriched by it");
                self.warning("unused", &key, message, "remove it, or name it in a tier or under `enrich`");
            }
        }
    }

    fn probe(&mut self, key: &Key, upstream: &Upstream) {
        let Some(asked) = upstream.probe.asked() else { return };
        if asked.every.nanos() < LEAST {
            let message = "a server that is asked so often does little else";
            self.error("out-of-range", &key.field("every"), message, "write 100ms or more");
        } else if asked.timeout > asked.every && !self.report.doubts_within(key) {
            let message = "an answer may take longer than it is to the next probe";
            let hint = "make `timeout` at most `every`, which is 10s by default";
            self.warning("order", &key.field("timeout"), message, hint);
        }
    }

    /// Warns of more replicas that must be left than there are: then none is ever left alone (F-104).
    fn available(&mut self, key: &Key, upstream: &Upstream) {
        let replicas = upstream.addresses().count();
        if usize::from(upstream.min_available) <= replicas || !self.report.is_written(key) {
            return;
        }
        let message = format!("more than there are replicas ({replicas}), so none is ever left alone");
        let hint = match replicas {
            0..3 => "remove it, or add replicas: fewer than three are not compared".into(),
            _ => format!("write less than {replicas}, or add replicas"),
        };
        self.warning("no-effect", key, message, hint);
    }

    fn addresses(&mut self, key: &Key, upstream: &Upstream) {
        let [one, several] = ["url", "urls"].map(|name| key.field(name));
        let written = [&one, &several].map(|key| self.report.is_written(key));
        if written[0] == written[1] {
            let message = "exactly one of `url` and `urls` belongs here";
            self.error("url-or-urls", key, message, "write `url:` for one server, `urls:` for replicas");
        } else if written[1] && upstream.urls.is_empty() {
            self.error("empty", &several, "there is no address", "write at least one");
        }
        let single = upstream.url.iter().map(|url| (one.clone(), url));
        let urls = single.chain(upstream.urls.iter().enumerate().map(|(at, url)| (several.index(at), url)));
        let mut seen = Vec::new();
        for (key, url) in urls {
            if let Err(message) = check_url(url) {
                self.error("bad-url", &key, message, "for example http://127.0.0.1:8000/v1");
            } else if seen.contains(&url.trim_end_matches('/')) {
                let message = "this address stands above, and would count as a replica of its own";
                self.error("duplicate-url", &key, message, "name each replica once");
            }
            seen.push(url.trim_end_matches('/'));
        }
    }

    /// Fetches a secret.
    pub(crate) fn secret(&mut self, key: &Key, reference: &str) {
        if self.report.doubts(key) {
            return;
        }
        if within(reference).is_none() {
            let message = "a secret stands in the file itself, where everyone reads it who reads the file";
            self.warning("plain-secret", key, message, "write ${env:NAME} or ${file:PATH}");
        }
        if let Err(message) = self.outside.fetch_secret(reference) {
            let hint = "set it before the start; a secret is ${env:NAME} or ${file:PATH}";
            self.error("missing-secret", key, message, hint);
        }
    }
}

/// Accepts `http://host[:port][/path]` and `https://…`, nothing that would surprise at request time.
fn check_url(url: &str) -> Result<(), String> {
    let wrong = |why: &str| Err(format!("`{}` is not a usable URL: {why}", shown(url)));
    if url.contains("${") {
        return wrong("`${…}` is for secrets, and read in `api_key` only; write the address itself");
    }
    let Some((scheme, rest)) = url.split_once("://") else { return wrong("it has no scheme") };
    if !matches!(scheme, "http" | "https") {
        return wrong("only http and https are spoken");
    }
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return wrong("a credential in it would show in logs; use `api_key`");
    }
    if rest.contains(['?', '#']) {
        return wrong("the path of each request comes after it, so it has no place for a query; use `api_key`");
    }
    if rest.contains([' ', '\\']) {
        return wrong("it has a space or a backslash");
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if host.is_empty() || !host.chars().all(|c| c.is_ascii_alphanumeric() || "-._[]:".contains(c)) {
        return wrong("it has no host");
    }
    match port.map(str::parse::<u16>) {
        Some(Err(_) | Ok(0)) => wrong("its port is not a number from 1 to 65535"),
        _ => Ok(()),
    }
}

/// What stands before an `@`, in a query or in a fragment may be a credential (SEC-1): a URL is shown up to it.
fn shown(url: &str) -> String {
    let secret = url.find(['?', '#']).unwrap_or(url.len());
    let end = match url.find('@') {
        // The end of a password is not known: it may hold any of these signs.
        Some(at) => url.find("://").map(|scheme| scheme + 3).filter(|end| *end <= at.min(secret)).unwrap_or(0),
        None => secret,
    };
    if end < url.len() { format!("{}…", &url[..end]) } else { url.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_would_surprise_are_refused() {
        for good in ["http://127.0.0.1:8000/v1", "https://api.example.com/v1", "http://[::1]:80", "http://vllm-0"] {
            assert_eq!(check_url(good), Ok(()), "{good}");
        }
        for bad in
            ["127.0.0.1:80", "ftp://x", "http://", "http://u:p@x/", "http://x?y=1", "http://x:0", "http://x:99999"]
        {
            assert!(check_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sec_1_a_refused_url_is_shown_without_what_may_be_a_credential() {
        for (url, shown) in [
            ("http://user:hush@x", "http://…"),
            ("http://user:hu?sh#hush@x", "http://…"),
            ("user:hush@x://y", "…"),
            ("user:hush@x", "…"),
            ("http://x/v1?key=hush", "http://x/v1…"),
            ("ftp://x/v1#hush", "ftp://x/v1…"),
            ("http://x/v1?mail=a@b&key=hush", "http://…"),
            ("ftp://x/v1", "ftp://x/v1"),
        ] {
            let message = check_url(url).expect_err(url);
            assert!(message.starts_with(&format!("`{shown}` is not a usable URL: ")), "{url}: {message}");
            assert!(!message.contains("hush"), "{message}");
        }
    }
}
