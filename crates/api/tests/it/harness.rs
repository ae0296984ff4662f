//! A server under test, and clients of it. The only part that is not the product's own is the
//! gateway, which stands for nodes: byte streams that echo, and progress that tests set.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use novacron_api::gateway::{ByteStream, Content, Duplex};
use novacron_api::{ApiConfig, Gateway, ServerHandle};
use novacron_model::catalogue::{Catalogue, CatalogueEntry};
use novacron_model::figures::{Hour, Reading};
use novacron_model::image::Uploaded;
use novacron_model::node::NodeSpec;
use novacron_model::request::{ExecRequest, ExecResult, LogSource};
use novacron_model::task::Live;
use novacron_model::volume::DiskFormat;
use novacron_model::{DataKey, Error, Image, Name, Object, Result, Time, Vm, Volume};
use novacron_store::{MemStore, Store};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::watch;
use uuid::Uuid;

pub struct Server {
    pub handle: Option<ServerHandle>,
    pub store: Arc<MemStore>,
    pub gateway: Arc<Node>,
    pub data: tempfile::TempDir,
    pub address: SocketAddr,
    /// Secret of a token that is valid.
    pub token: String,
    client: Client,
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub async fn start_with(change: impl FnOnce(&mut ApiConfig)) -> Self {
        let store = Arc::new(MemStore::new());
        let txn = novacron_control::bootstrap(
            &store.snapshot(),
            Time(1_700_000_000_000),
            &mut Uuid::now_v7,
        );
        store.commit(txn.unwrap()).await.unwrap();
        Self::start_on(store, change).await
    }

    pub async fn start_on(store: Arc<MemStore>, change: impl FnOnce(&mut ApiConfig)) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut config = ApiConfig::new(data.path(), "n1", DataKey::new([7; 32]));
        config.listen = vec!["127.0.0.1:0".parse().unwrap()];
        config.readiness.set(true);
        change(&mut config);
        let gateway = Arc::new(Node::default());
        let handle = novacron_api::serve(config, store.clone(), gateway.clone()).await.unwrap();
        let address = handle.addresses[0];
        let client = Client::new();
        let mut server = Self {
            handle: Some(handle),
            store,
            gateway,
            data,
            address,
            token: String::new(),
            client,
        };
        server.token = server.new_token(&format!("t{}", Uuid::now_v7().simple())).await;
        server
    }

    /// Creates a token over the unix socket; gives its secret.
    pub async fn new_token(&self, name: &str) -> String {
        let made = self
            .local()
            .post("http://localhost/v1/tokens")
            .json(&json!({ "meta": { "name": name }, "spec": {} }))
            .send()
            .await
            .unwrap();
        // A server that is not ready makes none.
        let made: Value = made.json().await.unwrap();
        made["secret"].as_str().unwrap_or_default().to_owned()
    }

    /// Makes a node of this name known.
    pub async fn register(&self, name: &str) {
        let (at, spec) = (self.store.snapshot(), NodeSpec::default());
        let name = Name::new(name).unwrap();
        let txn = novacron_control::node::register(&at, Time(0), Uuid::now_v7(), &name, spec);
        self.store.commit(txn.unwrap()).await.unwrap();
    }

    /// A client of the unix socket.
    pub fn local(&self) -> Client {
        let path = self.handle.as_ref().unwrap().socket.clone();
        Client::builder().unix_socket(path).build().unwrap()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(&self.token)
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(&body).send().await.unwrap()).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::PATCH, path).json(&body).send().await.unwrap()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path).send().await.unwrap()).await
    }

    /// Creates a network, which needs nothing else.
    pub async fn network(&self, name: &str, labels: Value) -> Value {
        let body = json!({ "meta": { "name": name, "labels": labels }, "spec": {} });
        self.post(NETWORKS, body).await.expect(StatusCode::CREATED)
    }

    /// Opens a stream of server-sent events.
    pub async fn sse(&self, path: &str) -> Sse {
        Sse::of(self.request(Method::GET, path).send().await.unwrap())
    }

    pub async fn shutdown(&mut self) {
        self.handle.take().unwrap().shutdown().await;
    }
}

