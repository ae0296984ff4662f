//! Single commands and what they send.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::program::{at, feed, run};
use crate::server::{Reply, Seen, Server, ok, problem};
use crate::waiting::{ID, task};

fn preview() -> Value {
    json!({"goes": [{"kind": "vm", "name": "web", "uid": "u"},
            {"kind": "volume", "name": "web-root", "uid": "u"}],
        "stays": [{"kind": "volume", "name": "data", "uid": "u"}]})
}

#[tokio::test]
async fn nothing_is_deleted_without_a_yes() {
    let server = Server::start(|_| ok(preview()));
    let did = run(&server, "delete web").await;
    assert_eq!(did.code, 2, "{did:?}");
    let goes = "VM \"web\" goes, and with it volume \"web-root\"; volume \"data\" stays\n";
    assert!(did.err.starts_with(goes) && did.err.contains("--yes"), "{}", did.err);
    assert_eq!(server.shared.lines(), ["DELETE /v1/projects/default/vms/web?dry_run=true"]);
}

#[tokio::test]
async fn delete_says_what_goes_and_waits_until_it_is_gone() {
    let server = Server::start(|seen| match seen.path.as_str() {
        path if path.contains("dry_run") => ok(preview()),
        path if path.contains("/tasks/") => ok(task("succeeded", Value::Null)),
        _ => Reply::Json(202, vec![], task("running", Value::Null)),
    });
    let did = run(&server, "delete web --yes --force --unprotect").await;
    assert_eq!((did.code, did.out.as_str()), (0, "VM \"web\" deleted\n"), "{did:?}");
    server.shared.only("DELETE /v1/projects/default/vms/web?dry_run=true");
    server.shared.only("DELETE /v1/projects/default/vms/web?force=true&unprotect=true");
}

#[tokio::test]
async fn what_is_gone_at_once_needs_no_task() {
    let server = Server::start(|seen| match seen.path.as_str() {
        path if path.contains("dry_run") => ok(json!({"goes": [], "stays": []})),
        _ => Reply::Empty,
    });
    let did = run(&server, "network delete lan --yes").await;
    assert_eq!((did.code, did.out.as_str()), (0, "network \"lan\" deleted\n"), "{did:?}");
    let did = run(&server, "token revoke ci").await;
    assert_eq!((did.code, did.out.as_str()), (0, "token \"ci\" revoked\n"), "{did:?}");
}

#[tokio::test]
async fn exec_is_binary_safe_and_ends_with_the_guests_code() {
    let server = Server::start(|_| {
        ok(json!({"exit_code": 42, "stdout": "AP8NCg==", "stderr": "/g==", "truncated": false}))
    });
    let mut command = at(&server);
    command.args(["exec", "web", "--env", "A=b", "--timeout", "5m", "--", "cat", "-n"]);
    let did = feed(command, b"\x00\xff\r\n").await;
    assert_eq!(did.code, 42, "{did:?}");
    assert_eq!(did.raw.stdout, b"\x00\xff\r\n");
    assert_eq!(did.raw.stderr, b"\xfe");
    let sent = server.shared.only("POST /v1/projects/default/vms/web/exec").json();
    let expected =
        json!({"argv": ["cat", "-n"], "env": ["A=b"], "stdin": "AP8NCg==", "timeout": 300});
    assert_eq!(sent, expected);
    let did = run(&server, "exec web -o json -- cat").await;
    assert_eq!(did.code, 42, "also where the result is an object: {did:?}");
    assert!(did.out.contains("\"exit_code\": 42"), "{did:?}");
}

#[tokio::test]
async fn exec_without_input_sends_none() {
    let server = Server::start(|_| ok(json!({"exit_code": 0, "stdout": "", "stderr": ""})));
    assert_eq!(run(&server, "exec web -- true").await.code, 0);
    assert_eq!(server.shared.only("POST").json(), json!({"argv": ["true"]}));
}

