//! What every resource does: create, read, patch, delete, verbs; preconditions and idempotency.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Answer, NETWORKS, Server, VMS};

#[tokio::test(flavor = "multi_thread")]
async fn a_vm_is_created_read_and_changed() {
    let server = Server::start().await;
    let draft = json!({
        "meta": { "name": "web", "labels": { "tier": "front" } },
        "spec": { "cpus": 1, "cloud_init": { "password": "hunter2" } },
    });
    let made = server.post(VMS, draft).await;
    assert_eq!(made.header("location"), format!("{VMS}/web"));
    let task = made.header("novacron-task").to_owned();
    let etag = made.header("etag").to_owned();
    let vm = made.expect(StatusCode::CREATED);
    assert_eq!(etag, format!("\"{}\"", vm["meta"]["revision"]));
    assert_eq!(vm["spec"]["cloud_init"]["password"], json!({ "set": true }));
    assert_eq!(vm["meta"]["owner"].as_str().unwrap().split(' ').next(), Some("token"));

    let read = server.get(&format!("{VMS}/web")).await;
    assert_eq!(read.header("etag"), etag);
    assert_eq!(read.expect(StatusCode::OK), vm);
    let followed = server.get(&format!("/v1/projects/default/tasks/{task}")).await;
    assert_eq!(followed.expect(StatusCode::OK)["spec"]["target"]["uid"], vm["meta"]["uid"]);

    let secret = json!({ "cloud_init": { "password": { "set": true } }, "cpus": 2 });
    let patch = json!({ "spec": secret, "meta": { "labels": { "tier": null, "a": "b" } } });
    let patched = server.patch(&format!("{VMS}/web"), patch).await.expect(StatusCode::OK);
    assert_eq!(patched["spec"]["cpus"], 2);
    assert_eq!(patched["meta"]["labels"], json!({ "a": "b" }));
    let key = format!("vm/{}/web", project_uid(&server).await);
    let at = novacron_store::Store::snapshot(&*server.store);
    let stored = at.get(&key).unwrap().value.get().to_owned();
    assert!(stored.contains("sealed") && !stored.contains("hunter2"), "{stored}");

    server.get(&format!("{VMS}/absent")).await.problem(404, "");
    server
        .post(VMS, json!({ "meta": { "name": "web" }, "spec": {} }))
        .await
        .problem(409, "meta.name");
    server
        .patch(&format!("{VMS}/web"), json!({ "meta": { "name": "x" } }))
        .await
        .problem(422, "meta.name");
    server.patch(&format!("{VMS}/web"), json!({ "status": {} })).await.problem(400, "status");
}