pub const NETWORKS: &str = "/v1/projects/default/networks";
pub const VMS: &str = "/v1/projects/default/vms";

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    pub async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        Self { status, headers, body: serde_json::from_slice(&bytes).unwrap_or_default() }
    }

    /// The body, if the status is as expected.
    #[track_caller]
    pub fn expect(self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// Checks that this is a problem with a status and a field at fault.
    #[track_caller]
    pub fn problem(&self, status: u16, field: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert!(self.body["detail"].as_str().is_some_and(|text| !text.is_empty()));
        assert_eq!(self.body["field"].as_str().unwrap_or_default(), field, "{}", self.body);
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

pub const PATIENCE: Duration = Duration::from_mins(1);

/// A stream of server-sent events under way.
pub struct Sse {
    bytes: futures::stream::BoxStream<'static, reqwest::Result<Bytes>>,
    buffer: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub name: String,
    pub id: Option<u64>,
    pub data: Value,
}

impl Sse {
    pub fn of(response: Response) -> Self {
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { bytes: response.bytes_stream().boxed(), buffer: String::new() }
    }

    /// The next event; `None` when the stream has ended. Panics when nothing comes.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some(end) = self.buffer.find("\n\n") {
                let block: String = self.buffer.drain(..end + 2).collect();
                if let Some(event) = parse(&block) {
                    return Some(event);
                }
            }
            match tokio::time::timeout(PATIENCE, self.bytes.next()).await.expect("no event came") {
                None | Some(Err(_)) => return None,
                Some(Ok(bytes)) => self.buffer.push_str(std::str::from_utf8(&bytes).unwrap()),
            }
        }
    }

    /// Skips to the next event of a name.
    pub async fn until(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().await.expect("the stream ended");
            if event.name == name {
                return event;
            }
        }
    }
}

fn parse(block: &str) -> Option<Event> {
    let mut event = Event { name: String::new(), id: None, data: Value::Null };
    for line in block.lines() {
        match line.split_once(": ") {
            Some(("event", name)) => name.clone_into(&mut event.name),
            Some(("id", id)) => event.id = id.parse().ok(),
            Some(("data", data)) => event.data = serde_json::from_str(data).unwrap(),
            _ => {}
        }
    }
    (!event.name.is_empty()).then_some(event)
}

/// Polls until `holds` gives a value.
pub async fn eventually<T>(mut holds: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = holds().await {
            return value;
        }
        assert!(Instant::now() < deadline, "it never came true");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Stands for the nodes.
pub struct Node {
    pub live: Mutex<HashMap<Uuid, Live>>,
    pub moved: watch::Sender<u64>,
    pub uploaded: Mutex<Vec<u8>>,
    /// By name of the VM or node.
    pub readings: Mutex<HashMap<String, Reading>>,
    pub hours: Mutex<HashMap<String, Hour>>,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            live: Mutex::default(),
            moved: watch::Sender::new(0),
            uploaded: Mutex::default(),
            readings: Mutex::default(),
            hours: Mutex::default(),
        }
    }
}

#[async_trait]
impl Gateway for Node {
    async fn serial(&self, _vm: &Object<Vm>, _replay: u64) -> Result<Box<dyn Duplex>> {
        let (ours, theirs) = tokio::io::duplex(4096);
        tokio::spawn(async move {
            let (mut read, mut write) = tokio::io::split(theirs);
            tokio::io::copy(&mut read, &mut write).await.ok();
        });
        Ok(Box::new(ours))
    }

    async fn screen(&self, vm: &Object<Vm>) -> Result<Box<dyn Duplex>> {
        self.serial(vm, 0).await
    }

    async fn log(
        &self,
        _vm: &Object<Vm>,
        _source: LogSource,
        tail: u64,
        follow: bool,
    ) -> Result<ByteStream> {
        Ok(log("booted\n", tail, follow))
    }

    async fn node_log(
        &self,
        node: &Object<novacron_model::Node>,
        tail: u64,
        follow: bool,
    ) -> Result<ByteStream> {
        Ok(log(&format!("{} woke\n", node.meta.name), tail, follow))
    }

    async fn exec(&self, _vm: &Object<Vm>, exec: ExecRequest) -> Result<ExecResult> {
        let stdout = exec.argv.join(" ");
        Ok(ExecResult { exit_code: 3, stdout, stderr: String::new(), truncated: false })
    }

    async fn push(&self, _vm: &Object<Vm>, _path: &str, content: ByteStream) -> Result<()> {
        *self.uploaded.lock().unwrap() = collect(content).await?;
        Ok(())
    }

    async fn pull(&self, _vm: &Object<Vm>, path: &str) -> Result<ByteStream> {
        if path == "/absent" {
            return Err(Error::not_found("file", path));
        }
        let content = self.uploaded.lock().unwrap().clone();
        Ok(futures::stream::iter([Ok(Bytes::from(content))]).boxed())
    }