#[tokio::test]
async fn files_go_and_come_byte_for_byte() {
    let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let there = content.clone();
    let server = Server::start(move |seen| match seen.method.as_str() {
        "PUT" => Reply::Empty,
        _ => Reply::Bytes(there.clone()),
    });
    std::fs::write(server.home().join("a"), &content).unwrap();
    let did = run(&server, "file push a web:/etc/b").await;
    assert_eq!(did.code, 0, "{did:?}");
    let put = server.shared.only("PUT /v1/projects/default/vms/web/files?path=%2Fetc%2Fb");
    assert!(put.body == content);
    assert_eq!(put.headers["content-length"], content.len().to_string());
    let did = run(&server, "file pull web:/etc/b").await;
    assert_eq!(did.code, 0, "{did:?}");
    assert!(std::fs::read(server.home().join("b")).unwrap() == content);
    let did = run(&server, "file pull web:/etc/b -").await;
    assert!(did.raw.stdout == content);
}

#[tokio::test]
async fn half_a_file_is_not_left_behind() {
    let server = Server::start(|_| Reply::Broken(vec![1, 2, 3]));
    std::fs::write(server.home().join("b"), "before").unwrap();
    let did = run(&server, "file pull web:/etc/b").await;
    assert_eq!(did.code, 6, "{did:?}");
    assert_eq!(std::fs::read(server.home().join("b")).unwrap(), b"before");
    let entries = std::fs::read_dir(server.home()).unwrap();
    let left: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".part")), "{left:?}");
}

/// A file was handed over. Older daemons take that for a part of an upload without a byte.
fn is_handed(seen: &Seen) -> bool {
    seen.headers.contains_key("upload-from")
}

#[tokio::test]
async fn a_file_is_handed_over_and_not_sent() {
    let server = Server::start(|seen| match (seen.method.as_str(), seen.path.as_str()) {
        ("GET", path) if path.contains("/tasks/") => ok(task("succeeded", Value::Null)),
        ("GET", _) => ok(json!({"status": {"location": {"node": "n1"}}})),
        ("PUT", _) => Reply::Json(202, vec![], task("running", Value::Null)),
        _ => Reply::Json(201, vec![], json!({})),
    });
    std::fs::write(server.home().join("disk.img"), vec![7; 1 << 20]).unwrap();
    let did = run(&server, "image import disk.img").await;
    assert_eq!(did.code, 0, "{did:?}");
    let put = server.shared.only("PUT");
    assert_eq!(put.headers["upload-from"], "descriptor");
    assert_eq!((&put.headers["upload-offset"], put.body.len()), (&"0".parse().unwrap(), 0));
    assert_eq!(put.headers["upload-length"], "1048576");
}

#[tokio::test]
async fn a_file_that_did_not_come_through_is_sent() {
    let server = Server::start(|seen| match (seen.method.as_str(), seen.path.as_str()) {
        ("GET", path) if path.contains("/tasks/") => ok(task("succeeded", Value::Null)),
        ("GET", _) => ok(json!({"status": {"location": {"node": "n1"}}})),
        ("PUT", _) if is_handed(seen) => {
            let problem = json!({"status": 422, "code": "invalid", "detail": "no open file came",
                "field": "Upload-From"});
            Reply::Json(422, vec![], problem)
        }
        ("PUT", _) => Reply::Json(202, vec![], task("running", Value::Null)),
        _ => Reply::Json(201, vec![], json!({})),
    });
    std::fs::write(server.home().join("disk.img"), "content").unwrap();
    let did = run(&server, "image import disk.img").await;
    assert_eq!(did.code, 0, "{did:?}");
    assert_eq!(
        server.shared.seen.lock().unwrap().iter().filter(|s| s.body == "content").count(),
        1
    );
}

