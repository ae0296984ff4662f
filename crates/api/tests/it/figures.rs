//! Figures: REST, GraphQL and metrics tell the same, and metrics stay within bounds.

use std::time::Duration;

use novacron_model::figures::{DiskTotals, Figure, Hour, Reading, Totals};
use novacron_model::{Bytes, MilliCpu, Time};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Server, VMS};

const NOON: Time = Time(1_800_000_000_000);

fn figure(time: Time) -> Figure {
    Figure {
        time,
        cpu: Some(MilliCpu(1250)),
        memory: Some(Bytes::mib(300)),
        disk_written: Some(Bytes(4096)),
        ..Figure::default()
    }
}

fn reading() -> Reading {
    let disk = DiskTotals { read: 1, written: 9_007_199_254_740_993, reads: 3, writes: 4 };
    let cpu = Some(Duration::from_millis(12_500));
    Reading {
        now: Some(figure(NOON)),
        totals: Totals { cpu, memory: Some(Bytes::mib(300)), disk: Some(disk), network: None },
        trend: vec![None, Some(900), Some(1250)],
    }
}

async fn server(vms: &[&str], limit: usize) -> Server {
    let server = Server::start_with(|config| config.metrics_vms = limit).await;
    for name in vms {
        let spec = json!({ "cpus": 2, "memory": 1 << 30 });
        let draft = json!({ "meta": { "name": name }, "spec": spec });
        server.post(VMS, draft).await.expect(StatusCode::CREATED);
        server.gateway.readings.lock().unwrap().insert((*name).to_owned(), reading());
    }
    server
}

async fn metrics(server: &Server) -> String {
    server.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap()
}

/// The series of one metric, with their values.
fn series<'a>(text: &'a str, name: &str) -> Vec<(&'a str, &'a str)> {
    let wanted = format!("{name}{{");
    let lines = text.lines().filter(|line| line.starts_with(&wanted));
    lines.map(|line| line.split_once("} ").unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_hour_of_a_vm_is_told_from_any_moment_on() {
    let server = server(&["web"], 10).await;
    let quarter = |n: i64| Time(NOON.0 + n * 15_000);
    let points = vec![figure(quarter(0)), figure(quarter(1)), figure(quarter(3))];
    let hour = Hour { now: Some(figure(quarter(3))), points };
    server.gateway.hours.lock().unwrap().insert("web".to_owned(), hour);
    let path = format!("{VMS}/web/figures?since=");
    let all = server.get(&format!("{path}{NOON}")).await.expect(StatusCode::OK);
    assert_eq!((&all["step"], &all["cpus"]), (&json!(15), &json!(2)));
    assert_eq!(all["memory_max"], 1_u64 << 30);
    assert_eq!(all["points"].as_array().unwrap().len(), 3);
    let point = json!({
        "time": NOON, "cpu": 1250, "memory": 300 << 20, "disk_written": 4096,
    });
    assert_eq!(all["points"][0], point, "what is not known is absent");
    let some = server.get(&format!("{path}{}", quarter(1))).await.expect(StatusCode::OK);
    assert_eq!(some["points"].as_array().unwrap().len(), 2);
    assert_eq!(some["now"]["time"], json!(quarter(3)));
    // An hour back by the clock, nothing is known.
    let recent = server.get(&format!("{VMS}/web/figures")).await.expect(StatusCode::OK);
    assert!(recent["points"].is_array());
    server.get(&format!("{path}yesterday")).await.problem(400, "since");
    server.get(&format!("{VMS}/none/figures")).await.problem(404, "");
    server.get("/v1/nodes/none/figures").await.problem(404, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_answer_tells_of_many_vms() {
    let server = server(&["db", "web"], 10).await;
    server.gateway.readings.lock().unwrap().remove("db");
    let path = "/v1/projects/default/figures";
    let all = server.get(path).await.expect(StatusCode::OK);
    let stopped = json!({ "name": "db", "cpus": 2, "memory_max": 1 << 30, "trend": [] });
    assert_eq!(all["items"][0], stopped);
    assert_eq!(all["items"][1]["now"]["cpu"], 1250);
    assert_eq!(all["items"][1]["trend"], json!([null, 900, 1250]));
    let named = server.get(&format!("{path}?names=web,gone")).await.expect(StatusCode::OK);
    assert_eq!(named["items"].as_array().unwrap().len(), 1);
    let many = vec!["web"; 201].join(",");
    server.get(&format!("{path}?names={many}")).await.problem(400, "names");
    assert_eq!(server.get("/v1/figures").await.expect(StatusCode::OK)["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn graphql_and_metrics_agree_with_rest() {
    let server = server(&["web"], 10).await;
    let rest = server.get("/v1/projects/default/figures").await.expect(StatusCode::OK);
    let query = r#"{ vmsFigures(names: ["web"]) {
        step items { name cpus memoryMax trend now { time cpu memory diskWritten networkSent } }
    } }"#;
    let graph = server.post("/graphql", json!({ "query": query })).await.expect(StatusCode::OK);
    let (item, graph) = (&rest["items"][0], &graph["data"]["vmsFigures"]["items"][0]);
    assert_eq!((&graph["trend"], &graph["cpus"]), (&item["trend"], &item["cpus"]));
    assert_eq!(graph["now"]["memory"], item["now"]["memory"]);
    assert_eq!(graph["now"]["networkSent"], Value::Null);
    let text = metrics(&server).await;
    let labels = "{project=\"default\",vm=\"web\"";
    let only = |name: &str| match series(&text, name)[..] {
        [(series, value)] if series.ends_with(labels) => value.parse::<f64>().unwrap(),
        ref other => panic!("{name}: {other:?}"),
    };
    assert_eq!(Some(only("novacron_vm_memory_bytes")), item["now"]["memory"].as_f64());
    assert_eq!(Some(only("novacron_vm_cpus")), item["cpus"].as_f64());
    assert!((only("novacron_vm_cpu_seconds_total") - 12.5).abs() < 1e-9);
    assert!((only("novacron_vm_disk_writes_total") - 4.0).abs() < 1e-9);
    assert!(series(&text, "novacron_vm_network_sent_bytes_total").is_empty(), "not known");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_bounded_and_say_what_is_left_out() {
    let server = server(&["a", "b", "c", "d"], 2).await;
    let text = metrics(&server).await;
    let shown: Vec<&str> =
        series(&text, "novacron_vm_cpus").iter().map(|(series, _)| *series).collect();
    let label = |vm: &str| format!("novacron_vm_cpus{{project=\"default\",vm=\"{vm}\"");
    assert_eq!(shown, [label("a"), label("b")]);
    assert!(text.contains("\nnovacron_vms_left_out 2\n"), "{text}");
    // What no longer runs leaves no series behind.
    server.gateway.readings.lock().unwrap().remove("a");
    let text = metrics(&server).await;
    assert_eq!(series(&text, "novacron_vm_cpus").len(), 2);
    assert!(!text.contains("vm=\"a\"") && text.contains("\nnovacron_vms_left_out 1\n"), "{text}");
}
