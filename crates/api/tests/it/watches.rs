//! Watches: everything once it happens, in order, without gaps; also after falling behind.

use std::collections::BTreeMap;

use novacron_model::task::{Live, step};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Event, NETWORKS, Server, Sse, VMS, eventually};

/// What a watcher believes, kept as the stream says.
#[derive(Default)]
struct Belief(BTreeMap<String, u64>);

impl Belief {
    fn hear(&mut self, event: &Event) {
        match event.name.as_str() {
            "object" => {
                let meta = &event.data["meta"];
                let name = meta["name"].as_str().unwrap().to_owned();
                self.0.insert(name, meta["revision"].as_u64().unwrap());
            }
            "gone" => {
                self.0.remove(event.data["name"].as_str().unwrap());
            }
            "reset" => self.0.clear(),
            _ => {}
        }
    }
}

async fn truth(server: &Server) -> BTreeMap<String, u64> {
    let page = server.get(&format!("{NETWORKS}?limit=1000")).await.expect(StatusCode::OK);
    let items = page["items"].as_array().unwrap().iter();
    let entry = |item: &Value| {
        let meta = &item["meta"];
        (meta["name"].as_str().unwrap().to_owned(), meta["revision"].as_u64().unwrap())
    };
    items.map(entry).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_lists_then_follows() {
    let server = Server::start().await;
    server.network("a", json!({})).await;
    let mut stream = server.sse(&format!("{NETWORKS}?watch=true")).await;
    let first = stream.next().await.unwrap();
    assert_eq!((first.name.as_str(), first.data["meta"]["name"].as_str()), ("object", Some("a")));
    let synced = stream.until("synced").await;
    assert_eq!(synced.id, synced.data["revision"].as_u64());
    let made = server.network("b", json!({})).await;
    let heard = stream.next().await.unwrap();
    assert_eq!(heard.data, made);
    assert_eq!(heard.id, made["meta"]["revision"].as_u64());
    server.delete(&format!("{NETWORKS}/b")).await;
    let gone = stream.next().await.unwrap();
    assert_eq!(gone.name, "gone");
    let named = json!({
        "kind": "network", "project": "default", "name": "b", "uid": made["meta"]["uid"],
    });
    assert_eq!(gone.data, named);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_resumes_where_it_was() {
    let server = Server::start().await;
    let mut stream = server.sse(&format!("{NETWORKS}?watch=true")).await;
    let seen = stream.until("synced").await.id.unwrap();
    drop(stream);
    server.network("a", json!({})).await;
    server.network("b", json!({})).await;
    for resumed in [
        server
            .request(Method::GET, &format!("{NETWORKS}?watch=true"))
            .header("last-event-id", seen),
        server.request(Method::GET, &format!("{NETWORKS}?watch=true&from={seen}")),
    ] {
        let mut stream = Sse::of(resumed.send().await.unwrap());
        for name in ["a", "b"] {
            assert_eq!(stream.next().await.unwrap().data["meta"]["name"], name);
        }
    }
    // A revision that never was: the store was made anew.
    let mut stream = server.sse(&format!("{NETWORKS}?watch=true&from=999999")).await;
    assert_eq!(stream.next().await.unwrap().name, "reset");
    stream.until("synced").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_watch_tells_who_leaves() {
    let server = Server::start().await;
    for name in ["a", "b"] {
        server.network(name, json!({ "tier": "x", "zone": "1" })).await;
    }
    let path = format!("{NETWORKS}?watch=true&label=tier=x&label=zone=1");
    let mut stream = server.sse(&path).await;
    stream.until("synced").await;
    server.network("unrelated", json!({})).await;
    for (name, label) in [("a", json!({ "tier": "y" })), ("b", json!({ "zone": "2" }))] {
        let change = json!({ "meta": { "labels": label } });
        server.patch(&format!("{NETWORKS}/{name}"), change).await.expect(StatusCode::OK);
        let gone = stream.next().await.unwrap();
        assert_eq!((gone.name.as_str(), gone.data["name"].as_str()), ("gone", Some(name)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_is_free_of_gaps_also_when_it_falls_behind() {
    let server = Server::start().await;
    let path = format!("{NETWORKS}?watch=true");
    let mut stream = server.sse(&path).await;
    let start = stream.until("synced").await.id.unwrap();
    // More than the store keeps, and more than the connection's buffers hold, unread.
    let padding = "x".repeat(4096);
    for n in 0..5000_u32 {
        let name = format!("n{}", n % 50);
        let object = format!("{NETWORKS}/{name}");
        if n % 7 == 6 {
            server.delete(&object).await;
        } else {
            let body =
                json!({ "meta": { "name": name, "annotations": { "n": padding } }, "spec": {} });
            if server.post(NETWORKS, body).await.status == StatusCode::CONFLICT {
                let change = json!({ "meta": { "annotations": { "at": n.to_string() } } });
                server.patch(&object, change).await;
            }
        }
    }
    let wanted = truth(&server).await;
    let mut belief = Belief::default();
    let mut reset = false;
    // The listing before `synced` was already read: hear the whole story from a fresh start too.
    let mut behind = server.sse(&format!("{path}&from={start}")).await;
    for (stream, told_reset) in [(&mut stream, &mut false), (&mut behind, &mut reset)] {
        belief.0 =
            BTreeMap::from([("user".to_owned(), belief.0.get("user").copied().unwrap_or(1))]);
        let end = *wanted.values().max().unwrap();
        loop {
            let event = stream.next().await.expect("the stream ended");
            *told_reset |= event.name == "reset";
            belief.hear(&event);
            let at_end = event.id.is_some_and(|id| id >= end);
            if at_end && belief.0 == wanted {
                break;
            }
        }
    }
    assert!(reset, "the history reached back: the test wrote too little");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stream_carries_kinds_events_and_progress() {
    let server = Server::start().await;
    let mut stream = server.sse("/v1/watch?kinds=vms,tasks,events").await;
    stream.until("synced").await;
    let draft = json!({ "meta": { "name": "web" }, "spec": {} });
    let vm = server.post(VMS, draft).await.expect(StatusCode::CREATED);
    let (mut kinds, mut told) = (Vec::new(), false);
    while kinds.len() < 2 || !told {
        let event = stream.next().await.unwrap();
        match event.name.as_str() {
            "object" => kinds.push(event.data["kind"].as_str().unwrap().to_owned()),
            "event" => told |= event.data["object"]["name"] == "web",
            _ => {}
        }
    }
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds, ["task", "vm"]);

    let uid = vm["meta"]["uid"].as_str().unwrap().parse().unwrap();
    let live = Live::at(step::START, 3, 7);
    server.gateway.live.lock().unwrap().insert(uid, live);
    server.gateway.moved.send_modify(|n| *n += 1);
    let event = stream.until("live").await;
    assert_eq!(
        event.data["live"],
        json!({ "step": "starting the guest", "number": 2, "of": 2, "done": 3, "total": 7, "log": [] })
    );
    let name = event.data["task"].as_str().unwrap();
    let task = server.get(&format!("/v1/projects/default/tasks/{name}")).await.body;
    assert_eq!(task["status"]["live"]["done"], 3);
    server.get("/v1/watch?kinds=dogs").await.problem(400, "kinds");
    server.get("/v1/watch?project=absent").await.problem(404, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_events_tells_what_its_list_would() {
    let server = Server::start().await;
    let events = "/v1/projects/default/events";
    let mut own = server.sse(&format!("{events}?watch=true")).await;
    let mut of_b = server.sse(&format!("{events}?watch=true&object=network/b")).await;
    // About no project.
    server.new_token("ci").await;
    server.network("a", json!({})).await;
    server.network("b", json!({})).await;
    let listed = server.get("/v1/events").await.body;
    assert!(listed["items"].to_string().contains("\"ci\""), "the token left an event: {listed}");
    let listed = server.get(events).await.body["items"].as_array().unwrap().clone();
    for event in listed.iter().rev() {
        assert_eq!(own.until("event").await.data["sequence"], event["sequence"]);
    }
    assert_eq!(of_b.until("event").await.data["object"]["name"], "b");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_ends_streams_and_frees_the_port() {
    let mut server = Server::start().await;
    let mut stream = server.sse("/v1/watch").await;
    stream.until("synced").await;
    server.shutdown().await;
    while stream.next().await.is_some() {}
    let address = server.address;
    eventually(async || tokio::net::TcpListener::bind(address).await.ok()).await;
}