#[tokio::test]
async fn an_image_is_sent_whole_and_waited_for() {
    let (placed, taken) = (AtomicBool::new(false), AtomicBool::new(false));
    let server = Server::start(move |seen| match (seen.method.as_str(), seen.path.as_str()) {
        ("GET", path) if path.contains("/tasks/") => ok(task("succeeded", Value::Null)),
        ("GET", _) if !placed.swap(true, Ordering::SeqCst) => ok(json!({"status": {}})),
        ("GET", _) => ok(json!({"status": {"location": {"node": "n1"}}})),
        ("PUT", _) if !placed.load(Ordering::SeqCst) => panic!("the image has no node"),
        ("PUT", _) if is_handed(seen) => ok(json!({"offset": 0, "complete": false})),
        ("PUT", _) if !taken.swap(true, Ordering::SeqCst) => problem(503, "unavailable", "busy"),
        ("PUT", _) => Reply::Json(202, vec![], task("running", Value::Null)),
        _ => Reply::Json(201, vec![], json!({})),
    });
    let content = vec![7; 1 << 20];
    std::fs::write(server.home().join("Disk.qcow2"), &content).unwrap();
    let did = run(&server, "image import Disk.qcow2 --sha256 AB").await;
    assert_eq!((did.code, did.out.as_str()), (0, "image \"disk\" is ready\n"), "{did:?}");
    assert!(did.err.contains("uploading 100 %"), "{}", did.err);
    let draft = server.shared.only("POST /v1/projects/default/images").json();
    let expected = json!({"meta": {"name": "disk"},
        "spec": {"source": {"upload": {}}, "sha256": "ab"}});
    assert_eq!(draft, expected);
    let seen = server.shared.seen.lock().unwrap();
    let puts: Vec<_> =
        seen.iter().filter(|seen| seen.method == "PUT" && !is_handed(seen)).collect();
    assert_eq!(puts.len(), 2, "the first was not taken");
    for put in puts {
        assert_eq!(put.path, "/v1/projects/default/images/disk/content");
        assert!(put.body == content);
        assert_eq!(put.headers["content-length"], "1048576");
        assert_eq!(put.headers["upload-offset"], "0");
        assert_eq!(put.headers["upload-length"], "1048576");
    }
}

#[tokio::test]
async fn an_upload_goes_on_where_it_was_cut() {
    let cut = AtomicBool::new(false);
    let server = Server::start(move |seen| match (seen.method.as_str(), seen.path.as_str()) {
        ("GET", path) if path.contains("/tasks/") => ok(task("succeeded", Value::Null)),
        ("GET", path) if path.ends_with("/content") => {
            ok(json!({"offset": 300_000, "complete": false}))
        }
        ("GET", _) => ok(json!({"status": {"location": {"node": "n1"}}})),
        ("PUT", _) if is_handed(seen) => ok(json!({"offset": 0, "complete": false})),
        ("PUT", _) if !cut.swap(true, Ordering::SeqCst) => problem(503, "unavailable", "ending"),
        ("PUT", _) => Reply::Json(202, vec![], task("running", Value::Null)),
        _ => Reply::Json(201, vec![], json!({})),
    });
    let content: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    std::fs::write(server.home().join("disk.img"), &content).unwrap();
    let did = run(&server, "image import disk.img").await;
    assert_eq!(did.code, 0, "{did:?}");
    let seen = server.shared.seen.lock().unwrap();
    let puts: Vec<_> =
        seen.iter().filter(|seen| seen.method == "PUT" && !is_handed(seen)).collect();
    assert_eq!(puts.len(), 2);
    assert_eq!(puts[1].headers["upload-offset"], "300000");
    assert_eq!(puts[1].headers["upload-length"], "1000000");
    assert!(puts[1].body == content[300_000..]);
}

#[tokio::test]
async fn a_url_is_left_to_the_node() {
    let server = Server::start(|_| Reply::Json(201, vec![], json!({})));
    run(&server, "image import https://example.org/x.img --name legacy --os Old").await;
    let draft = server.shared.only("POST").json();
    let spec = json!({"source": {"url": "https://example.org/x.img"}, "os": "Old"});
    assert_eq!(draft, json!({"meta": {"name": "legacy"}, "spec": spec}));
}

