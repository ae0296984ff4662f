//! SIGKILL in a loop: a child process writes, says what was acknowledged, and is killed.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use novacron_raft::{Options, RaftStore};
use novacron_store::Store;

use crate::ledger::{Ledger, raise};
use crate::sim_disk::Chance;

const WRITERS: usize = 6;
const ROUNDS: u64 = 12;
const DIRECTORY: &str = "NOVACRON_TEST_STORE";

fn options() -> Options {
    Options {
        segment_bytes: 128 << 10,
        snapshot_entries: 100,
        reserve_bytes: 1 << 20,
        ..Options::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_in_a_loop_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().expect("makes a directory");
    let mut ledger = Ledger::new(WRITERS);
    let mut chance = Chance::new(7);
    for round in 0..ROUNDS {
        let acknowledged = run_and_kill(dir.path(), &mut ledger, 50 + chance.below(900));
        let store = RaftStore::open(dir.path(), options()).await.expect("opens");
        assert_eq!(ledger.check(&store), Ok(()), "round {round}");
        store.shutdown().await;
        assert!(round == 0 || acknowledged > 0, "round {round}: nothing was written");
    }
}

/// Runs a child, kills it after it has acknowledged `lines` commits; returns how many it had.
fn run_and_kill(dir: &Path, ledger: &mut Ledger, lines: u64) -> u64 {
    let this = std::env::current_exe().expect("knows itself");
    let mut child = Command::new(this)
        .args(["--exact", "kill::a_child_that_writes", "--ignored", "--nocapture"])
        .env(DIRECTORY, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let output = BufReader::new(child.stdout.take().expect("is piped"));
    let mut acknowledged = 0;
    for line in output.lines().map_while(Result::ok) {
        // `asked WRITER N` and `done WRITER N`; the test harness says other things too.
        let words: Vec<&str> = line.split(' ').collect();
        let [what @ ("asked" | "done"), writer, n] = words[..] else { continue };
        let (Ok(writer), Ok(n)) = (writer.parse(), n.parse()) else { continue };
        if what == "asked" {
            ledger.asked(writer, n);
        } else {
            ledger.acknowledged(writer, n);
            acknowledged += 1;
        }
        if acknowledged == lines {
            child.kill().expect("is killed");
        }
    }
    child.wait().expect("ends");
    acknowledged
}

/// Not a test by itself: the process that is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of the test above"]
async fn a_child_that_writes() {
    let Some(dir) = std::env::var_os(DIRECTORY) else { return };
    let store = RaftStore::open(Path::new(&dir), options()).await.expect("opens");
    let writers = (0..WRITERS).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            let at = store.snapshot();
            let start = at.get(&format!("writer/{writer}")).map_or(0, |record| {
                let value: serde_json::Value =
                    serde_json::from_str(record.value.get()).expect("is JSON");
                value["n"].as_u64().expect("is a number")
            });
            for n in start + 1.. {
                say(&format!("asked {writer} {n}\n"));
                store.commit(raise(writer, n)).await.expect("commits");
                say(&format!("done {writer} {n}\n"));
            }
        })
    });
    // Ends with the process; a limit only so that a broken test leaves nothing behind.
    let all = futures::future::join_all(writers);
    let _ = tokio::time::timeout(Duration::from_mins(2), all).await;
}

/// One write, so that a kill cuts no line in half.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}
