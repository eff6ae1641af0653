//! What must hold for `server` and `upstreams`.

use std::net::SocketAddr;

use super::Checks;
use crate::{secret::Secret, tree::Key};

impl Checks<'_> {
    pub(super) fn upstreams(&mut self) {
        let file = self.file;
        let server = Key::default().field("server");
        for (name, address) in [("listen", &file.server.listen), ("admin", &file.server.admin)] {
            if address.parse::<SocketAddr>().is_err() {
                let message = format!("`{address}` is not an address and a port");
                self.error("bad-address", &server.field(name), message, "for example 127.0.0.1:8080 or [::]:8080");
            }
        }
        for (name, upstream) in &file.upstreams {
            let key = Key::default().field("upstreams").field(name);
            if upstream.addresses().count() == 0 || (upstream.url.is_some() && !upstream.urls.is_empty()) {
                let message = "exactly one of `url` and `urls` belongs here";
                self.error("url-or-urls", &key, message, "write `url:` for one server, `urls:` for replicas");
            }
            let single = upstream.url.iter().map(|url| (key.field("url"), url));
            let several = upstream.urls.iter().enumerate().map(|(at, url)| (key.field("urls").index(at), url));
            for (key, url) in single.chain(several) {
                if let Err(message) = check_url(url) {
                    self.error("bad-url", &key, message, "for example http://127.0.0.1:8000/v1");
                }
            }
            let secret = upstream.api_key.as_ref().map(|reference| Secret::resolve(reference, self.base));
            if let Some(Err(message)) = secret {
                let hint = "set it before the start; a secret is ${env:NAME} or ${file:PATH}";
                self.error("missing-secret", &key.field("api_key"), message, hint);
            }
        }
    }
}

/// Accepts `http://host[:port][/path]` and `https://…`, nothing that would surprise at request time.
fn check_url(url: &str) -> Result<(), String> {
    let wrong = |why: &str| Err(format!("`{}` is not a usable URL: {why}", without_userinfo(url)));
    let Some((scheme, rest)) = url.split_once("://") else { return wrong("it has no scheme") };
    if !matches!(scheme, "http" | "https") {
        return wrong("only http and https are spoken");
    }
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return wrong("a credential in it would show in logs; use `api_key`");
    }
    if rest.contains(['?', '#', ' ', '\\']) {
        return wrong("it has a query, a fragment or a space");
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

/// What stands before an `@` may be a password: it is not repeated.
fn without_userinfo(url: &str) -> String {
    match (url.find("://"), url.find('@')) {
        (Some(scheme), Some(at)) if scheme < at => format!("{}://…{}", &url[..scheme], &url[at..]),
        _ => url.to_owned(),
    }
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
        assert!(!check_url("http://user:hush@x").expect_err("refused").contains("hush"));
    }
}
