//! Commands that started a task wait for it.

use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;

use crate::program::{Did, at, run};
use crate::server::{Reply, Seen, Server, events, ok, page, problem, send};

pub const ID: &str = "01900000-0000-7000-8000-000000000001";

pub fn task(state: &str, more: Value) -> Value {
    let mut status = json!({"state": state, "outcome": null});
    if state != "running" {
        status["outcome"] = json!({"state": state, "finished": "2026-01-31T12:00:00Z"});
        status["outcome"]["error"] = more;
    }
    json!({
        "meta": {"name": ID, "project": "default", "uid": ID, "revision": 41,
            "created": "2026-01-31T12:00:00Z"},
        "spec": {"action": "start", "target": {"kind": "vm", "name": "web", "uid": "u"}},
        "status": status,
    })
}

fn told(task: &Value) -> (&'static str, Value) {
    ("object", json!({"kind": "task", "object": task}))
}

fn web() -> Value {
    json!({"meta": {"name": "web"}, "spec": {}, "status": {"state": "running"}})
}

/// A server whose task ends as `end` says, after some progress.
fn ending(end: fn() -> Value) -> Server {
    Server::start(move |seen| match (seen.method.as_str(), seen.path.as_str()) {
        ("POST", path) if path.ends_with("/vms") => {
            Reply::Json(201, vec![("novacron-task", ID.into())], web())
        }
        ("POST", _) => Reply::Json(202, vec![], task("running", Value::Null)),
        ("GET", path) if path.ends_with(ID) => ok(task("running", Value::Null)),
        ("GET", path) if path.ends_with("/vms/web") => ok(web()),
        ("GET", path) if path.starts_with("/v1/watch?") => events(&[
            told(&task("running", Value::Null)),
            ("live", json!({"task": "another", "live": {"step": "not ours"}})),
            ("live", json!({"task": ID, "live": {"step": "booting", "done": 5, "total": 10}})),
            told(&json!({"meta": {"name": "another"}, "status": {"state": "failed"}})),
            ("event", json!({"sequence": 1})),
            told(&end()),
        ]),
        _ => problem(404, "not_found", "no"),
    })
}

#[tokio::test]
async fn launch_waits_until_the_vm_runs() {
    let server = ending(|| task("succeeded", Value::Null));
    std::fs::create_dir(server.home().join(".ssh")).unwrap();
    std::fs::write(server.home().join(".ssh/id.pub"), "ssh-ed25519 AAAA me\n").unwrap();
    std::fs::write(server.home().join("user-data"), "#cloud-config\n").unwrap();
    let line =
        "launch debian web --cpus 2 --port 8080:80 --label tier=front --cloud-init user-data";
    let did = run(&server, line).await;
    assert_eq!((did.code, did.out.as_str()), (0, "VM \"web\" is running\n"), "{did:?}");
    assert!(did.err.contains(".ssh/id.pub"), "{}", did.err);
    assert!(did.err.contains("start VM \"web\": booting 50 %"), "{}", did.err);
    assert!(!did.err.contains("not ours"), "{}", did.err);
    let post = server.shared.only("POST");
    assert!(!post.headers["idempotency-key"].is_empty());
    let expected = json!({
        "meta": {"name": "web", "labels": {"tier": "front"}},
        "spec": {"run": "running", "image": "debian", "cpus": 2,
            "nics": [{"ports": [
                {"address": "127.0.0.1", "host": 8080, "guest": 80, "protocol": "tcp"}]}],
            "cloud_init": {"user_data": "#cloud-config\n", "ssh_keys": ["ssh-ed25519 AAAA me"]}},
    });
    assert_eq!(post.json(), expected);
    server.shared.only("GET /v1/watch?project=default&kinds=tasks&from=40");
}

#[tokio::test]
async fn as_json_the_object_is_printed_once_it_is_so() {
    let server = ending(|| task("succeeded", Value::Null));
    let did = run(&server, "start web -o json").await;
    assert_eq!(serde_json::from_str::<Value>(&did.out).unwrap(), web());
}

#[tokio::test]
async fn without_waiting_the_tasks_id_is_printed() {
    let server = ending(|| panic!("nobody waits"));
    let did = run(&server, "launch debian web --no-wait").await;
    assert_eq!((did.code, did.out), (0, format!("{ID}\n")));
    let did = run(&server, "stop web --force --timeout 5s --no-wait").await;
    assert_eq!((did.code, did.out), (0, format!("{ID}\n")));
    let stop = server.shared.only("POST /v1/projects/default/vms/web/stop");
    assert_eq!(stop.json(), json!({"force": true, "timeout": 5}));
}

