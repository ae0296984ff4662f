//! Bad input: each refusal is a problem that names what is wrong, and nothing has changed.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Answer, NETWORKS, Server, VMS};

async fn raw(server: &Server, path: &str, media: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = server.request(Method::POST, path).header("content-type", media).body(body);
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_json_are_refused() {
    let server = Server::start().await;
    let before = server.store.snapshot_revision();
    let json = "application/json";
    for bad in ["{", "nul", "{\"meta\":}", "\u{feff}{}", "{\"a\":1}x", "[1,2"] {
        raw(&server, VMS, json, bad).await.problem(400, "");
    }
    raw(&server, VMS, json, vec![0xff, 0xfe, 0x00]).await.problem(400, "");
    raw(&server, VMS, json, "").await.problem(400, "");
    for media in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        raw(&server, VMS, media, "{}").await.problem(415, "Content-Type");
    }
    assert_eq!(server.store.snapshot_revision(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_values_and_unknown_fields_are_named() {
    let server = Server::start().await;
    let before = server.store.snapshot_revision();
    let meta = json!({ "name": "web" });
    let cases: [(Value, u16, &str); 15] = [
        (json!({ "meta": meta }), 400, "spec"),
        (json!({ "spec": {} }), 400, "meta"),
        (json!([{ "name": "web" }, {}]), 400, ""),
        (json!({ "meta": meta, "spec": {}, "more": 1 }), 400, "more"),
        (json!({ "meta": { "name": "web", "uid": "x" }, "spec": {} }), 400, "meta.uid"),
        (json!({ "meta": meta, "spec": { "cpus": "2" } }), 400, "spec.cpus"),
        (json!({ "meta": meta, "spec": { "cpus": -1 } }), 400, "spec.cpus"),
        (json!({ "meta": meta, "spec": { "cpus": 1e99 } }), 400, "spec.cpus"),
        (json!({ "meta": meta, "spec": { "run": "flying" } }), 400, "spec.run"),
        (json!({ "meta": meta, "spec": { "disks": {} } }), 400, "spec.disks"),
        (json!({ "meta": meta, "spec": { "disks": [{ "name": 1 }] } }), 400, "spec.disks[0].name"),
        (json!({ "meta": meta, "spec": { "image": "../x" } }), 400, "spec.image"),
        (
            json!({ "meta": meta, "spec": { "cloud_init": { "password": { "sealed": "x" } } } }),
            422,
            "spec.cloud_init.password",
        ),
        (json!({ "meta": { "name": "../../etc" }, "spec": {} }), 422, "meta.name"),
        (json!({ "meta": meta, "spec": { "image": "absent" } }), 422, "spec.image"),
    ];
    for (body, status, field) in cases {
        server.post(VMS, body).await.problem(status, field);
    }
    assert_eq!(server.store.snapshot_revision(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn huge_and_deep_bodies_are_refused() {
    let server = Server::start().await;
    let huge = format!("{{\"meta\":{{\"name\":\"{}\"}}}}", "a".repeat(8 << 20));
    raw(&server, VMS, "application/json", huge).await.problem(413, "");
    for depth in [200, 100_000] {
        let deep = "[".repeat(depth) + &"]".repeat(depth);
        raw(&server, VMS, "application/json", deep).await.problem(400, "");
        let deep = "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth);
        raw(&server, VMS, "application/json", deep).await.problem(400, "");
    }
    assert_eq!(server.get(NETWORKS).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn path_tricks_find_nothing() {
    let server = Server::start().await;
    let names = ["..%2f..%2fetc", "%2e%2e", "a%00b", "%ff", "a%23runtime", "Web", "a%2Fb", "-a"];
    for name in names {
        let answer = server.get(&format!("{VMS}/{name}")).await;
        assert!([400, 404].contains(&answer.status.as_u16()), "{name}: {}", answer.status);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{name}");
        let answer = server.get(&format!("/v1/projects/{name}/vms")).await;
        assert!([400, 404].contains(&answer.status.as_u16()), "{name}: {}", answer.status);
    }
    server.get("/v1/projects/default/vms/a/b/c").await.problem(404, "");
    server.get("/v1/nothing").await.problem(404, "");
    server.get("/v1/projects/absent/vms").await.problem(404, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_methods_say_which_are_right() {
    let server = Server::start().await;
    for (path, allowed) in [
        (VMS, vec!["GET", "HEAD", "POST"]),
        ("/v1/system", vec!["GET", "HEAD"]),
        ("/v1/nodes", vec!["GET", "HEAD"]),
        ("/v1/nodes/n1", vec!["GET", "HEAD", "PATCH"]),
    ] {
        let answer = Answer::of(server.request(Method::PUT, path).send().await.unwrap()).await;
        answer.problem(405, "");
        let mut allow: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
        allow.sort_unstable();
        assert_eq!(allow, allowed, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_parameters_are_named() {
    let server = Server::start().await;
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=%2B5", "limit"),
        ("limit=x", "limit"),
        ("sort=size", "sort"),
        ("label=x", "label"),
        ("label=a%20b=c", "label"),
        ("watch=yes", "watch"),
        ("lable=a=b", "lable"),
        ("limit=1&limit=2", "limit"),
        ("from=-1&watch=true", "from"),
    ] {
        server.get(&format!("{NETWORKS}?{query}")).await.problem(400, field);
    }
    server.get(&format!("{NETWORKS}?page_token=x")).await.problem(422, "page_token");
    let picky = server.request(Method::GET, NETWORKS).header("accept", "image/png");
    Answer::of(picky.send().await.unwrap()).await.problem(406, "Accept");
}

trait Revision {
    fn snapshot_revision(&self) -> u64;
}

impl Revision for novacron_store::MemStore {
    fn snapshot_revision(&self) -> u64 {
        novacron_store::Store::snapshot(self).revision()
    }
}
