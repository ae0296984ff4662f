//! Open files that clients hand over on the unix socket.

use std::fs::File;
use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use reqwest::{Method, StatusCode};
use rustix::cmsg_space;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde_json::json;

use crate::harness::{Answer, Server};

const IMAGES: &str = "/v1/projects/default/images";

struct Scene {
    server: Server,
    file: PathBuf,
}

impl Scene {
    /// A file with content, and an image that waits for it.
    async fn new() -> Self {
        let server = Server::start().await;
        let draft = json!({ "meta": { "name": "mine" }, "spec": { "source": { "upload": {} } } });
        server.post(IMAGES, draft).await.expect(StatusCode::CREATED);
        let file = server.data.path().join("file");
        std::fs::write(&file, "content").unwrap();
        Self { server, file }
    }

    fn connect(&self) -> UnixStream {
        UnixStream::connect(&self.server.handle.as_ref().unwrap().socket).unwrap()
    }

    fn uploaded(&self) -> Vec<u8> {
        std::mem::take(&mut *self.server.gateway.uploaded.lock().unwrap())
    }

    fn open(&self) -> File {
        File::open(&self.file).unwrap()
    }

    /// How many descriptors of this process lead to the file. Server and client are in one.
    fn held(&self) -> usize {
        let links = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        links.filter(|link| std::fs::read_link(link.path()).is_ok_and(|to| to == self.file)).count()
    }
}

/// Names an open file as the image's content.
async fn put(stream: UnixStream, from: &str, files: Vec<File>) -> (UnixStream, String) {
    let head = format!("Content-Length: 0\r\nUpload-From: {from}");
    ask(stream, format!("PUT {IMAGES}/mine/content"), head, files).await
}

/// Sends a request with these files beside it; returns the answer.
async fn ask(
    mut stream: UnixStream,
    line: String,
    head: String,
    files: Vec<File>,
) -> (UnixStream, String) {
    tokio::task::spawn_blocking(move || {
        let request = format!("{line} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\n");
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(3))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        let descriptors: Vec<_> = files.iter().map(AsFd::as_fd).collect();
        if !descriptors.is_empty() {
            assert!(beside.push(SendAncillaryMessage::ScmRights(&descriptors)));
        }
        let bytes = [IoSlice::new(request.as_bytes())];
        let sent = sendmsg(&stream, &bytes, &mut beside, SendFlags::empty()).unwrap();
        stream.write_all(&request.as_bytes()[sent..]).unwrap();
        let mut answer = String::new();
        // An object in JSON is the end of each answer.
        while !answer.ends_with('}') {
            let mut bytes = [0; 4096];
            let length = stream.read(&mut bytes).unwrap();
            assert!(length > 0, "{answer}");
            answer += str::from_utf8(&bytes[..length]).unwrap();
        }
        (stream, answer)
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_taken_once() {
    let scene = Scene::new().await;
    let (stream, answer) = put(scene.connect(), "descriptor", vec![scene.open()]).await;
    assert!(answer.contains(" 202 ") && answer.contains("import"), "{answer}");
    assert_eq!(scene.uploaded(), b"content");
    let (stream, answer) = put(stream, "descriptor", vec![]).await;
    assert!(answer.contains(" 422 ") && answer.contains("no open file came"), "{answer}");
    // Another one on the same connection.
    let (_stream, answer) = put(stream, "descriptor", vec![scene.open()]).await;
    assert!(answer.contains(" 202 "), "{answer}");
    assert_eq!((scene.uploaded().as_slice(), scene.held()), (&b"content"[..], 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_files_than_one_are_closed() {
    let scene = Scene::new().await;
    let files = vec![scene.open(), scene.open(), scene.open()];
    let (_stream, answer) = put(scene.connect(), "descriptor", files).await;
    assert!(answer.contains(" 202 "), "{answer}");
    assert_eq!((scene.uploaded().as_slice(), scene.held()), (&b"content"[..], 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_request_names_goes_with_the_connection() {
    let scene = Scene::new().await;
    let (stream, answer) = put(scene.connect(), "elsewhere", vec![scene.open()]).await;
    assert!(answer.contains(" 400 ") && answer.contains("Upload-From"), "{answer}");
    assert_eq!(scene.held(), 0);
    let session = "GET /v1/session".to_owned();
    let (stream, answer) = ask(stream, session, "Accept: */*".to_owned(), vec![scene.open()]).await;
    assert!(answer.contains(" 200 "), "{answer}");
    assert_eq!(scene.held(), 1);
    drop(stream);
    let gone = async {
        while scene.held() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), gone).await.unwrap();
    assert!(scene.uploaded().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_taken_on_the_socket_alone() {
    let scene = Scene::new().await;
    let request = scene.server.request(Method::PUT, &format!("{IMAGES}/mine/content"));
    let sent = request.header("Upload-From", "descriptor").send().await.unwrap();
    Answer::of(sent).await.problem(422, "Upload-From");
    assert!(Path::new(&scene.file).exists() && scene.uploaded().is_empty());
}