async fn project_uid(server: &Server) -> String {
    let project = server.get("/v1/projects/default").await.expect(StatusCode::OK);
    project["meta"]["uid"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn if_match_guards_against_lost_updates() {
    let server = Server::start().await;
    let made = server.network("lan", json!({})).await;
    let path = format!("{NETWORKS}/lan");
    let send = async |method: Method, tag: &str, label: &str| {
        let body = json!({ "meta": { "labels": { "by": label } } });
        let request = server.request(method, &path).header("if-match", tag).json(&body);
        Answer::of(request.send().await.unwrap()).await
    };
    let first = format!("\"{}\"", made["meta"]["revision"]);
    let changed = send(Method::PATCH, &first, "one").await;
    assert_eq!(changed.status, StatusCode::OK);
    send(Method::PATCH, &first, "two").await.problem(412, "");
    send(Method::DELETE, &first, "").await.problem(412, "");
    send(Method::PATCH, "W/\"1\"", "x").await.problem(412, "");
    assert_eq!(send(Method::PATCH, "*", "three").await.status, StatusCode::OK);
    let newest = server.get(&path).await.header("etag").to_owned();
    assert_eq!(send(Method::DELETE, &newest, "").await.status, StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_without_if_match_all_get_through() {
    let server = Server::start().await;
    server.network("lan", json!({})).await;
    let path = format!("{NETWORKS}/lan");
    let writes = (0..16).map(|n| {
        let labels = json!({ (format!("l{n}")): "x" });
        server.patch(&path, json!({ "meta": { "labels": labels } }))
    });
    for answer in futures::future::join_all(writes).await {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }
    let labels = server.get(&path).await.body["meta"]["labels"].clone();
    assert_eq!(labels.as_object().unwrap().len(), 16);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_creation_gets_the_same_answer() {
    let mut server = Server::start().await;
    let send = async |server: &Server, key: &str, name: &str| {
        let body = json!({ "meta": { "name": name }, "spec": {} });
        let request = server.request(Method::POST, VMS).header("idempotency-key", key).json(&body);
        Answer::of(request.send().await.unwrap()).await
    };
    let both = futures::future::join(send(&server, "k1", "web"), send(&server, "k1", "web")).await;
    let first = both.0;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.body);
    let same = |again: &Answer| {
        assert_eq!(again.status, StatusCode::CREATED, "{}", again.body);
        assert_eq!(again.body["meta"]["uid"], first.body["meta"]["uid"]);
        assert_eq!(again.header("novacron-task"), first.header("novacron-task"));
        assert_eq!(again.header("location"), first.header("location"));
    };
    same(&both.1);
    send(&server, "k1", "other").await.problem(422, "Idempotency-Key");
    send(&server, "k2", "web").await.problem(409, "meta.name");
    send(&server, "", "x").await.problem(400, "Idempotency-Key");
    assert_eq!(server.get(VMS).await.body["items"].as_array().unwrap().len(), 1);

    // Another process on the same store, asked by the same caller.
    let (store, token) = (server.store.clone(), server.token.clone());
    server.shutdown().await;
    let mut second = Server::start_on(store, |_| {}).await;
    second.token = token;
    same(&send(&second, "k1", "web").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_token_request_does_not_show_the_secret_again() {
    let server = Server::start().await;
    let send = async || {
        let body = json!({ "meta": { "name": "ci" }, "spec": {} });
        let request = server.request(Method::POST, "/v1/tokens");
        let request = request.header("idempotency-key", "k").json(&body);
        Answer::of(request.send().await.unwrap()).await
    };
    assert!(send().await.expect(StatusCode::CREATED)["secret"].is_string());
    send().await.problem(409, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_says_what_goes_and_answers_with_the_task() {
    let server = Server::start().await;
    let disks = json!([{ "name": "root", "size": 1_048_576 }]);
    let draft = json!({ "meta": { "name": "web" }, "spec": { "disks": disks } });
    server.post(VMS, draft).await.expect(StatusCode::CREATED);
    let path = format!("{VMS}/web");
    let preview = server.delete(&format!("{path}?dry_run=true")).await.expect(StatusCode::OK);
    assert!(preview["goes"].to_string().contains("web-root"), "{preview}");
    assert_eq!(server.get(&path).await.body["meta"]["deleting"], Value::Null);
    let task = server.delete(&path).await.expect(StatusCode::ACCEPTED);
    assert_eq!(task["spec"]["action"], "delete");
    assert!(server.get(&path).await.body["meta"]["deleting"].is_string());
    let gone = server.delete("/v1/projects/default/networks/absent").await;
    gone.problem(404, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn verbs_answer_with_their_task() {
    let server = Server::start().await;
    let draft = json!({ "meta": { "name": "web" }, "spec": {} });
    server.post(VMS, draft).await.expect(StatusCode::CREATED);
    let path = format!("{VMS}/web");
    let started = server.post(&format!("{path}/start"), json!({})).await;
    let task = started.expect(StatusCode::ACCEPTED);
    assert_eq!(task["spec"]["action"], "start");
    assert_eq!(server.get(&path).await.body["spec"]["run"], "running");
    // No body is as good as an empty one, where nothing is required.
    let stop = server.request(Method::POST, &format!("{path}/stop")).send().await.unwrap();
    assert_eq!(stop.status(), StatusCode::ACCEPTED);
    server.post(&format!("{path}/stop"), json!({ "timeout": "1m" })).await.problem(400, "timeout");
    server.post(&format!("{path}/attach"), json!({})).await.problem(400, "volume");
    server.post(&format!("{path}/pause"), json!({})).await.problem(409, "");
    server.post(&format!("{path}/fly"), json!({})).await.problem(404, "");
    let cancel =
        format!("/v1/projects/default/tasks/{}/cancel", task["meta"]["name"].as_str().unwrap());
    let cancelled = server.post(&cancel, json!({})).await;
    assert!([202, 409].contains(&cancelled.status.as_u16()), "{}", cancelled.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_listed_newest_first() {
    let server = Server::start().await;
    for name in ["a", "b", "c"] {
        server.network(name, json!({})).await;
    }
    let path = "/v1/projects/default/events?limit=2";
    let first = server.get(path).await.expect(StatusCode::OK);
    let names = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|event| event["object"]["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&first), ["c", "b"]);
    let token = first["next_page_token"].as_str().unwrap();
    let next = server.get(&format!("{path}&page_token={token}")).await.expect(StatusCode::OK);
    assert_eq!(names(&next)[0], "a");
    let only = server.get("/v1/events?object=network/b&level=info").await.expect(StatusCode::OK);
    assert_eq!(names(&only), ["b"]);
    server.get("/v1/events?level=loud").await.problem(400, "level");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_system_and_its_metrics_are_told() {
    let server = Server::start().await;
    let system = server.get("/v1/system").await.expect(StatusCode::OK);
    assert_eq!(system["node"], "n1");
    assert!(system["revision"].as_u64().unwrap() > 0);
    let metrics = server.request(Method::GET, "/metrics").send().await.unwrap();
    let text = metrics.text().await.unwrap();
    assert!(text.contains("novacron_api_request_seconds_bucket"), "{text}");
    assert!(text.contains("route=\"/v1/system\""), "{text}");
}

#[tokio::test]
async fn a_node_that_has_not_reported_takes_no_order_for_its_guests() {
    let server = Server::start().await;
    server.register("n1").await;
    let path = "/v1/nodes/n1/stop-guests";
    server.post(path, json!({})).await.expect(StatusCode::SERVICE_UNAVAILABLE);
    server.post(path, json!({ "timeout": 90_000 })).await.expect(StatusCode::SERVICE_UNAVAILABLE);
    server.post("/v1/nodes/n1/start-guests", json!({})).await.expect(StatusCode::OK);
    let mutation = "mutation { startGuestsNode(name: \"n1\") { meta { name } } }";
    let done = server.post("/graphql", json!({ "query": mutation })).await.expect(StatusCode::OK);
    assert_eq!(done["data"]["startGuestsNode"]["meta"]["name"], "n1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_names_the_task_that_makes_it_real() {
    let server = Server::start().await;
    let volumes = "/v1/projects/default/volumes";
    let draft = json!({ "meta": { "name": "data" }, "spec": { "size": 1_u64 << 30 } });
    server.post(volumes, draft).await.expect(StatusCode::CREATED);
    let patch = async |size: u64| {
        let request = server.request(Method::PATCH, &format!("{volumes}/data"));
        let request = request.json(&json!({ "spec": { "size": size } }));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.headers().get("novacron-task").map(|task| task.to_str().unwrap().to_owned())
    };
    let task = patch(2 << 30).await.expect("a task");
    let task = server.get(&format!("/v1/projects/default/tasks/{task}")).await;
    assert_eq!(task.expect(StatusCode::OK)["spec"]["action"], "resize");
    assert_eq!(patch(2 << 30).await, None, "nothing changes");
}