#[tokio::test]
async fn an_upload_that_fails_leaves_no_image() {
    let server = Server::start(|seen| match seen.method.as_str() {
        "PUT" => problem(422, "invalid", "a qcow2 with a backing file is refused"),
        "GET" => ok(json!({"status": {"location": {"node": "n1"}}})),
        _ => Reply::Json(201, vec![], json!({})),
    });
    let did = run(&server, "image import missing.qcow2").await;
    assert_eq!(did.code, 2, "{did:?}");
    assert!(server.shared.lines().is_empty(), "nothing is made for a file that is not there");
    std::fs::write(server.home().join("x.img"), "x").unwrap();
    let did = run(&server, "image import x.img").await;
    assert_eq!(did.code, 2, "{did:?}");
    assert!(did.err.contains("backing file"), "{}", did.err);
    server.shared.only("DELETE /v1/projects/default/images/x?force=true");
}

#[tokio::test]
async fn a_create_that_broke_is_tried_once_more_under_the_same_key() {
    let first = AtomicBool::new(true);
    let server = Server::start(move |_| {
        if first.swap(false, Ordering::SeqCst) {
            return problem(503, "unavailable", "starting");
        }
        Reply::Json(201, vec![], json!({}))
    });
    let did = run(&server, "network create lan").await;
    assert_eq!(did.code, 0, "{did:?}");
    let seen = server.shared.seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].headers["idempotency-key"], seen[1].headers["idempotency-key"]);
}

#[tokio::test]
async fn set_sends_only_what_changes() {
    let server = Server::start(|_| ok(json!({})));
    run(&server, "set web --memory 8GiB --label a=b --label c-").await;
    let patch = server.shared.only("PATCH /v1/projects/default/vms/web");
    assert_eq!(patch.headers["content-type"], "application/merge-patch+json");
    let expected = json!({"spec": {"memory": 8_589_934_592_u64},
        "meta": {"labels": {"a": "b", "c": null}}});
    assert_eq!(patch.json(), expected);
    assert_eq!(run(&server, "set web").await.code, 2);
}

#[tokio::test]
async fn edit_sends_the_difference_under_the_etag_that_was_read() {
    let server = Server::start(|_| {
        let object = json!({"meta": {"name": "web", "labels": {"a": "1"}},
            "spec": {"cpus": 2, "memory": 1}, "status": {}});
        Reply::Json(200, vec![("etag", "\"9\"".into())], object)
    });
    let mut command = at(&server);
    command.env("EDITOR", "sed -i s/cpus:.2/cpus:\\ 4/").env("PATH", "/usr/bin:/bin");
    command.env("TMPDIR", server.home()).args(["edit", "web"]);
    let did = feed(command, b"").await;
    assert_eq!(did.code, 0, "{did:?}");
    let patch = server.shared.only("PATCH");
    assert_eq!(patch.json(), json!({"spec": {"cpus": 4}}));
    assert_eq!(patch.headers["if-match"], "\"9\"");
    let mut command = at(&server);
    command.env("EDITOR", "true").env("PATH", "/usr/bin:/bin").args(["edit", "web"]);
    let did = feed(command, b"").await;
    assert!(did.code == 0 && did.err.contains("nothing changed"), "{did:?}");
}

#[tokio::test]
async fn a_tokens_secret_stands_alone_on_stdout() {
    let server = Server::start(|_| {
        Reply::Json(201, vec![], json!({"meta": {"name": "ci"}, "spec": {}, "secret": "s3cret"}))
    });
    let did = run(&server, "token create ci --description builds --expires 30d").await;
    assert_eq!((did.code, did.out.as_str()), (0, "s3cret\n"));
    let draft = server.shared.only("POST /v1/tokens").json();
    assert_eq!(draft["spec"]["description"], "builds");
    assert!(draft["spec"]["expires"].as_str().unwrap().ends_with('Z'), "{draft}");
}

