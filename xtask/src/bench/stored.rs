//! Fills a daemon with stopped VMs through its API.

use anyhow::{Result, anyhow};
use serde_json::json;

use super::daemon::Daemon;

const WRITERS: usize = 16;

/// Stores `count` stopped VMs without disks; every tenth carries the label `tier=web`.
pub fn fill(daemon: &Daemon, count: usize) -> Result<()> {
    let mut client = daemon.client()?;
    let nodes = client.get("/v1/nodes")?;
    let room = json!({"spec": {"cpu_overcommit": 64.0, "memory_overcommit": 64.0}});
    for node in nodes["items"].as_array().into_iter().flatten() {
        let name = node["meta"]["name"].as_str().ok_or_else(|| anyhow!("a node has no name"))?;
        client.patch(&format!("/v1/nodes/{name}"), &room)?;
    }
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| scope.spawn(move || write(daemon, (writer..count).step_by(WRITERS))))
            .collect();
        for writer in writers {
            writer.join().map_err(|_| anyhow!("a writer panicked"))??;
        }
        Ok(())
    })
}

fn write(daemon: &Daemon, numbers: impl Iterator<Item = usize>) -> Result<()> {
    let mut client = daemon.client()?;
    for number in numbers {
        let tier = if number % 10 == 0 { "web" } else { "batch" };
        let vm = json!({
            "meta": {"name": format!("vm-{number:05}"), "labels": {"tier": tier}},
            "spec": {"cpus": 1, "memory": 64 << 20},
        });
        client.post("/v1/projects/default/vms", &vm)?;
    }
    Ok(())
}
