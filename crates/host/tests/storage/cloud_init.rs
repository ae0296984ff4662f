//! What cloud-init will read from the `cidata` disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use novacron_host::cloud_init::{build, iso, write};
use novacron_model::vm::CloudInit;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::tool::{noise, run};

fn vm() -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001)
}

/// A file of the disk as `isoinfo` reads it, by its Joliet or its plain name.
fn extract(dir: &Path, disk: &[u8], name: &str, joliet: bool) -> Vec<u8> {
    let path = dir.join("cidata.iso");
    write(&path, disk).unwrap();
    let name = format!("/{name};1");
    let mut args = vec!["-i", path.to_str().unwrap(), "-x", &name];
    if joliet {
        args.push("-J");
    }
    let output = std::process::Command::new("isoinfo").args(args).output().unwrap();
    assert!(output.status.success());
    output.stdout
}

fn yaml(dir: &Path, disk: &[u8], name: &str) -> Value {
    serde_norway::from_slice(&extract(dir, disk, name, true)).unwrap()
}

#[test]
fn a_disk_is_an_iso_with_label_and_both_kinds_of_names() {
    let dir = tempfile::tempdir().unwrap();
    let contents = [noise(1), noise(2048), Vec::new(), noise(5000)];
    let names = ["meta-data", "user-data", "vendor-data", "network-config"];
    let files: Vec<_> = names.into_iter().zip(contents.iter().map(Vec::as_slice)).collect();
    let disk = iso::image("cidata", &files);
    for (name, content) in &files {
        for joliet in [true, false] {
            assert!(extract(dir.path(), &disk, name, joliet) == *content, "{name} {joliet}");
        }
    }
    let path = dir.path().join("cidata.iso");
    let about = run("isoinfo", &["-d", "-i", path.to_str().unwrap()]);
    assert!(about.contains("Volume id: cidata\n"), "{about}");
    assert!(about.contains("Joliet with UCS level 3 found"), "{about}");
    let label = run("blkid", &["-p", "-o", "value", "-s", "LABEL", path.to_str().unwrap()]);
    assert_eq!(label.trim(), "cidata");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn defaults_tell_the_name_and_leave_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let disk = build(vm(), "web", &CloudInit::default(), None).unwrap();
    let meta = yaml(dir.path(), &disk, "meta-data");
    assert_eq!(meta, json!({"instance-id": vm(), "local-hostname": "web"}));
    assert_eq!(extract(dir.path(), &disk, "user-data", true), b"");
    for absent in ["network-config", "vendor-data"] {
        assert!(!String::from_utf8_lossy(&disk).contains(absent));
    }
    assert_eq!(disk, build(vm(), "web", &CloudInit::default(), None).unwrap());
}

#[test]
fn the_users_words_win_and_are_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let script = "#!/bin/sh\necho 'täglich' > /etc/motd\n";
    let settings = CloudInit {
        hostname: Some("db.example.org".into()),
        ssh_keys: vec!["ssh-ed25519 AAAAC3 me@home: \"yes\" # no\n".into()],
        user_data: Some(script.into()),
        meta_data: Some("local-hostname: mine\ndc: [a, b]\n".into()),
        network_config: Some("version: 2\nethernets: {}\n".into()),
        ..CloudInit::default()
    };
    let disk = build(vm(), "db", &settings, Some("p: 'a\"b\\ #ä")).unwrap();
    let meta = yaml(dir.path(), &disk, "meta-data");
    assert_eq!(meta["local-hostname"], "mine");
    assert_eq!(meta["dc"], json!(["a", "b"]));
    assert_eq!(meta["public-keys"], json!(["ssh-ed25519 AAAAC3 me@home: \"yes\" # no"]));
    assert_eq!(extract(dir.path(), &disk, "user-data", true), script.as_bytes());
    let vendor = yaml(dir.path(), &disk, "vendor-data");
    assert_eq!(vendor["password"], "p: 'a\"b\\ #ä");
    assert_eq!(vendor["chpasswd"]["expire"], false);
    assert_eq!(vendor.get("ssh_pwauth"), None, "there is a key to log in with");
    let network = extract(dir.path(), &disk, "network-config", true);
    assert_eq!(network, b"version: 2\nethernets: {}\n");
}

#[test]
fn a_password_without_a_key_opens_ssh() {
    let dir = tempfile::tempdir().unwrap();
    let disk = build(vm(), "db", &CloudInit::default(), Some("hunter2")).unwrap();
    assert_eq!(yaml(dir.path(), &disk, "vendor-data")["ssh_pwauth"], true);
}

#[test]
fn what_cloud_init_could_not_read_is_refused_with_its_field() {
    let with = |change: fn(&mut CloudInit)| {
        let mut settings = CloudInit::default();
        change(&mut settings);
        build(vm(), "web", &settings, None).unwrap_err().field.unwrap()
    };
    let long = |settings: &mut CloudInit| settings.user_data = Some("#".repeat(5 << 20));
    assert_eq!(with(|it| it.hostname = Some("a b".into())), "spec.cloud_init.hostname");
    assert_eq!(with(|it| it.hostname = Some("a\nb: c".into())), "spec.cloud_init.hostname");
    assert_eq!(with(|it| it.ssh_keys = vec!["ssh-rsa".into()]), "spec.cloud_init.ssh_keys");
    assert_eq!(with(|it| it.ssh_keys = vec!["a b\nc d".into()]), "spec.cloud_init.ssh_keys");
    assert_eq!(with(|it| it.meta_data = Some("- a".into())), "spec.cloud_init.meta_data");
    assert_eq!(with(|it| it.meta_data = Some("a: [".into())), "spec.cloud_init.meta_data");
    assert_eq!(with(|it| it.network_config = Some("x".into())), "spec.cloud_init.network_config");
    assert_eq!(with(long), "spec.cloud_init.user_data");
    let error = build(vm(), "web", &CloudInit::default(), Some("a\nroot:b")).unwrap_err();
    assert_eq!(error.field.unwrap(), "spec.cloud_init.password");
    assert!(!error.message.contains("root:b"));
}