#[tokio::test]
async fn what_lets_a_node_join_stands_alone_on_stdout() {
    let server = Server::start(|_| {
        let token = json!({"meta": {"name": "join-1"}, "spec": {}, "secret": "novacron-join-x"});
        Reply::Json(201, vec![], token)
    });
    let did = run(&server, "cluster token create --role witness --ttl 2h --loopback").await;
    assert_eq!((did.code, did.out.as_str()), (0, "novacron-join-x\n"), "{did:?}");
    assert_eq!(did.err, "", "nobody sits there");
    let draft = server.shared.only("POST /v1/join-tokens").json();
    assert_eq!(draft["spec"]["role"], "witness");
    assert_eq!(draft["spec"]["loopback"], true);
    assert!(draft["spec"]["expires"].as_str().unwrap().ends_with('Z'), "{draft}");
    assert!(draft["meta"]["name"].as_str().unwrap().starts_with("join-"), "{draft}");
}

#[tokio::test]
async fn a_join_token_is_left_to_the_server_where_nothing_is_said() {
    let server = Server::start(|_| Reply::Json(201, vec![], json!({"secret": "x"})));
    run(&server, "cluster token create").await;
    assert_eq!(server.shared.only("POST /v1/join-tokens").json()["spec"], json!({}));
}

#[tokio::test]
async fn the_cluster_is_told_in_a_sentence() {
    let server = Server::start(|_| {
        let a = json!({"name": "a", "role": "auto", "voter": true, "leader": true, "address": ""});
        ok(json!({"summary": "losing node \"a\" stops the cluster", "members": [a]}))
    });
    let did = run(&server, "cluster status").await;
    assert!(did.out.starts_with("losing node \"a\" stops the cluster\n\nNAME"), "{did:?}");
    server.shared.only("GET /v1/cluster");
    let did = run(&server, "cluster status -o json").await;
    assert_eq!(serde_json::from_str::<Value>(&did.out).unwrap()["members"][0]["name"], "a");
}

#[tokio::test]
async fn members_are_promoted_and_removed_by_name() {
    let server = Server::start(|seen| match seen.method.as_str() {
        "DELETE" if seen.path.contains("dry_run") => {
            ok(json!({"goes": [{"kind": "node", "name": "c"}], "stays": []}))
        }
        _ => ok(json!({})),
    });
    let did = run(&server, "cluster promote a b").await;
    let said = "member \"a\" promoted\nmember \"b\" promoted\n";
    assert_eq!((did.code, did.out.as_str()), (0, said), "{did:?}");
    server.shared.only("POST /v1/members/a/promote");
    assert_eq!(run(&server, "cluster remove c").await.code, 2, "it asks");
    let did = run(&server, "cluster remove c --yes --force").await;
    assert!(did.err.contains("member \"c\" goes, and with it node \"c\""), "{did:?}");
    server.shared.only("DELETE /v1/members/c?force=true");
}

#[tokio::test]
async fn a_zone_is_given_and_taken() {
    let server = Server::start(|_| ok(json!({})));
    run(&server, "node set a --zone z1").await;
    let sent = server.shared.only("PATCH /v1/nodes/a").json();
    assert_eq!(sent, json!({"spec": {"zone": "z1"}}));
    let server = Server::start(|_| ok(json!({})));
    let mut command = at(&server);
    command.args(["node", "set", "a", "--zone", ""]);
    feed(command, b"").await;
    let sent = server.shared.only("PATCH /v1/nodes/a").json();
    assert_eq!(sent, json!({"spec": {"zone": null}}));
}

#[tokio::test]
async fn resize_waits_for_its_task() {
    let server = Server::start(move |seen| match seen.path.as_str() {
        path if path.contains("/tasks/") => ok(task("succeeded", Value::Null)),
        _ => Reply::Json(200, vec![("novacron-task", ID.to_owned())], json!({"meta": {}})),
    });
    let did = run(&server, "volume resize data 2GiB").await;
    assert_eq!((did.code, did.out.as_str()), (0, "volume \"data\" has 2 GiB\n"), "{did:?}");
    let did = run(&server, "volume resize data 2GiB --no-wait").await;
    assert_eq!((did.code, did.out), (0, format!("{ID}\n")));
}

