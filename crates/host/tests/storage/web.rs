//! A web server that misbehaves as told.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::StreamExt;
use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_RANGE, LOCATION, RANGE};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

#[derive(Clone)]
pub struct Web {
    pub address: SocketAddr,
    state: Arc<State>,
}

pub struct State {
    pub content: Bytes,
    /// Bytes after which each connection breaks.
    pub cut: Option<usize>,
    /// Honours ranges.
    pub ranges: bool,
    pub etag: bool,
    /// Serves this status as long as it is asked fewer times.
    pub busy: usize,
    /// The content changes after so many requests.
    pub change_at: Option<usize>,
    pub requests: AtomicUsize,
    pub partial: AtomicUsize,
}

impl State {
    pub fn new(content: Vec<u8>) -> Self {
        Self {
            content: content.into(),
            cut: None,
            ranges: true,
            etag: true,
            busy: 0,
            change_at: None,
            requests: AtomicUsize::new(0),
            partial: AtomicUsize::new(0),
        }
    }
}

type Body = BoxBody<Bytes, std::io::Error>;

impl Web {
    pub async fn start(state: State) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let web = Self { address: listener.local_addr().unwrap(), state: Arc::new(state) };
        let server = web.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                let service = service_fn(move |request| {
                    let answer = server.answer(&request);
                    async move { Ok::<_, Infallible>(answer) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        web
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn requests(&self) -> usize {
        self.state.requests.load(Ordering::SeqCst)
    }

    /// Requests that were answered with a part.
    pub fn partial(&self) -> usize {
        self.state.partial.load(Ordering::SeqCst)
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Body> {
        let state = &*self.state;
        let number = state.requests.fetch_add(1, Ordering::SeqCst);
        if number < state.busy {
            return empty(StatusCode::SERVICE_UNAVAILABLE);
        }
        match request.uri().path() {
            "/image" => self.image(request, number),
            "/away" => redirect("/image"),
            "/loop" => redirect("/loop"),
            "/file" => redirect("file:///etc/passwd"),
            _ => empty(StatusCode::NOT_FOUND),
        }
    }

    fn image(&self, request: &Request<Incoming>, number: usize) -> Response<Body> {
        let state = &*self.state;
        let mut content = state.content.clone();
        let mut etag = "\"one\"";
        if state.change_at.is_some_and(|at| number >= at) {
            content = content.iter().map(|byte| !byte).collect::<Vec<_>>().into();
            etag = "\"two\"";
        }
        let total = content.len();
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let start: Option<usize> = header(RANGE)
            .filter(|_| state.ranges && header(IF_RANGE) == Some(etag))
            .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        let mut response = Response::builder();
        if state.etag {
            response = response.header(ETAG, etag);
        }
        if let Some(start) = start {
            state.partial.fetch_add(1, Ordering::SeqCst);
            content = content.slice(start..);
            let range = format!("bytes {start}-{}/{total}", total - 1);
            response = response.status(StatusCode::PARTIAL_CONTENT).header(CONTENT_RANGE, range);
        }
        response = response.header(CONTENT_LENGTH, content.len());
        response.body(body(&content, state.cut)).unwrap()
    }
}

/// In small frames; breaks after `cut` bytes.
fn body(content: &Bytes, cut: Option<usize>) -> Body {
    let end = cut.unwrap_or(content.len()).min(content.len());
    let mut frames: Vec<Result<_, std::io::Error>> = content[..end]
        .chunks(16 << 10)
        .map(|part| Ok(Frame::data(Bytes::copy_from_slice(part))))
        .collect();
    if end < content.len() {
        frames.push(Err(std::io::Error::other("cut")));
    }
    let paced = futures::stream::iter(frames).then(|frame| async {
        // so that what was sent before a break is seen on the other side
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        frame
    });
    BodyExt::boxed(StreamBody::new(paced.boxed_sync()))
}

fn empty(status: StatusCode) -> Response<Body> {
    Response::builder().status(status).body(body(&Bytes::new(), None)).unwrap()
}

fn redirect(to: &str) -> Response<Body> {
    let response = Response::builder().status(StatusCode::FOUND).header(LOCATION, to);
    response.body(body(&Bytes::new(), None)).unwrap()
}

trait BoxedSync: futures::Stream + Sized {
    fn boxed_sync(self) -> std::pin::Pin<Box<dyn futures::Stream<Item = Self::Item> + Send + Sync>>
    where
        Self: Send + Sync + 'static,
    {
        Box::pin(self)
    }
}

impl<S: futures::Stream> BoxedSync for S {}
