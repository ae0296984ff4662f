//! Serves an API on a store in memory, whose nodes are echoes, and prints its address and a
//! token; there is one VM, `web`. For schema-driven tests: `cargo run -p novacron-api --example playground`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for tests")]

#[allow(dead_code, reason = "this needs only a part of the harness")]
#[path = "../tests/it/harness.rs"]
mod harness;

#[tokio::main]
async fn main() {
    let server = harness::Server::start().await;
    let web = serde_json::json!({ "meta": { "name": "web" }, "spec": {} });
    server.post(harness::VMS, web).await.expect(reqwest::StatusCode::CREATED);
    println!("NOVACRON_URL={} NOVACRON_TOKEN={}", server.url(""), server.token);
    tokio::signal::ctrl_c().await.unwrap();
}