    async fn export_volume(
        &self,
        volume: &Object<Volume>,
        snapshot: Option<&str>,
        into: DiskFormat,
    ) -> Result<Content> {
        let (name, format) = (volume.name(), into.as_str());
        let text = format!("{name} at {} as {format}", snapshot.unwrap_or("present"));
        let bytes = Bytes::from(text);
        let size = bytes.len() as u64;
        Ok(Content { size, bytes: futures::stream::iter([Ok(bytes)]).boxed() })
    }

    async fn export_vm(&self, vm: &Object<Vm>, snapshot: Option<&str>) -> Result<Content> {
        let bytes = Bytes::from(format!("{} at {}", vm.name(), snapshot.unwrap_or("present")));
        let size = bytes.len() as u64;
        Ok(Content { size, bytes: futures::stream::iter([Ok(bytes)]).boxed() })
    }

    async fn upload(
        &self,
        _image: &Object<Image>,
        _length: Option<u64>,
        content: ByteStream,
    ) -> Result<()> {
        *self.uploaded.lock().unwrap() = collect(content).await?;
        Ok(())
    }

    async fn upload_file(&self, _image: &Object<Image>, mut file: std::fs::File) -> Result<()> {
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut file, &mut content).unwrap();
        *self.uploaded.lock().unwrap() = content;
        Ok(())
    }

    async fn upload_part(
        &self,
        _image: &Object<Image>,
        offset: u64,
        total: u64,
        mut content: ByteStream,
    ) -> Result<Uploaded> {
        let here = self.uploaded.lock().unwrap().len() as u64;
        if offset != here {
            let error = Error::conflict(format!("{here} bytes have arrived, not {offset}"));
            return Err(error.at("Upload-Offset"));
        }
        while let Some(chunk) = content.next().await {
            self.uploaded.lock().unwrap().extend_from_slice(&chunk?);
        }
        let offset = novacron_model::Bytes(self.uploaded.lock().unwrap().len() as u64);
        Ok(Uploaded { offset, complete: offset.0 == total })
    }

    async fn uploaded(&self, _image: &Object<Image>) -> Result<Uploaded> {
        let offset = novacron_model::Bytes(self.uploaded.lock().unwrap().len() as u64);
        Ok(Uploaded { offset, complete: false })
    }

    async fn catalogue(&self) -> Result<Catalogue> {
        let entry = CatalogueEntry {
            name: "debian/12".to_owned(),
            os: "Debian 12".to_owned(),
            url: "https://example.org/debian.qcow2".to_owned(),
            sums: Some("https://example.org/SHA512SUMS".to_owned()),
            sha256: None,
        };
        Ok(Catalogue { items: vec![entry] })
    }

    async fn vm_hour(&self, vm: &Object<Vm>, from: Time) -> Result<Hour> {
        Ok(self.hour(&vm.meta.name, from))
    }

    async fn vm_readings(&self, vms: &[Object<Vm>]) -> Vec<Reading> {
        vms.iter().map(|vm| self.reading(&vm.meta.name)).collect()
    }

    async fn node_hour(&self, node: &Object<novacron_model::Node>, from: Time) -> Result<Hour> {
        Ok(self.hour(&node.meta.name, from))
    }

    async fn node_readings(&self, nodes: &[Object<novacron_model::Node>]) -> Vec<Reading> {
        nodes.iter().map(|node| self.reading(&node.meta.name)).collect()
    }

    fn live(&self, target: Uuid) -> Option<Live> {
        self.live.lock().unwrap().get(&target).cloned()
    }

    fn live_changes(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }
}

impl Node {
    fn hour(&self, name: &str, from: Time) -> Hour {
        let mut hour = self.hours.lock().unwrap().get(name).cloned().unwrap_or_default();
        hour.points.retain(|point| point.time >= from);
        hour
    }

    fn reading(&self, name: &str) -> Reading {
        self.readings.lock().unwrap().get(name).cloned().unwrap_or_default()
    }
}

/// Three times the line, and no end for who follows.
fn log(line: &str, tail: u64, follow: bool) -> ByteStream {
    let text = line.repeat(3).into_bytes();
    let from = text.len().saturating_sub(usize::try_from(tail).unwrap());
    let first = futures::stream::iter([Ok(Bytes::copy_from_slice(&text[from..]))]);
    if follow { first.chain(futures::stream::pending()).boxed() } else { first.boxed() }
}

async fn collect(mut content: ByteStream) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(chunk) = content.next().await {
        all.extend_from_slice(&chunk?);
    }
    Ok(all)
}
