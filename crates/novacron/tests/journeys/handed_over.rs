//! Files that the command line hands over to the daemon on its own machine: the image is the one that an
//! upload makes, whoever dies or changes the file on the way.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::{Daemon, PATIENCE, eventually, host, listed, novacron, signal};
use crate::images::{nothing_is_left, request};

const MIB: usize = 1 << 20;

/// A file that takes a moment to be copied.
fn large(dir: &Path) -> PathBuf {
    let path = dir.join("large.raw");
    let content: Vec<u8> = (0..96_u32 << 18).flat_map(|n| (n ^ 0x9e37).to_le_bytes()).collect();
    fs::write(&path, content).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn sum(path: &Path) -> String {
    host("sha256sum", &[text(path)])[..64].to_owned()
}

/// What the import found, once its checksum is known; without the time.
fn content(daemon: &Daemon, image: &str) -> Value {
    let known = |image: &Value| image["status"]["content"]["sha256"].is_string();
    let image = daemon.until(&["image", "show", image], "known by its sum", known);
    let mut content = image["status"]["content"].clone();
    content.as_object_mut().unwrap().remove("ready").unwrap();
    content
}

/// Of an image with one disk, or of an ISO: what is in it.
fn stored(daemon: &Daemon, image: &str) -> Vec<u8> {
    let uid = daemon.json(&["image", "show", image])["meta"]["uid"].as_str().unwrap().to_owned();
    let dir = daemon.data().join("pools/default/images").join(uid);
    let disk = dir.join("disk.qcow2");
    if disk.exists() {
        let raw = daemon.data().join("raw");
        host("qemu-img", &["convert", "-f", "qcow2", "-O", "raw", text(&disk), text(&raw)]);
        return fs::read(raw).unwrap();
    }
    let iso = dir.join("cd.iso");
    fs::read(if iso.exists() { iso } else { dir.join("disk.raw") }).unwrap()
}

#[test]
fn a_file_makes_the_image_that_its_upload_makes() {
    let daemon = Daemon::start();
    let dir = tempfile::tempdir().unwrap();
    let raw = dir.path().join("disk.raw");
    let mut bytes = fs::read(large(dir.path())).unwrap();
    bytes.truncate(20 * MIB);
    bytes[3 * MIB..9 * MIB].fill(0);
    fs::write(&raw, bytes).unwrap();
    for format in ["qcow2", "vmdk"] {
        let to = dir.path().join(format!("disk.{format}"));
        host("qemu-img", &["convert", "-f", "raw", "-O", format, text(&raw), text(&to)]);
    }
    let (iso, files) = (dir.path().join("disk.iso"), dir.path().join("files"));
    fs::create_dir(&files).unwrap();
    fs::copy(&raw, files.join("content")).unwrap();
    host("genisoimage", &["-quiet", "-o", text(&iso), text(&files)]);
    for format in ["raw", "qcow2", "vmdk", "iso"] {
        let file = dir.path().join(format!("disk.{format}"));
        daemon.run(&["image", "import", text(&file), "--name", "handed"]);
        upload(&daemon, "sent", &file);
        let mut handed = content(&daemon, "handed");
        let mut sent = content(&daemon, "sent");
        // Each way leaves holes of its own where the file has zeros.
        for made in [&mut handed, &mut sent] {
            assert!(made["stored"].take().is_number(), "{format}");
        }
        assert_eq!(handed, sent, "{format}");
        assert_eq!(handed["sha256"], sum(&file).as_str(), "{format}");
        assert!(stored(&daemon, "handed") == stored(&daemon, "sent"), "{format}");
        daemon.run(&["image", "delete", "handed", "sent", "--yes"]);
    }
    nothing_is_left(&daemon);
}

/// As a client does that hands nothing over.
fn upload(daemon: &Daemon, name: &str, file: &Path) {
    let (socket, images) = (daemon.data().join("api.sock"), "/v1/projects/default/images");
    let draft = format!(r#"{{"meta":{{"name":"{name}"}},"spec":{{"source":{{"upload":{{}}}}}}}}"#);
    let created = request(&socket, "POST", images, draft.as_bytes(), draft.len());
    assert!(created.contains(" 201 "), "{created}");
    let content = fs::read(file).unwrap();
    let path = format!("{images}/{name}/content");
    let sent = request(&socket, "PUT", &path, &content, content.len());
    assert!(sent.contains(" 202 "), "{sent}");
    daemon.until(&["image", "show", name], "ready", |image| image["status"]["state"] == "ready");
}

#[test]
fn a_wrong_checksum_of_a_file_leaves_nothing() {
    let daemon = Daemon::start();
    let dir = tempfile::tempdir().unwrap();
    let file = large(dir.path());
    let wrong = "0".repeat(64);
    let import = ["image", "import", text(&file), "--name", "big", "--sha256"];
    let said = daemon.refused(2, &[&import[..], &[&wrong]].concat());
    assert!(said.contains("SHA-256") && said.contains(&wrong), "{said}");
    no_image(&daemon);
    daemon.run(&[&import[..], &[&sum(&file)]].concat());
    assert_eq!(daemon.json(&["image", "show", "big"])["status"]["content"]["sha256"], *sum(&file));
}

/// Once its deletion is through.
fn no_image(daemon: &Daemon) {
    eventually("gone", || daemon.cli(&["image", "show", "big"]).status.code() == Some(3));
    nothing_is_left(daemon);
}

/// An import that is caught while the daemon copies the file. Until it is caught it is tried again.
fn caught(daemon: &Daemon, file: &Path, args: &[&str]) -> Child {
    let size = fs::metadata(file).unwrap().len();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut command = daemon.command();
        command.args(["image", "import", text(file), "--name", "big"]).args(args);
        let mut import = command.stderr(Stdio::piped()).spawn().unwrap();
        let length = loop {
            if import.try_wait().unwrap().is_some() {
                break 0;
            }
            if arrived(daemon).is_some_and(|length| length > 0) {
                signal(daemon.pid(), Signal::STOP);
                break arrived(daemon).unwrap_or(0);
            }
        };
        if (1..size).contains(&length) {
            return import;
        }
        signal(daemon.pid(), Signal::CONT);
        assert!(import.wait().unwrap().success(), "{}", daemon.log());
        assert!(Instant::now() < deadline, "never caught");
        daemon.run(&["image", "delete", "big", "--yes"]);
    }
}

/// Bytes of the copy so far.
fn arrived(daemon: &Daemon) -> Option<u64> {
    let incoming = daemon.data().join("pools/default/incoming");
    let folder = listed(&incoming).pop()?;
    fs::metadata(incoming.join(folder).join("source.part")).ok().map(|meta| meta.len())
}

#[test]
fn a_file_that_is_cut_while_it_is_read_leaves_nothing() {
    let daemon = Daemon::start();
    let dir = tempfile::tempdir().unwrap();
    let file = large(dir.path());
    let import = caught(&daemon, &file, &[]);
    fs::File::options().write(true).open(&file).unwrap().set_len(MIB as u64).unwrap();
    signal(daemon.pid(), Signal::CONT);
    let output = import.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("has changed while it was read"), "{said}");
    no_image(&daemon);
}

