//! A server in this process: every request is recorded and answered by the test's own function.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

#[derive(Debug, Clone)]
pub struct Seen {
    pub method: Method,
    /// With its query.
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Seen {
    /// `GET /v1/…`
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

pub type Socket = WebSocketStream<TokioIo<Upgraded>>;
pub type Talk = Box<dyn FnOnce(Socket) -> BoxFuture<'static, ()> + Send>;

pub enum Reply {
    Json(u16, Vec<(&'static str, String)>, Value),
    Bytes(Vec<u8>),
    /// Bit by bit, until the sender is dropped.
    Stream(mpsc::UnboundedReceiver<Bytes>),
    /// The same, but then the connection breaks.
    Broken(Vec<u8>),
    WebSocket(Talk),
    Empty,
}

pub fn ok(value: Value) -> Reply {
    Reply::Json(200, vec![], value)
}

pub fn page(items: &Value) -> Reply {
    ok(json!({"items": items, "revision": 7}))
}

pub fn problem(status: u16, code: &str, detail: &str) -> Reply {
    Reply::Json(
        status,
        vec![],
        json!({"type": "about:blank", "title": "Title", "status": status, "code": code,
            "detail": detail, "field": "spec.memory", "hint": "do this"}),
    )
}

/// A stream of these server-sent events, which then ends.
pub fn events(events: &[(&str, Value)]) -> Reply {
    let (sender, receiver) = mpsc::unbounded_channel();
    for (name, data) in events {
        send(&sender, name, data);
    }
    Reply::Stream(receiver)
}

pub fn send(to: &mpsc::UnboundedSender<Bytes>, name: &str, data: &Value) {
    // The client may have gone, as it should after what it waited for.
    let _ = to.send(Bytes::from(format!("event: {name}\ndata: {data}\n\n")));
}

type Handler = dyn Fn(&Seen) -> Reply + Send + Sync;

#[derive(Clone)]
pub struct Shared {
    handler: Arc<Handler>,
    pub seen: Arc<Mutex<Vec<Seen>>>,
}

impl Shared {
    pub fn new(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self { handler: Arc::new(handler), seen: Arc::default() }
    }

    pub fn lines(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(Seen::line).collect()
    }

    /// The only request of this kind.
    pub fn only(&self, line: &str) -> Seen {
        let seen = self.seen.lock().unwrap();
        let mut found = seen.iter().filter(|seen| seen.line().starts_with(line));
        let first = found.next().unwrap_or_else(|| panic!("no {line} in {seen:#?}"));
        assert!(found.next().is_none(), "more than one {line} in {seen:#?}");
        first.clone()
    }

    /// Serves one connection until it ends.
    pub async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let service = service_fn(move |request| {
            let shared = self.clone();
            async move { Ok::<_, Infallible>(shared.answer(request).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        // How a connection ends is the client's business.
        let _ = connection.await;
    }

    async fn answer(&self, mut request: Request<Incoming>) -> Response<Body> {
        let upgrade = hyper::upgrade::on(&mut request);
        let (parts, body) = request.into_parts();
        let body =
            body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let path = parts.uri.to_string();
        let seen = Seen { method: parts.method, path, headers: parts.headers, body };
        self.seen.lock().unwrap().push(seen.clone());
        match (self.handler)(&seen) {
            Reply::WebSocket(talk) => {
                tokio::spawn(async move {
                    let io = TokioIo::new(upgrade.await.unwrap());
                    talk(WebSocketStream::from_raw_socket(io, Role::Server, None).await).await;
                });
                let key = seen.headers["sec-websocket-key"].as_bytes();
                Response::builder()
                    .status(101)
                    .header("connection", "upgrade")
                    .header("upgrade", "websocket")
                    .header("sec-websocket-accept", derive_accept_key(key))
                    .body(full(vec![]))
                    .unwrap()
            }
            reply => plain(reply),
        }
    }
}

type Body = BoxBody<Bytes, std::io::Error>;

fn full(bytes: Vec<u8>) -> Body {
    Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed()
}

fn plain(reply: Reply) -> Response<Body> {
    match reply {
        Reply::Json(status, headers, value) => {
            let builder = headers
                .into_iter()
                .fold(Response::builder().status(status), |builder, (name, value)| {
                    builder.header(name, value)
                });
            builder.body(full(value.to_string().into_bytes())).unwrap()
        }
        Reply::Bytes(bytes) => Response::new(full(bytes)),
        Reply::Stream(receiver) => {
            let frames = futures::stream::unfold(receiver, |mut receiver| async {
                let bytes = receiver.recv().await?;
                Some((Ok(Frame::data(bytes)), receiver))
            });
            Response::new(BodyExt::boxed(StreamBody::new(frames)))
        }
        Reply::Broken(bytes) => {
            let broken = Err(std::io::Error::other("planted"));
            let frames = futures::stream::iter([Ok(Frame::data(Bytes::from(bytes))), broken]);
            Response::new(BodyExt::boxed(StreamBody::new(frames)))
        }
        Reply::Empty => Response::builder().status(204).body(full(vec![])).unwrap(),
        Reply::WebSocket(_) => unreachable!("answered above"),
    }
}

/// A server on the unix socket of a data directory.
pub struct Server {
    pub shared: Shared,
    root: TempDir,
    pub data_dir: PathBuf,
}

impl Server {
    pub fn start(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_in(Path::new("data"), handler)
    }

    pub fn start_in(
        under: &Path,
        handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let root = tempfile::tempdir().unwrap();
        let data_dir = root.path().join(under);
        std::fs::create_dir_all(&data_dir).unwrap();
        // Bound under a short path: a socket address is 108 bytes long at most.
        let short = root.path().join("s");
        std::os::unix::fs::symlink(&data_dir, &short).unwrap();
        let listener = UnixListener::bind(short.join("api.sock")).unwrap();
        let shared = Shared::new(handler);
        let serving = shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        Self { shared, root, data_dir }
    }

    /// A place for the test's files, which is also the client's home.
    pub fn home(&self) -> &Path {
        self.root.path()
    }
}
