//! The settings file: what it says is done, and what is wrong in it is named.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::daemon::{Daemon, host, novacron};

struct File {
    dir: TempDir,
}

impl File {
    fn of(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("novacron.toml"), text).unwrap();
        Self { dir }
    }

    fn path(&self) -> String {
        self.dir.path().join("novacron.toml").to_str().unwrap().to_owned()
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }
}

#[test]
fn a_wrong_key_is_named_and_is_wrong_use() {
    let file = File::of("[api]\nlissen = \"127.0.0.1:0\"\n");
    let path = file.path();
    for command in [&["server"][..], &["config", "show"], &["doctor"]] {
        let output = novacron().args(command).args(["--config", &path]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{command:?}: {said}");
        assert!(said.contains("lissen") && said.contains(&path), "{command:?}: {said}");
    }
}

#[test]
fn the_largest_image_is_what_the_file_says() {
    let file = File::of("[images]\nmax_virtual_size = 1048576\n");
    let mut daemon = Daemon::stopped(&file.data(), &["--config", &file.path()]);
    daemon.up();
    let disk = file.dir.path().join("disk.qcow2");
    host("qemu-img", &["create", "-q", "-f", "qcow2", disk.to_str().unwrap(), "2M"]);
    let said = daemon.refused(2, &["image", "import", disk.to_str().unwrap(), "--name", "big"]);
    assert!(said.contains("1 MiB"), "{said}");
}

#[test]
fn doctor_looks_where_the_server_would_run() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = dir.path().join("elsewhere");
    let file = File::of(&format!("data_dir = {elsewhere:?}\n"));
    let output = novacron().args(["doctor", "--config", &file.path(), "-o", "json"]).output();
    let output = output.unwrap();
    let findings: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = findings.as_array().unwrap();
    let space = findings.iter().find(|finding| finding["what"] == "disk space").unwrap();
    let sentence = space["sentence"].as_str().unwrap();
    assert!(sentence.contains(elsewhere.to_str().unwrap()), "{sentence}");
}
