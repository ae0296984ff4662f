//! Reaching the API, reading lists, and failing to.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::program::{at, program, run};
use crate::server::{Server, ok, page, problem};

fn vm(name: &str) -> Value {
    json!({"meta": {"name": name, "project": "default", "uid": "u"}, "spec": {"cpus": 2,
        "from_the_future": {"a": [1, 2]}}, "status": {"state": "running"}})
}

#[tokio::test]
async fn a_list_is_all_pages_as_objects_unchanged() {
    let server = Server::start(|seen| match seen.path.as_str() {
        path if path.contains("page_token=next") => page(&json!([vm("c")])),
        _ => ok(json!({"items": [vm("a"), vm("b")], "next_page_token": "next", "revision": 7})),
    });
    let did = run(&server, "list -o json --label tier=front --sort -created").await;
    assert_eq!(did.code, 0, "{did:?}");
    let shown: Value = serde_json::from_str(&did.out).unwrap();
    assert_eq!(shown, json!([vm("a"), vm("b"), vm("c")]));
    let first = "GET /v1/projects/default/vms?limit=1000&label=tier%3Dfront&sort=-created";
    assert_eq!(server.shared.lines(), [first.to_owned(), format!("{first}&page_token=next")]);
    assert_eq!(server.shared.seen.lock().unwrap()[0].headers["host"], "localhost");
}

#[tokio::test]
async fn a_table_and_yaml_show_the_same_objects() {
    let server = Server::start(|_| page(&json!([vm("a")])));
    let did = run(&server, "vm list").await;
    assert!(did.out.starts_with("NAME  STATE"), "{}", did.out);
    assert!(did.out.contains("\na     running"), "{}", did.out);
    let did = run(&server, "list -o yaml --project team --limit 1").await;
    assert!(did.out.starts_with("- meta:\n    name: a\n"), "{}", did.out);
    assert!(server.shared.lines()[1].starts_with("GET /v1/projects/team/vms?limit=1"));
}

#[tokio::test]
async fn an_empty_list_says_so_beside_stdout() {
    let server = Server::start(|_| page(&json!([])));
    let did = run(&server, "volume list").await;
    assert_eq!((did.code, did.out.as_str(), did.err.as_str()), (0, "", "no volumes\n"));
    assert_eq!(run(&server, "volume list -o json").await.out, "[]\n");
}

#[tokio::test]
async fn a_data_directory_may_have_any_length() {
    let long = "d".repeat(120);
    let server =
        Server::start_in(Path::new(&format!("{long}/{long}")), |_| page(&json!([vm("a")])));
    assert!(server.data_dir.as_os_str().len() > 200);
    let did = run(&server, "list -o json").await;
    assert_eq!(did.code, 0, "{}", did.err);
    let socket = server.data_dir.join("api.sock");
    let mut command = program(server.home());
    command.env("NOVACRON_SOCKET", socket).arg("list");
    assert!(command.output().await.unwrap().status.success());
    let mut command = program(server.home());
    command.env("NOVACRON_DATA_DIR", &server.data_dir).arg("list");
    assert!(command.output().await.unwrap().status.success());
}

#[tokio::test]
async fn without_a_daemon_one_is_told_how_to_start_it() {
    let home = tempfile::tempdir().unwrap();
    let mut command = program(home.path());
    let output = command.args(["--data-dir", "/nowhere", "list"]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(6));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no NovaCron at /nowhere"), "{said}");
    assert!(said.contains("novacron server --data-dir /nowhere"), "{said}");
    for line in [["version"].as_slice(), &["completion", "bash"], &["completion", "zsh"]] {
        let mut command = program(home.path());
        let output = command.args(line).output().await.unwrap();
        assert!(output.status.success() && !output.stdout.is_empty(), "{line:?}");
    }
}

#[tokio::test]
async fn an_error_says_title_field_and_hint_and_ends_with_its_code() {
    let server = Server::start(|seen| match seen.path.rsplit('/').next().unwrap() {
        "gone" => problem(404, "not_found", "VM \"gone\" does not exist"),
        "taken" => problem(409, "conflict", "taken"),
        "full" => problem(409, "exhausted", "full"),
        "secret" => problem(403, "denied", "no"),
        "stranger" => problem(401, "unauthenticated", "who"),
        "wrong" => problem(422, "invalid", "wrong"),
        "slow" => problem(504, "timeout", "slow"),
        "away" => problem(503, "unavailable", "away"),
        _ => problem(500, "internal", "broken"),
    });
    let expected = [
        ("gone", 3),
        ("taken", 4),
        ("full", 4),
        ("secret", 5),
        ("stranger", 5),
        ("wrong", 2),
        ("slow", 124),
        ("away", 6),
        ("other", 1),
    ];
    for (name, code) in expected {
        assert_eq!(run(&server, &format!("info {name}")).await.code, code, "{name}");
    }
    let did = run(&server, "info gone -o json").await;
    let said = "error: VM \"gone\" does not exist\n  field: spec.memory\n  hint: do this\n";
    assert_eq!((did.out.as_str(), did.err.as_str()), ("", said));
}

#[tokio::test]
async fn a_name_never_becomes_another_path() {
    let server = Server::start(|_| problem(404, "not_found", "no"));
    run(&server, "info ../../../secrets?x#y").await;
    let path = "GET /v1/projects/default/vms/..%2F..%2F..%2Fsecrets%3Fx%23y";
    assert_eq!(server.shared.lines(), [path]);
}

#[tokio::test]
async fn a_reader_that_leaves_early_is_no_failure() {
    let many: Vec<Value> = (0..5000).map(|n| vm(&format!("vm-{n}"))).collect();
    let server = Server::start(move |_| page(&json!(many)));
    let mut command = at(&server);
    let mut child = command.args(["list", "-o", "json"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
}
