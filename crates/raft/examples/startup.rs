//! How fast a store opens and what it takes in memory, empty and with 10,000 VMs.
//!
//! `startup fill DIR` writes 10,000 VMs of four records each; `startup open DIR` opens the store
//! and prints the time and the resident memory as JSON.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use futures::future::join_all;
use novacron_raft::{Options, RaftStore};
use novacron_store::{Put, Store, Txn};
use serde_json::json;
use serde_json::value::RawValue;

const VMS: usize = 10_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [what, dir] = &args[..] else { return Err("startup fill|open DIR".into()) };
    let start = Instant::now();
    let store = RaftStore::open(Path::new(dir), Options::default()).await?;
    let opened = start.elapsed();
    if what == "fill" {
        fill(&store).await?;
    }
    let at = store.snapshot();
    let line = json!({
        "open_ms": opened.as_secs_f64() * 1e3,
        "records": at.scan("", "").count(),
        "resident_kib": resident_kib()?,
    });
    println!("{line}");
    store.shutdown().await;
    Ok(())
}

async fn fill(store: &Arc<RaftStore>) -> Result<(), Box<dyn Error>> {
    for chunk in (0..VMS).collect::<Vec<_>>().chunks(64) {
        let txns: Vec<Txn> = chunk.iter().map(|n| vm(*n)).collect::<Result<_, _>>()?;
        for committed in join_all(txns.into_iter().map(|txn| store.commit(txn))).await {
            committed?;
        }
    }
    Ok(())
}

/// A VM as it lies in the store: about 3 KiB in four records.
fn vm(n: usize) -> serde_json::Result<Txn> {
    let row = |name: &str, value: String| (name.to_owned(), value);
    let sections = [
        (
            "",
            1_400,
            vec![row("label:tier", "web".to_owned()), row("image", format!("image-{}", n % 9))],
        ),
        ("#placement", 150, vec![row("node", format!("n{}", n % 3))]),
        ("#runtime", 900, vec![]),
        ("#attachment", 150, vec![]),
    ];
    let mut txn = Txn::new();
    for (section, bytes, index) in sections {
        let value = json!({ "n": n, "text": "x".repeat(bytes) }).to_string();
        let key = format!("vm/0190f6a0-0000-7000-8000-000000000000/web-{n:05}{section}").into();
        txn.puts.push(Put { key, value: RawValue::from_string(value)?, index });
    }
    Ok(txn)
}

fn resident_kib() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let text = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmRSS")?;
    Ok(text.parse()?)
}
