//! Durable commits per second, beside the rate at which the same disk syncs at all.
//!
//! `commit_rate [DIR] [ROUNDS]`: each round measures fdatasync, one writer and 64 writers, one after
//! the other, for a moment each, and prints a line of JSON; the last line has the medians. The
//! moments are short because the disk's speed changes from one second to the next. The calibration
//! writes 1 KiB into a zero-filled file and syncs it, as a commit does.

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use novacron_raft::{Options, RaftStore};
use novacron_store::{Put, Store, Txn};
use serde_json::json;
use serde_json::value::RawValue;

const SLICE: Duration = Duration::from_millis(200);
const CALIBRATION_BYTES: u64 = 8 << 20;
const WRITE_BYTES: usize = 1 << 10;

#[derive(Clone, Copy)]
struct Rates {
    fdatasync: f64,
    one_writer: f64,
    writers_64: f64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let parent = args.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let rounds: usize = args.next().map_or(Ok(25), |text| text.parse())?;
    let dir = parent.join(format!("commit-rate-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let measured = measure(&dir, rounds).await;
    std::fs::remove_dir_all(&dir)?;
    let measured = measured?;
    let median = Rates {
        fdatasync: median(&measured, |rates| rates.fdatasync),
        one_writer: median(&measured, |rates| rates.one_writer),
        writers_64: median(&measured, |rates| rates.writers_64),
    };
    let one = median_of(measured.iter().map(|rates| rates.one_writer / rates.fdatasync));
    let many = median_of(measured.iter().map(|rates| rates.writers_64 / rates.one_writer));
    let mut line = shown(&median);
    line["rounds"] = json!(rounds);
    line["one_writer_to_fdatasync"] = json!(one);
    line["writers_64_to_one_writer"] = json!(many);
    println!("{line}");
    Ok(())
}

async fn measure(dir: &Path, rounds: usize) -> Result<Vec<Rates>, Box<dyn Error>> {
    let store = RaftStore::open(&dir.join("store"), Options::default()).await?;
    let mut file =
        File::options().read(true).write(true).create_new(true).open(dir.join("sync"))?;
    file.write_all(&vec![0; usize::try_from(CALIBRATION_BYTES)?])?;
    file.sync_all()?;
    let file = Arc::new(file);
    let mut measured = Vec::new();
    for _ in 0..rounds {
        let file = file.clone();
        let rates = Rates {
            fdatasync: tokio::task::spawn_blocking(move || syncs(&file)).await??,
            one_writer: commits(&store, 1).await?,
            writers_64: commits(&store, 64).await?,
        };
        println!("{}", shown(&rates));
        measured.push(rates);
    }
    store.shutdown().await;
    Ok(measured)
}

/// Writes and syncs for a while; returns how often a second.
fn syncs(file: &File) -> std::io::Result<f64> {
    let (start, mut count) = (Instant::now(), 0_u32);
    let bytes = [b'x'; WRITE_BYTES];
    while start.elapsed() < SLICE {
        let at = u64::from(count) * WRITE_BYTES as u64 % CALIBRATION_BYTES;
        file.write_all_at(&bytes, at)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(rate(count, start))
}

async fn commits(store: &Arc<RaftStore>, writers: u32) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut count = 0_u32;
                while start.elapsed() < SLICE {
                    store.commit(record(writer, count)?).await?;
                    count += 1;
                }
                Ok::<_, Box<dyn Error + Send + Sync>>(count)
            })
        })
        .collect();
    let mut count = 0;
    for task in tasks {
        count += task.await?.map_err(|error| error.to_string())?;
    }
    Ok(rate(count, start))
}

/// About what a status report of a VM takes.
fn record(writer: u32, n: u32) -> serde_json::Result<Txn> {
    let value = json!({ "n": n, "text": "x".repeat(600) }).to_string();
    let put = Put {
        key: format!("vm/bench/{writer}-{}#runtime", n % 100).into(),
        value: RawValue::from_string(value)?,
        index: vec![("node".to_owned(), "n1".to_owned())],
    };
    Ok(Txn { puts: vec![put], ..Txn::new() })
}

fn rate(count: u32, start: Instant) -> f64 {
    f64::from(count) / start.elapsed().as_secs_f64()
}

fn shown(rates: &Rates) -> serde_json::Value {
    json!({
        "fdatasync_per_second": rates.fdatasync.round(),
        "commits_per_second_1_writer": rates.one_writer.round(),
        "commits_per_second_64_writers": rates.writers_64.round(),
    })
}

fn median(measured: &[Rates], of: impl Fn(&Rates) -> f64) -> f64 {
    median_of(measured.iter().map(of))
}

fn median_of(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
