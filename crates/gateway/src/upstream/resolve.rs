//! Resolve: from a name to addresses, and no worse than the last time when the resolver fails (F-033).
//!
//! A resolver that fails says nothing about the servers behind the name: whoever was there a moment ago is still asked, and
//! refuses where it is gone.
//!
//! # Invariants
//! - `NAME-1`: once a name had addresses it always has: an error, an empty answer or a silence changes nothing (UP-19).
//! - `NAME-2`: at most 64 addresses are kept of a name, and they are asked for again when they are five seconds old.

use std::{
    collections::BTreeMap,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
    vec,
};

use hyper_util::client::legacy::connect::dns::Name;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};
use tower_service::Service;

/// Addresses of a name that are kept.
const MOST: usize = 64;
/// Younger ones are not asked for again, whatever lifetime their server gives them.
const FRESH: Duration = Duration::from_secs(5);

/// Resolves names, remembers what it learned, and does not wait for ever. A thread that the system's resolver holds stays
/// held until that gives up.
#[derive(Clone)]
pub(super) struct Resolver<R> {
    inner: R,
    most: Duration,
    fresh: Duration,
    known: Arc<Mutex<BTreeMap<String, Known>>>,
}

/// The addresses of a name, and when they were learned.
#[derive(Clone, Debug)]
struct Known {
    at: Instant,
    addresses: Vec<SocketAddr>,
}

impl<R> Resolver<R> {
    /// Gives an answer of `inner` at most so much time.
    pub(super) fn new(inner: R, most: Duration) -> Self {
        Self { inner, most, fresh: FRESH, known: Arc::default() }
    }
}

impl<R> Service<Name> for Resolver<R>
where
    R: Service<Name, Error = io::Error>,
    R::Response: Iterator<Item = SocketAddr> + Send,
    R::Future: Send + 'static,
{
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let key = name.as_str().to_owned();
        let last = self.known.lock().get(&key).cloned();
        if let Some(Known { addresses, .. }) = last.as_ref().filter(|it| it.at.elapsed() < self.fresh) {
            let addresses = addresses.clone().into_iter();
            return Box::pin(async move { Ok(addresses) });
        }
        let (resolving, known) = (timeout(self.most, self.inner.call(name)), self.known.clone());
        Box::pin(async move {
            let told = resolving.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            let told = told.map(|addresses| addresses.take(MOST).collect::<Vec<_>>());
            match (told, last) {
                (Ok(addresses), _) if !addresses.is_empty() => {
                    known.lock().insert(key, Known { at: Instant::now(), addresses: addresses.clone() });
                    Ok(addresses.into_iter())
                }
                (_, Some(last)) => {
                    tracing::warn!(target: "evenkeel::upstream", name = key, "no answer to a name, its last addresses are used");
                    Ok(last.addresses.into_iter())
                }
                (Ok(_), None) => Err(io::ErrorKind::NotFound.into()),
                (Err(error), None) => Err(error),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// A resolver that says what it was told to say, in turn, and then nothing.
    #[derive(Clone, Default)]
    struct Script(Arc<Mutex<VecDeque<Said>>>);

    type Said = io::Result<Vec<SocketAddr>>;

    impl Service<Name> for Script {
        type Response = vec::IntoIter<SocketAddr>;
        type Error = io::Error;
        type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Name) -> Self::Future {
            match self.0.lock().pop_front() {
                Some(said) => Box::pin(std::future::ready(said.map(Vec::into_iter))),
                None => Box::pin(std::future::pending()),
            }
        }
    }

    fn hosts(count: u8) -> Vec<SocketAddr> {
        (0..count).map(|n| SocketAddr::from(([127, 0, 0, n], 80))).collect()
    }

    async fn asked(resolver: &mut Resolver<Script>) -> Option<usize> {
        let name = "models.invalid".parse().expect("a name");
        resolver.call(name).await.ok().map(Iterator::count)
    }

    #[tokio::test]
    async fn up_19_f_033_what_was_learned_outlives_every_failure_of_the_resolver() {
        let script = Script::default();
        let mut resolver = Resolver::new(script.clone(), Duration::from_millis(10));
        assert_eq!(asked(&mut resolver).await, None, "never resolved, and the resolver is silent");
        script.0.lock().push_back(Err(io::ErrorKind::NotFound.into()));
        assert_eq!(asked(&mut resolver).await, None, "never resolved");
        script.0.lock().push_back(Ok(hosts(2)));
        assert_eq!(asked(&mut resolver).await, Some(2));
        assert_eq!(asked(&mut resolver).await, Some(2), "it is fresh: nobody is asked");
        resolver.fresh = Duration::ZERO;
        let failures: [Said; 2] = [Err(io::ErrorKind::NotFound.into()), Ok(hosts(0))];
        for failure in failures {
            script.0.lock().push_back(failure);
            assert_eq!(asked(&mut resolver).await, Some(2), "NAME-1");
        }
        assert_eq!(asked(&mut resolver).await, Some(2), "NAME-1: no answer in time");
        script.0.lock().push_back(Ok(hosts(200)));
        assert_eq!(asked(&mut resolver).await, Some(MOST), "NAME-2");
    }
}
