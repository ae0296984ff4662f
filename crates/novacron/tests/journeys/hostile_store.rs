//! A damaged store is refused by name, a directory in use too; nothing is reset in silence.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::daemon::{Daemon, novacron};

#[test]
fn two_daemons_do_not_share_a_data_directory() {
    let daemon = Daemon::start();
    let second = start_once(daemon.data());
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("in use by another novacron"), "{said}");
    daemon.run(&["project", "list"]);
}

#[test]
fn a_flipped_bit_in_the_store_is_refused_with_the_files_name() {
    let mut daemon = Daemon::start();
    for number in 0..20 {
        daemon.run(&["project", "create", &format!("p{number}")]);
    }
    daemon.stop();
    let log = written_files(&daemon.data().join("store")).remove(0);
    let mut bytes = fs::read(&log).unwrap();
    let at = bytes.windows(3).position(|window| window == b"\"p3").unwrap();
    bytes[at + 1] ^= 1;
    fs::write(&log, &bytes).unwrap();

    let refused = start_once(daemon.data());
    assert!(!refused.status.success(), "a damaged store must not be opened");
    let said = String::from_utf8_lossy(&refused.stderr);
    let name = log.file_name().unwrap().to_str().unwrap();
    assert!(said.contains(name) && said.contains("damaged"), "{said}");
    assert_eq!(fs::read(&log).unwrap(), bytes, "the evidence is left alone");
}

fn start_once(data: &Path) -> Output {
    let args = ["server", "--listen", "127.0.0.1:0", "--data-dir"];
    novacron().args(args).arg(data).output().unwrap()
}

/// Files of the store that hold the text of the test's projects.
fn written_files(store: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(store).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(written_files(&path));
        } else if fs::read(&path).unwrap().windows(3).any(|window| window == b"\"p3") {
            files.push(path);
        }
    }
    files
}
