//! The doctor on this very machine.

use std::net::TcpListener;
use std::path::PathBuf;

use novacron_host::doctor::{Config, Verdict, examine};

fn config() -> Config {
    Config {
        qemu: PathBuf::from("qemu-system-x86_64"),
        qemu_img: PathBuf::from("qemu-img"),
        data_dir: std::env::temp_dir().join("not/there/yet"),
        listen: Vec::new(),
    }
}

#[tokio::test]
async fn a_machine_that_runs_these_tests_has_qemu() {
    let findings = examine(&config()).await;
    for what in ["QEMU", "qemu-img"] {
        let finding = findings.iter().find(|finding| finding.what == what).unwrap();
        assert_eq!(finding.verdict, Verdict::Ok, "{finding:?}");
        assert!(finding.sentence.contains("version"), "{finding:?}");
    }
    let space = findings.iter().find(|finding| finding.what == "disk space").unwrap();
    assert!(space.sentence.contains("not/there/yet"), "{space:?}");
}

#[tokio::test]
async fn a_taken_port_and_a_missing_program_fail() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let listen = vec![address];
    let config = Config { qemu: "/nowhere/qemu".into(), listen, ..config() };
    let findings = examine(&config).await;
    let failed: Vec<_> =
        findings.iter().filter(|finding| finding.verdict == Verdict::Fail).collect();
    let what: Vec<_> = failed.iter().map(|finding| finding.what).collect();
    assert_eq!(what, ["QEMU", "port"]);
    assert!(failed[1].sentence.contains(&address.to_string()));
}