#[tokio::test]
async fn a_resize_that_was_asked_for_before_waits_until_the_volume_has_grown_or_cannot() {
    let volume = |observed: u64, error: Value| {
        let data = json!({"observed_generation": observed, "grow_error": error});
        ok(json!({"meta": {"generation": 2}, "status": {"data": data}}))
    };
    let server = Server::start(move |seen| match seen.method.as_str() {
        "PATCH" => volume(1, Value::Null),
        _ => volume(2, Value::Null),
    });
    let did = run(&server, "volume resize data 2GiB").await;
    assert_eq!((did.code, did.out.as_str()), (0, "volume \"data\" has 2 GiB\n"), "{did:?}");
    let sent = server.shared.only("PATCH /v1/projects/default/volumes/data").json();
    assert_eq!(sent, json!({"spec": {"size": 2_u64 << 30}}));

    let server = Server::start(move |_| volume(2, json!({"message": "the disk is full"})));
    let did = run(&server, "volume resize data 2GiB").await;
    assert_eq!(did.code, 1, "{did:?}");
    assert!(did.err.contains("has not grown: the disk is full"), "{did:?}");
}

#[tokio::test]
async fn a_clone_says_what_it_has_not() {
    let server = Server::start(|seen| match seen.path.as_str() {
        path if path.contains("/tasks/") => ok(task("succeeded", Value::Null)),
        _ => {
            let mut begun = task("running", Value::Null);
            begun["status"]["log"] =
                json!([{"time": "2026-01-01T00:00:00Z", "text": "port 80 stays"}]);
            Reply::Json(202, vec![], begun)
        }
    });
    let did = run(&server, "clone web web2 --snapshot before --start").await;
    assert_eq!((did.code, did.out.as_str()), (0, "VM \"web2\" is running\n"), "{did:?}");
    assert!(did.err.contains("port 80 stays"), "{did:?}");
    let sent = server.shared.only("POST /v1/projects/default/vms/web/clone").json();
    assert_eq!(sent, json!({"name": "web2", "snapshot": "before", "run": "running"}));
    run(&server, "clone web web3 --no-wait").await;
    assert!(server.shared.lines().iter().any(|line| line.ends_with("/vms/web/clone")));
}

#[tokio::test]
async fn a_copy_of_a_volume_is_like_its_source() {
    let server = Server::start(|_| {
        ok(json!({"meta": {"name": "data"}, "spec": {"pool": "fast", "format": "raw"}}))
    });
    let did = run(&server, "volume clone data data2 --size 2GiB").await;
    assert_eq!(did.code, 0, "{did:?}");
    let sent = server.shared.only("POST /v1/projects/default/volumes").json();
    let source = json!({"volume": "data"});
    let spec = json!({"source": source, "pool": "fast", "format": "raw", "size": 2_u64 << 30});
    assert_eq!(sent, json!({"meta": {"name": "data2"}, "spec": spec}));
}

#[tokio::test]
async fn a_volume_is_attached_through_its_vm() {
    let server = Server::start(|_| ok(json!({})));
    assert_eq!(run(&server, "volume attach data web --disk d1").await.code, 0);
    let sent = server.shared.only("POST /v1/projects/default/vms/web/attach").json();
    assert_eq!(sent, json!({"volume": "data", "disk": "d1"}));
}

#[tokio::test]
async fn a_snapshot_is_named_by_vm_and_name() {
    let server = Server::start(|_| ok(json!({})));
    run(&server, "snapshot create web before").await;
    let draft = server.shared.only("POST /v1/projects/default/snapshots").json();
    assert_eq!(draft, json!({"meta": {"name": "web.before"}, "spec": {"vm": "web"}}));
    assert_eq!(run(&server, "snapshot restore web before").await.code, 2);
    run(&server, "snapshot restore web before --yes").await;
    let sent = server.shared.only("POST /v1/projects/default/vms/web/restore").json();
    assert_eq!(sent, json!({"snapshot": "before", "stop": false}));
}

