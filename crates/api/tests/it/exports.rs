//! Exports: files that stream out, and who may have them.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::harness::{Answer, Server, VMS};

const VOLUMES: &str = "/v1/projects/default/volumes";

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_is_exported_as_a_file_with_a_name() {
    let server = Server::start().await;
    let draft = json!({ "meta": { "name": "data" }, "spec": { "size": 1 << 20 } });
    server.post(VOLUMES, draft).await.expect(StatusCode::CREATED);
    let path = format!("{VOLUMES}/data/export");
    for (query, text, name) in [
        ("", "data at present as qcow2", "data.qcow2"),
        ("?format=raw", "data at present as raw", "data.raw"),
        ("?snapshot=before", "data at before as qcow2", "data-before.qcow2"),
        ("?snapshot=web.before&format=raw", "data at web.before as raw", "data-before.raw"),
    ] {
        let request = server.request(Method::GET, &format!("{path}{query}"));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-disposition"), format!("attachment; filename=\"{name}\""));
        assert_eq!(header("content-length"), text.len().to_string());
        assert_eq!(response.text().await.unwrap(), text);
    }
    for (query, field) in
        [("?format=vmdk", "format"), ("?snapshot=a/b", "snapshot"), ("?snapshot=", "snapshot")]
    {
        server.get(&format!("{path}{query}")).await.problem(400, field);
    }
    let draft = json!({ "meta": { "name": "web" }, "spec": {} });
    server.post(VMS, draft).await.expect(StatusCode::CREATED);
    let vm = format!("{VMS}/web/export");
    let response = server.request(Method::GET, &format!("{vm}?snapshot=before"));
    let response = response.send().await.unwrap();
    let name = response.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert_eq!(name, "attachment; filename=\"web-before.tar\"");
    assert_eq!(response.text().await.unwrap(), "web at before");
    server.get(&format!("{vm}?format=qcow2")).await.problem(400, "format");
    server.get(&format!("{VMS}/absent/export")).await.problem(404, "");
    let bare = server.anonymous(Method::GET, &vm).send().await.unwrap();
    Answer::of(bare).await.problem(401, "");
    server.get(&format!("{VOLUMES}/absent/export")).await.problem(404, "");
    let bare = server.anonymous(Method::GET, &path).send().await.unwrap();
    Answer::of(bare).await.problem(401, "");

    let query =
        json!({ "query": "{ volume(project: \"default\", name: \"data\") { exportUrl } }" });
    let answer = server.post("/graphql", query).await.expect(StatusCode::OK);
    assert_eq!(answer["data"]["volume"]["exportUrl"], path, "{answer}");
}
