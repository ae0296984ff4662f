//! What leads into guests and nodes: exec, files, logs, uploads.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::harness::{Answer, Server, VMS};

async fn with_vm() -> Server {
    let server = Server::start().await;
    let draft = json!({ "meta": { "name": "web" }, "spec": {} });
    server.post(VMS, draft).await.expect(StatusCode::CREATED);
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn exec_runs_a_program() {
    let server = with_vm().await;
    let path = format!("{VMS}/web/exec");
    let result = server.post(&path, json!({ "argv": ["uname", "-a"] })).await;
    let result = result.expect(StatusCode::OK);
    assert_eq!((&result["exit_code"], &result["stdout"]), (&json!(3), &json!("uname -a")));
    server.post(&path, json!({ "argv": [] })).await.problem(400, "argv");
    server.post(&path, json!({ "argv": "ls" })).await.problem(400, "argv");
    let absent = server.post(&format!("{VMS}/absent/exec"), json!({ "argv": ["a"] })).await;
    absent.problem(404, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_in_and_out_whole() {
    let server = with_vm().await;
    // Above the limit of JSON bodies: streams have none.
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let path = format!("{VMS}/web/files?path=/etc/x");
    let pushed = server.request(Method::PUT, &path).body(content.clone()).send().await.unwrap();
    assert_eq!(pushed.status(), StatusCode::NO_CONTENT);
    let pulled = server.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(pulled.bytes().await.unwrap(), content);
    server.get(&format!("{VMS}/web/files?path=/absent")).await.problem(404, "");
    let path = format!("{VMS}/web/files?path=C%3A%5Cx");
    let pulled = server.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(pulled.status(), StatusCode::OK, "a path of Windows");
    for bad in ["", "?path=etc", "?path=/a%00b", "?path=", "?path=C%3Ax"] {
        server.get(&format!("{VMS}/web/files{bad}")).await.problem(400, "path");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_show_their_end() {
    let server = with_vm().await;
    let get = async |query: &str| {
        let path = format!("{VMS}/web/logs{query}");
        server.request(Method::GET, &path).send().await.unwrap().text().await.unwrap()
    };
    assert_eq!(get("").await, "booted\nbooted\nbooted\n");
    assert_eq!(get("?tail=7&source=qemu").await, "booted\n");
    server.get(&format!("{VMS}/web/logs?source=moon")).await.problem(400, "source");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_shows_its_daemons_log() {
    let server = Server::start().await;
    server.register("n1").await;
    let open = async |query: &str| {
        let path = format!("/v1/nodes/n1/logs{query}");
        server.request(Method::GET, &path).send().await.unwrap()
    };
    let whole = open("").await;
    assert_eq!(whole.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(whole.text().await.unwrap(), "n1 woke\nn1 woke\nn1 woke\n");
    assert_eq!(open("?tail=8").await.text().await.unwrap(), "n1 woke\n");
    for (query, field) in
        [("?tail=-1", "tail"), ("?follow=maybe", "follow"), ("?source=qemu", "source")]
    {
        server.get(&format!("/v1/nodes/n1/logs{query}")).await.problem(400, field);
    }
    server.get("/v1/nodes/n2/logs").await.problem(404, "");
    let bare = server.anonymous(Method::GET, "/v1/nodes/n1/logs").send().await.unwrap();
    Answer::of(bare).await.problem(401, "");

    let query = json!({ "query": "{ node(name: \"n1\") { logsUrl } }" });
    let answer = server.post("/graphql", query).await.expect(StatusCode::OK);
    assert_eq!(answer["data"]["node"]["logsUrl"], "/v1/nodes/n1/logs", "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_followed_log_ends_with_the_token_that_opened_it() {
    let server = Server::start().await;
    server.register("n1").await;
    let secret = server.new_token("reader").await;
    let request = server.anonymous(Method::GET, "/v1/nodes/n1/logs?follow=true&tail=8");
    let mut log = request.bearer_auth(&secret).send().await.unwrap();
    assert_eq!(log.chunk().await.unwrap().unwrap(), "n1 woke\n");
    let revoked = server.request(Method::DELETE, "/v1/tokens/reader").send().await.unwrap();
    assert!(revoked.status().is_success(), "{}", revoked.status());
    assert_eq!(log.chunk().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_is_told_and_imported_from() {
    let server = Server::start().await;
    let listed = server.get("/v1/catalogue").await.expect(StatusCode::OK);
    assert_eq!(listed["items"][0]["name"], "debian/12");
    let query = json!({ "query": "{ catalogue { items { name url sums } } }" });
    let answer = server.post("/graphql", query).await.expect(StatusCode::OK);
    let url = "https://example.org/debian.qcow2";
    assert_eq!(answer["data"]["catalogue"]["items"][0]["url"], url, "{answer}");
    let images = "/v1/projects/default/images";
    let draft = |source: &str| json!({ "meta": { "name": "debian-12" }, "spec": { "source": { "catalogue": source } } });
    server.post(images, draft("debian")).await.problem(422, "spec.source.catalogue");
    server.post(images, draft("debian/12")).await.expect(StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_reaches_the_node_and_answers_with_the_import() {
    let server = Server::start().await;
    let images = "/v1/projects/default/images";
    let draft = json!({ "meta": { "name": "mine" }, "spec": { "source": { "upload": {} } } });
    server.post(images, draft).await.expect(StatusCode::CREATED);
    let content = vec![42_u8; 5 << 20];
    let request = server.request(Method::PUT, &format!("{images}/mine/content"));
    let answer = Answer::of(request.body(content.clone()).send().await.unwrap()).await;
    assert_eq!(answer.expect(StatusCode::ACCEPTED)["spec"]["action"], "import");
    assert_eq!(*server.gateway.uploaded.lock().unwrap(), content);
    // and in parts
    server.gateway.uploaded.lock().unwrap().clear();
    let path = format!("{images}/mine/content");
    let part = async |offset: usize, part: Vec<u8>| {
        let request = server.request(Method::PUT, &path).header("Upload-Offset", offset);
        let request = request.header("Upload-Length", content.len()).body(part);
        Answer::of(request.send().await.unwrap()).await
    };
    let (first, rest) = content.split_at(2 << 20);
    let answer = part(0, first.to_vec()).await.expect(StatusCode::OK);
    assert_eq!(answer, json!({ "offset": 2 << 20, "complete": false }));
    assert_eq!(server.get(&path).await.expect(StatusCode::OK), answer);
    part(7, vec![1]).await.problem(409, "Upload-Offset");
    let answer = part(2 << 20, rest.to_vec()).await.expect(StatusCode::ACCEPTED);
    assert_eq!(answer["spec"]["action"], "import");
    assert_eq!(*server.gateway.uploaded.lock().unwrap(), content);
    for (header, value, field) in
        [("Upload-Offset", "0", "Upload-Length"), ("Upload-Offset", "-1", "Upload-Offset")]
    {
        let request = server.request(Method::PUT, &path).header(header, value).body("x");
        Answer::of(request.send().await.unwrap()).await.problem(400, field);
    }
    let absent = server.request(Method::PUT, &format!("{images}/absent/content"));
    Answer::of(absent.send().await.unwrap()).await.problem(404, "");
}
