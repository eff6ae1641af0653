//! What must hold for `shared`.

use super::Checks;
use crate::{secret::within, tree::Key};

/// How an address is written that nothing is wrong with.
const FORM: &str = "write redis://HOST:PORT, rediss://USER:PASSWORD@HOST:PORT/DATABASE where it encrypts, or `none`";

/// What is wrong with an address, and how to mend it; neither shows any of it (SEC-1).
type Wrong = (&'static str, &'static str);

impl Checks<'_> {
    /// Where gateways keep answers together.
    pub(super) fn shared(&mut self) {
        let (file, key) = (self.file, Key::default().field("shared"));
        let ca = file.shared.as_ref().and_then(|it| it.ca());
        if let Some(ca) = ca {
            self.pem(&key.field("ca"), ca);
        }
        let at = key.field("url");
        let at = if self.report.is_written(&at) { at } else { key.clone() };
        let mut encrypted = false;
        if let Some(reference) = file.shared().filter(|_| !self.report.doubts(&at)) {
            encrypted = self.store(&at, reference);
            if file.routes.values().all(|route| route.cache.is_none()) {
                self.warning("no-effect", &key, "no route keeps answers", "give a route a `cache`, or remove it");
            }
        }
        if ca.is_some() && !encrypted {
            let message = "it changes nothing where the address does not begin with rediss";
            self.warning("no-effect", &key.field("ca"), message, "write rediss://, or remove it");
        }
    }

    /// Holds the address of a store against what is spoken; says whether it may be encrypted.
    fn store(&mut self, key: &Key, reference: &str) -> bool {
        if reference.is_empty() {
            // An address that is missing is told already.
            if !self.report.doubts(&Key::default().field("shared").field("url")) {
                self.error("bad-url", key, "it is empty", FORM);
            }
            return true;
        }
        if within(reference).is_none() && !reference.contains('@') {
            // Nothing in it is secret; it is taken along like one all the same.
            drop(self.outside.fetch_secret(reference));
        } else {
            self.secret(key, reference);
        }
        let Some(url) = self.outside.known_secret(reference) else { return true };
        let read = read(url.reveal());
        if let Err((message, hint)) = read {
            self.error("bad-url", key, message, hint);
        }
        read.unwrap_or(true)
    }
}

/// Reads `redis[s]://[[user]:password@]host[:port][/database]`; says whether it encrypts.
///
/// # Errors
/// What of it is not spoken, or would surprise once it is.
fn read(url: &str) -> Result<bool, Wrong> {
    let Some((scheme, rest)) = url.split_once("://") else { return Err(("it is no address of a Redis", FORM)) };
    let encrypted = match scheme {
        "redis" => false,
        "rediss" => true,
        "valkey" => return Err(("a Valkey is spoken to as a Redis is", "write redis:// in place of valkey://")),
        "valkeys" => return Err(("a Valkey is spoken to as a Redis is", "write rediss:// in place of valkeys://")),
        "unix" | "redis+unix" | "valkey+unix" | "redis+socket" => {
            let message =
                "a socket of this machine is not spoken to: what several gateways keep lies where each of them gets";
            return Err((message, FORM));
        }
        _ if scheme.contains("cluster") || scheme.contains("sentinel") => return Err(SEVERAL),
        _ => return Err(("it is no address of a Redis", FORM)),
    };
    // As whoever connects takes it apart: a password has no `/`, `?` or `#` but as %2F, %3F and %23.
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (credential, address) = match authority.rsplit_once('@') {
        Some((credential, address)) => (Some(credential), address),
        None => (None, authority),
    };
    credential.map_or(Ok(()), passes)?;
    place(address)?;
    database(path)?;
    Ok(encrypted)
}

/// More than one server.
const SEVERAL: Wrong = (
    "clusters and sentinels are not spoken to",
    "name one server, or a proxy that stands before the cluster; each gateway keeps its own answers without it, too",
);