#[tokio::test]
async fn a_label_stands_for_all_that_have_it() {
    let server = Server::start(|seen| match (seen.method.as_str(), seen.path.as_str()) {
        ("GET", path) if path.ends_with("vms?limit=1000&label=tier%3Dfront") => {
            page(&json!([{"meta": {"name": "a"}}, {"meta": {"name": "b"}}]))
        }
        ("GET", _) => page(&json!([])),
        _ => Reply::Json(202, vec![], task("running", Value::Null)),
    });
    let did = run(&server, "stop --label tier=front --no-wait").await;
    assert_eq!((did.code, did.out), (0, format!("{ID}\n{ID}\n")));
    server.shared.only("POST /v1/projects/default/vms/a/stop");
    server.shared.only("POST /v1/projects/default/vms/b/stop");
    let did = run(&server, "delete --label tier=back --yes").await;
    assert_eq!(did.code, 3, "{did:?}");
    assert!(did.err.contains("no VM has the label tier=back"), "{did:?}");
    for neither_or_both in ["stop", "stop web --label tier=front"] {
        assert_eq!(run(&server, neither_or_both).await.code, 2);
    }
}

#[tokio::test]
async fn a_failed_task_fails_the_command_in_its_words() {
    let server = ending(|| {
        let error = json!({"code": "exhausted", "message": "n1 has no memory left",
            "hint": "stop a VM"});
        task("failed", error)
    });
    let did = run(&server, "start web").await;
    assert_eq!((did.code, did.out.as_str()), (4, ""));
    assert!(did.err.ends_with("error: n1 has no memory left\n  hint: stop a VM\n"), "{}", did.err);
    let server = ending(|| task("cancelled", Value::Null));
    let did = run(&server, &format!("task wait {ID}")).await;
    assert_eq!(did.code, 1);
    assert!(did.err.contains("cancelled"), "{}", did.err);
}

/// A server whose task runs for as long as the returned sender lives.
fn endless() -> (Server, Arc<Mutex<Vec<mpsc::UnboundedSender<Bytes>>>>) {
    let held = Arc::<Mutex<Vec<_>>>::default();
    let keep = held.clone();
    let server = Server::start(move |seen: &Seen| match seen.path.as_str() {
        path if path.starts_with("/v1/watch") => {
            let (sender, receiver) = mpsc::unbounded_channel();
            let live = json!({"task": ID, "live": {"step": "booting"}});
            send(&sender, "live", &live);
            keep.lock().unwrap().push(sender);
            Reply::Stream(receiver)
        }
        _ => Reply::Json(202, vec![], task("running", Value::Null)),
    });
    (server, held)
}

#[tokio::test]
async fn patience_ends_with_124_and_says_how_to_return() {
    let (server, _held) = endless();
    let did = run(&server, "start web --timeout 1s").await;
    assert_eq!(did.code, 124, "{did:?}");
    assert!(did.err.contains(&format!("novacron task wait {ID}")), "{}", did.err);
}

#[tokio::test]
async fn ctrl_c_leaves_the_task_alone_and_says_how_to_return() {
    let (server, _held) = endless();
    let mut command = at(&server);
    command.args(["start", "web"]).stderr(Stdio::piped()).stdin(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    while !lines.next_line().await.unwrap().unwrap().contains("booting") {}
    let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let mut rest = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        rest += &line;
    }
    assert_eq!(child.wait().await.unwrap().code(), Some(130));
    assert!(rest.contains(&format!("novacron task wait {ID}")), "{rest}");
    assert!(server.shared.lines().iter().all(|line| !line.contains("cancel")));
}

#[tokio::test]
async fn a_daemon_that_restarts_does_not_end_the_waiting() {
    let reads = AtomicUsize::new(0);
    let server = Server::start(move |seen| match seen.path.as_str() {
        path if path.starts_with("/v1/watch") => Reply::Broken(b"event: object\ndata: {".to_vec()),
        path if path.ends_with(ID) => match reads.fetch_add(1, Ordering::SeqCst) {
            0 => ok(task("running", Value::Null)),
            1 => problem(503, "unavailable", "starting"),
            _ => ok(task("succeeded", Value::Null)),
        },
        _ => Reply::Json(202, vec![], task("running", Value::Null)),
    });
    let did = run(&server, "start web").await;
    assert_eq!((did.code, did.out.as_str()), (0, "VM \"web\" started\n"), "{did:?}");
}

#[tokio::test]
async fn several_vms_are_all_tried() {
    let server = Server::start(|seen| match seen.path.as_str() {
        path if path.contains("/gone/") => problem(404, "not_found", "VM \"gone\" does not exist"),
        path if path.ends_with(ID) => ok(task("succeeded", Value::Null)),
        _ => Reply::Json(202, vec![], task("running", Value::Null)),
    });
    let did: Did = run(&server, "pause gone web db").await;
    assert_eq!((did.code, did.out.as_str()), (3, "VM \"web\" paused\nVM \"db\" paused\n"));
    assert!(did.err.contains("VM \"gone\" does not exist"), "{}", did.err);
}