#[tokio::test]
async fn a_sign_in_link_stands_alone_on_stdout() {
    let server = Server::start(|_| {
        ok(json!({"url": "http://127.0.0.1:7600/#code=x", "expires": "2026-01-31T12:00:00Z"}))
    });
    let did = run(&server, "web").await;
    assert_eq!((did.code, did.out.as_str()), (0, "http://127.0.0.1:7600/#code=x\n"));
}

#[tokio::test]
async fn top_shows_the_busiest_first_and_names_what_is_not_there() {
    let server = Server::start(|_| {
        let used =
            |cpu: u64| json!({"cpu": cpu, "memory": 1 << 20, "time": "2030-01-31T12:00:00Z"});
        let vm = |name: &str, cpu| json!({"name": name, "cpus": 2, "memory_max": 1 << 30, "now": used(cpu), "trend": []});
        let stopped = json!({"name": "off", "cpus": 1, "memory_max": 1 << 30, "trend": []});
        ok(json!({"step": 15, "items": [vm("idle", 10), vm("busy", 1500), stopped]}))
    });
    let did = run(&server, "top idle busy off gone").await;
    assert_eq!((did.code, did.err.as_str()), (0, "there is no VM \"gone\"\n"), "{did:?}");
    let names: Vec<&str> = did.out.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, ["NAME", "busy", "idle", "off"], "{}", did.out);
    assert!(did.out.contains("75%"), "{}", did.out);
    server.shared.only("GET /v1/projects/default/figures?names=idle%2Cbusy%2Coff%2Cgone");
    let did = run(&server, "top").await;
    assert!(did.out.contains("idle") && !did.out.contains("off"), "{}", did.out);
    let did = run(&server, "top -o json").await;
    let shown: Value = serde_json::from_str(&did.out).unwrap();
    assert_eq!(shown.as_array().map(Vec::len), Some(3), "what is stopped too");
}

#[tokio::test]
async fn figures_of_the_last_hour_stand_line_by_line() {
    let server = Server::start(|seen| {
        let point = json!({"time": "2030-01-31T12:00:15.000Z", "cpu": 500, "memory": 1 << 20});
        let points = if seen.path.contains("/none/") { vec![] } else { vec![point] };
        ok(json!({"step": 15, "cpus": 2, "memory_max": 1 << 30, "points": points}))
    });
    let did = run(&server, "vm figures web").await;
    let line = did.out.lines().last().unwrap_or_default();
    assert!(line.starts_with("2030-01-31T12:00:15Z  25%"), "{did:?}");
    let did = run(&server, "node figures none").await;
    let said = "nothing is known of the last hour of node \"none\"\n";
    assert_eq!((did.code, did.out.as_str(), did.err.as_str()), (0, "", said), "{did:?}");
}

#[tokio::test]
async fn a_volume_that_waits_for_a_restart_is_said_to_and_is_no_failure() {
    let server = Server::start(|seen| match seen.path.as_str() {
        path if path.contains("/tasks/") => ok(task("succeeded", Value::Null)),
        path if path.ends_with("/attach") => Reply::Json(202, vec![], task("running", Value::Null)),
        _ => ok(json!({"meta": {"name": "web"}, "status": {"pending": [
            {"field": "spec.disks", "text": "disk \"data\" added", "reason": "no hot-plug"}]}})),
    });
    let did = run(&server, "volume attach data web --bus sata").await;
    assert_eq!(did.code, 0, "{did:?}");
    let body = json!({"volume": "data", "bus": "sata"});
    assert_eq!(server.shared.only("POST /v1/projects/default/vms/web/attach").json(), body);
    assert!(did.err.contains("disk \"data\" added after restart (no hot-plug)"), "{did:?}");
    let did = run(&server, "volume attach data web --bus scsi").await;
    assert_eq!(did.code, 2, "{did:?}");
}