/// Holds what stands before the `@`: `user:password` or `:password`.
fn passes(credential: &str) -> Result<(), Wrong> {
    match credential.split_once(':') {
        Some((_, password)) if !password.is_empty() => Ok(()),
        Some(_) => Err(("there is a `:` before the `@` of it, and no password", "write :PASSWORD@ or USER:PASSWORD@")),
        None => {
            Err(("there is a user in it, and no password", "write USER:PASSWORD@, or :PASSWORD@ for the default user"))
        }
    }
}

/// Holds a host and its port.
fn place(address: &str) -> Result<(), Wrong> {
    if address.contains(',') {
        return Err(SEVERAL);
    }
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (address, "6379"),
    };
    if host.is_empty() || !host.chars().all(|c| c.is_ascii_alphanumeric() || "-._[]:".contains(c)) {
        let hint =
            "write the name or the address of the server; in a password `/`, `?`, `#`, `@` are %2F, %3F, %23, %40";
        return Err(("it has no host", hint));
    }
    if matches!(host, "0.0.0.0" | "[::]") {
        return Err(("nothing can be reached at the address of every interface", "write the one that the server has"));
    }
    match port.parse::<u16>() {
        Ok(1..) => Ok(()),
        _ => Err(("its port is not a number from 1 to 65535", FORM)),
    }
}

/// Holds what follows the place: nothing, or the number of a database.
fn database(path: &str) -> Result<(), Wrong> {
    if path.contains("#insecure") {
        let message = "`#insecure` would believe everybody who says to be this server";
        return Err((message, "name its issuer: `shared: {url: rediss://…, ca: FILE}`"));
    }
    if path.contains(['?', '#']) {
        let hint = "remove it; in a password `?` is %3F, and `#` is %23";
        return Err(("it has no place for a query or a fragment", hint));
    }
    match path.strip_prefix('/') {
        None | Some("") => Ok(()),
        Some(number) if number.bytes().all(|it| it.is_ascii_digit()) && number.parse::<u16>().is_ok() => Ok(()),
        Some(_) => Err((
            "what follows its port is no number of a database",
            "for example redis://HOST:6379/2; in a password `/` is %2F",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn f_146_an_address_of_a_redis_is_told_from_others() {
        for url in ["redis://h", "redis://h:6379", "redis://127.0.0.1:1/3", "redis://:p@h:2/", "redis://u:p:q@[::1]:3"]
        {
            assert_eq!(read(url), Ok(false), "{url}");
        }
        for url in ["rediss://h", "rediss://u:p%2F@h-1.example:6380/15", "rediss://[::1]:3"] {
            assert_eq!(read(url), Ok(true), "{url}");
        }
        for (url, words) in [
            ("", "no address"),
            ("redis", "no address"),
            ("http://h", "no address"),
            ("REDIS://h", "no address"),
            ("redis://", "no host"),
            ("redis://a b", "no host"),
            ("redis://:p@", "no host"),
            ("redis://0.0.0.0:1", "every interface"),
            ("redis://h:0", "its port"),
            ("redis://h:x", "its port"),
            ("redis://h/x", "a database"),
            ("redis://h/+1", "a database"),
            ("redis://h/70000", "a database"),
            ("redis://h/1/2", "a database"),
            ("redis://h?protocol=3", "a query"),
            ("rediss://h/#insecure", "believe everybody"),
            ("redis://u@h", "no password"),
            ("redis://u:@h", "no password"),
            ("valkeys://h", "as a Redis is"),
            ("redis+unix:///run/redis.sock", "a socket"),
            ("unix:///run/redis.sock", "a socket"),
            ("redis-cluster://h", "clusters"),
            ("redis+sentinel://h/mymaster", "clusters"),
            ("redis://h:1,i:2", "clusters"),
        ] {
            let (message, _) = read(url).expect_err(url);
            assert!(message.contains(words), "{url}: {message}");
        }
    }
}