#[test]
fn a_file_is_handed_over_again_when_the_daemon_was_killed() {
    let mut daemon = Daemon::start();
    let dir = tempfile::tempdir().unwrap();
    let file = large(dir.path());
    for args in [&[][..], &["--sha256", &sum(&file)]] {
        let import = caught(&daemon, &file, args);
        daemon.kill();
        daemon.up();
        let output = import.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}\n{}", daemon.log());
        assert_eq!(content(&daemon, "big")["sha256"], *sum(&file));
        assert!(stored(&daemon, "big") == fs::read(&file).unwrap());
        daemon.run(&["image", "delete", "big", "--yes"]);
        nothing_is_left(&daemon);
    }
}

#[test]
fn an_interrupted_import_leaves_no_image() {
    let daemon = Daemon::start();
    let dir = tempfile::tempdir().unwrap();
    let file = large(dir.path());
    let mut import = caught(&daemon, &file, &[]);
    signal(import.id(), Signal::INT);
    signal(daemon.pid(), Signal::CONT);
    assert_eq!(import.wait().unwrap().code(), Some(130));
    no_image(&daemon);
}

#[test]
fn a_checksum_that_a_death_cut_short_is_worked_out_again() {
    let mut daemon = Daemon::start();
    let dir = tempfile::tempdir().unwrap();
    let file = large(dir.path());
    // Killed as soon as the image is ready: mostly before its sum is known.
    daemon.run(&["image", "import", text(&file), "--name", "big"]);
    daemon.kill();
    daemon.up();
    assert_eq!(content(&daemon, "big")["sha256"], *sum(&file));
}

/// A place that every user may enter, with the program in it.
fn shared_place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = dir.path().join("novacron");
    fs::copy(novacron().get_program(), &program).unwrap();
    (dir, program)
}

/// A program as a user without rights.
fn as_nobody(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(program);
    command.env_remove("NOVACRON_DATA_DIR").env_remove("NOVACRON_SOCKET").env("HOME", "/");
    command
}

#[test]
fn a_user_without_rights_hands_nothing_over() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let daemon = Daemon::start();
    let (dir, program) = shared_place();
    let file = dir.path().join("disk.raw");
    fs::write(&file, vec![7; MIB]).unwrap();
    // Even when they find the socket.
    for path in [daemon.data(), daemon.data().parent().unwrap()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o711)).unwrap();
    }
    let mut import = as_nobody(&program);
    import.args(["--data-dir", text(daemon.data()), "image", "import", text(&file)]);
    let output = import.output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not yours to open"), "{output:?}");
    assert_eq!(daemon.json(&["image", "list"]).as_array().map(Vec::len), Some(0));
    nothing_is_left(&daemon);
}

#[test]
fn a_file_that_only_its_owner_may_open_can_be_handed_over() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let (dir, program) = shared_place();
    let (data, file) = (dir.path().join("data"), dir.path().join("secret.raw"));
    fs::create_dir(&data).unwrap();
    chown(&data, Some(65534), Some(65534)).unwrap();
    fs::write(&file, vec![7; MIB]).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(!as_nobody(Path::new("/bin/cat")).arg(&file).output().unwrap().status.success());
    let mut daemon = Daemon::stopped(&data, &[]).by(as_nobody(&program));
    daemon.up();
    daemon.run(&["image", "import", text(&file), "--name", "secret"]);
    assert_eq!(content(&daemon, "secret")["sha256"], *sum(&file));
    assert!(stored(&daemon, "secret") == vec![7; MIB]);
}
