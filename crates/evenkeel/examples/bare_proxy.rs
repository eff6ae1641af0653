//! A bare reverse proxy on hyper: the floor that a gateway in Rust can be measured against (`bench/proxy`).
//!
//! Usage: `bare_proxy LISTEN UPSTREAM`. It forwards bodies as they come, looks at nothing and decides nothing.

use std::{convert::Infallible, net::SocketAddr};

use http::{Request, Response, StatusCode, Uri};
use http_body_util::{Either, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Body = Either<Incoming, Full<bytes::Bytes>>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let listen: SocketAddr = arguments.next().unwrap_or_default().parse()?;
    let upstream = arguments.next().unwrap_or_default();
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<HttpConnector, Incoming> = Client::builder(TokioExecutor::new()).build(connector);
    let listener = tokio::net::TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (client, upstream) = (client.clone(), upstream.clone());
        #[expect(clippy::disallowed_methods, reason = "it is measured without a drain, until it is killed")]
        tokio::spawn(async move {
            let service = service_fn(move |request| forward(client.clone(), upstream.clone(), request));
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn forward(
    client: Client<HttpConnector, Incoming>,
    upstream: String,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path_and_query().map_or("/", |it| it.as_str());
    let answered = match format!("{upstream}{path}").parse::<Uri>() {
        Ok(uri) => {
            *request.uri_mut() = uri;
            request.headers_mut().remove(http::header::HOST);
            client.request(request).await.ok()
        }
        Err(_) => None,
    };
    Ok(answered.map_or_else(
        || {
            let mut bad = Response::new(Either::Right(Full::default()));
            *bad.status_mut() = StatusCode::BAD_GATEWAY;
            bad
        },
        |response| response.map(Either::Left),
    ))
}
