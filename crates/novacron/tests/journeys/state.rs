//! The whole state as a file: backed up, restored elsewhere, kept each day, converted, moved.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::daemon::{Daemon, eventually, host, listed, novacron, state_of};
use crate::disk_full::SmallDisk;

/// A simulated node is enough where no guest is needed.
fn simulated(data: &Path) -> Daemon {
    Daemon::stopped(data, &["--sim", "1"])
}

fn names(daemon: &Daemon, noun: &str) -> Vec<String> {
    let list = daemon.json(&[noun, "list"]);
    let names = list.as_array().unwrap().iter().map(|it| it["meta"]["name"].as_str().unwrap());
    names.map(str::to_owned).collect()
}

fn restore(file: &Path, data: &Path, more: &[&str]) -> Output {
    let mut command = novacron();
    command.args(["state", "restore"]).arg(file).arg("--data-dir").arg(data).args(more);
    command.stdin(Stdio::null()).output().unwrap()
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn start_once(data: &Path) -> Output {
    let args = ["server", "--listen", "127.0.0.1:0", "--sim", "1", "--data-dir"];
    novacron().args(args).arg(data).output().unwrap()
}

/// A daemon with the project `before`, its backup, and the token that it holds.
fn backed_up(dir: &Path) -> (Daemon, PathBuf, String) {
    let mut daemon = simulated(&dir.join("data"));
    daemon.up();
    daemon.run(&["project", "create", "before"]);
    let secret = daemon.json(&["token", "create", "ci"])["secret"].as_str().unwrap().to_owned();
    let file = dir.join("copy.backup");
    daemon.run(&["state", "backup", file.to_str().unwrap()]);
    daemon.run(&["project", "create", "after"]);
    (daemon, file, secret)
}

#[test]
fn a_backup_is_restored_on_another_machine() {
    let dir = tempfile::tempdir().unwrap();
    let (mut daemon, file, secret) = backed_up(dir.path());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(listed(dir.path()), ["copy.backup", "data", "data.log"], "nothing half is left");
    daemon.stop();

    let other = dir.path().join("other");
    let done = restore(&file, &other, &[]);
    assert!(done.status.success(), "{}", said(&done));
    assert!(said(&done).contains("node \"n1\"") && said(&done).contains("--name n1"), "{done:?}");
    let key = |data: &Path| fs::read(data.join("data.key")).unwrap();
    assert_eq!(key(&other), key(daemon.data()));
    assert_eq!(fs::metadata(other.join("data.key")).unwrap().permissions().mode() & 0o777, 0o600);
    let mut other = simulated(&other);
    other.up();
    let projects = names(&other, "project");
    assert!(projects.contains(&"before".to_owned()), "{projects:?}");
    assert!(!projects.contains(&"after".to_owned()), "{projects:?}");
    let header = format!("Authorization: Bearer {secret}");
    host("curl", &["-sf", "-H", &header, &format!("{}/v1/projects", other.base_url())]);
    // It goes on, and over a restart.
    other.run(&["project", "create", "later"]);
    other.kill();
    other.up();
    assert!(names(&other, "project").contains(&"later".to_owned()));
}

#[test]
fn a_state_is_replaced_only_when_told_to_and_then_kept_aside() {
    let dir = tempfile::tempdir().unwrap();
    let (mut daemon, file, _) = backed_up(dir.path());
    let data = daemon.data().to_owned();
    let refused = restore(&file, &data, &["--replace"]);
    assert!(!refused.status.success() && said(&refused).contains("stop it first"), "{refused:?}");
    daemon.stop();
    let before = listed(&data);
    let refused = restore(&file, &data, &[]);
    assert!(!refused.status.success() && said(&refused).contains("--replace"), "{refused:?}");

    let bytes = fs::read(&file).unwrap();
    let broken = dir.path().join("broken.backup");
    for bad in [&bytes[..bytes.len() / 2], &[&bytes[..200], b"!", &bytes[201..]].concat()] {
        fs::write(&broken, bad).unwrap();
        let refused = restore(&broken, &data, &["--replace"]);
        assert!(!refused.status.success() && said(&refused).contains("damaged"), "{refused:?}");
    }
    assert_eq!(listed(&data), before, "what is refused changes nothing");

    let done = restore(&file, &data, &["--replace"]);
    assert!(done.status.success(), "{}", said(&done));
    let kept = listed(&data).into_iter().find(|name| name.starts_with("replaced-")).unwrap();
    assert!(said(&done).contains(&kept), "{done:?}");
    daemon.up();
    assert!(!names(&daemon, "project").contains(&"after".to_owned()));
    daemon.stop();
    // What was kept aside is a state like any other.
    let old = dir.path().join("old");
    fs::rename(data.join(kept), &old).unwrap();
    let mut old = simulated(&old);
    old.up();
    assert!(names(&old, "project").contains(&"after".to_owned()));
}

#[test]
fn a_restore_killed_at_any_moment_happened_wholly_or_not_at_all() {
    let rounds = if std::env::var_os("NOVACRON_NIGHTLY").is_some() { 60 } else { 8 };
    let dir = tempfile::tempdir().unwrap();
    let (mut daemon, file, _) = backed_up(dir.path());
    daemon.stop();
    let began = Instant::now();
    assert!(restore(&file, &dir.path().join("timed"), &[]).status.success());
    let whole = began.elapsed();
    let (mut restored, mut stayed) = (0, 0);
    for round in 0..rounds {
        let data = dir.path().join(format!("data{round}"));
        host("cp", &["-a", daemon.data().to_str().unwrap(), data.to_str().unwrap()]);
        let mut command = novacron();
        command.args(["state", "restore", "--replace"]).arg(&file).arg("--data-dir").arg(&data);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        // No wait for a condition: any moment is meant.
        let moment = Instant::now() + whole * round / (rounds - 1);
        while Instant::now() < moment {
            std::thread::sleep(Duration::from_micros(200));
        }
        let _gone_already = child.kill();
        child.wait().unwrap();
        let mut survivor = simulated(&data);
        survivor.up();
        let projects = names(&survivor, "project");
        assert!(projects.contains(&"before".to_owned()), "round {round}: {projects:?}");
        let old = projects.contains(&"after".to_owned());
        let aside = listed(&data).iter().any(|name| name.starts_with("replaced-"));
        assert_eq!(old, !aside, "round {round}: {projects:?} {:?}", listed(&data));
        assert!(!listed(&data).iter().any(|name| name.starts_with("restore")), "round {round}");
        if old { stayed += 1 } else { restored += 1 }
    }
    assert!(stayed > 0 && stayed + restored == rounds, "{stayed} {restored}");
}

#[test]
fn the_error_of_a_damaged_store_names_the_copy_that_brings_it_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut daemon = simulated(&dir.path().join("data"));
    daemon.up();
    let backups = daemon.data().join("backups");
    eventually("copied", || listed(&backups).iter().any(|name| name.ends_with(".backup")));
    daemon.run(&["project", "create", "p3"]);
    daemon.stop();
    let copies = listed(&backups);
    assert_eq!(copies.len(), 1, "one a day: {copies:?}");
    let copy = backups.join(&copies[0]);
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    // A newer one that is damaged itself is not worth being named.
    let broken = backups.join("state-29991231T000000Z.backup");
    fs::write(&broken, b"NovaCron state backup\nbut no more").unwrap();

    let log = daemon.data().join("store/log-000001");
    let mut bytes = fs::read(&log).unwrap();
    let at = bytes.windows(3).position(|window| window == b"\"p3").unwrap();
    bytes[at + 1] ^= 1;
    fs::write(&log, &bytes).unwrap();
    let refused = start_once(daemon.data());
    assert!(!refused.status.success());
    let said = said(&refused);
    let command = said.split('`').find(|part| part.starts_with("novacron state restore"));
    let command = command.unwrap_or_else(|| panic!("no command in {said}"));
    assert!(command.contains(copy.to_str().unwrap()), "{said}");
    let words = command.split_whitespace().skip(1);
    let done = novacron().args(words).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    daemon.up();
    assert_eq!(names(&daemon, "project"), ["default"]);
}

#[test]
fn a_copy_is_kept_where_the_settings_say() {
    let dir = tempfile::tempdir().unwrap();
    let (settings, elsewhere) = (dir.path().join("novacron.toml"), dir.path().join("elsewhere"));
    fs::write(&settings, format!("name = \"rack7\"\n[backup]\ndir = {elsewhere:?}\n")).unwrap();
    let own = elsewhere.join("rack7");
    let args = ["--sim", "1", "--config", settings.to_str().unwrap()];
    let mut daemon = Daemon::stopped(&dir.path().join("data"), &args);
    daemon.up();
    eventually("copied", || listed(&own).iter().any(|name| name.ends_with(".backup")));
    assert!(!daemon.data().join("backups").exists());
    daemon.stop();

    fs::write(&settings, "[backup]\nkeep = 0\n").unwrap();
    let none = dir.path().join("none");
    let mut daemon = Daemon::stopped(&none, &args);
    daemon.up();
    daemon.run(&["project", "create", "p"]);
    daemon.stop();
    assert!(!none.join("backups").exists());
}

#[test]
fn a_copy_that_cannot_be_kept_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let (settings, occupied) = (dir.path().join("novacron.toml"), dir.path().join("occupied"));
    fs::write(&occupied, "no directory").unwrap();
    fs::write(&settings, format!("[backup]\ndir = {occupied:?}\n")).unwrap();
    let args = ["--sim", "1", "--config", settings.to_str().unwrap()];
    let mut daemon = Daemon::stopped(&dir.path().join("data"), &args);
    daemon.up();
    let told = || {
        let events = daemon.json(&["events", "--all", "--object", "node/n1"]);
        let kind = |event: &&Value| event["kind"] == "node.state_not_copied";
        let texts = events.as_array().unwrap().iter().filter(kind).map(|event| &event["text"]);
        texts.map(Value::to_string).collect::<Vec<_>>()
    };
    eventually("told", || !told().is_empty());
    let texts = told();
    assert_eq!(texts.len(), 1);
    assert!(texts[0].contains("the daily copy of the state failed: "), "{texts:?}");
    assert!(texts[0].contains("occupied"), "it names the folder: {texts:?}");
}

#[test]
fn a_full_disk_leaves_no_half_of_a_backup() {
    let dir = tempfile::tempdir().unwrap();
    let (mut daemon, file, _) = backed_up(dir.path());
    let disk = SmallDisk::mount(&dir.path().join("small"), 4);
    disk.fill(0);
    let target = disk.0.join("copy.backup");
    let said = daemon.refused(1, &["state", "backup", target.to_str().unwrap()]);
    assert!(said.contains("copy.backup"), "{said}");
    assert_eq!(listed(&disk.0), ["filler"]);

    let refused = restore(&file, &disk.0, &[]);
    assert!(!refused.status.success(), "{refused:?}");
    let left: Vec<_> = listed(&disk.0).into_iter().filter(|name| name != "lock").collect();
    assert_eq!(left, ["filler"]);
    daemon.stop();
}

/// A store that the version before wrote, as it lay on disk.
fn store_of_format_1(data: &Path) {
    fs::create_dir_all(data).unwrap();
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/store-format-1.tar.gz");
    host("tar", &["-xzf", archive.to_str().unwrap(), "-C", data.to_str().unwrap()]);
}

#[test]
fn a_store_of_the_format_before_is_copied_and_converted() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    store_of_format_1(&data);
    let old = fs::read(data.join("store/meta")).unwrap();
    assert!(String::from_utf8_lossy(&old).contains("\"format\":1"));
    let mut daemon = simulated(&data);
    daemon.up();
    assert!(names(&daemon, "project").contains(&"old-times".to_owned()));
    assert_eq!(names(&daemon, "volume"), ["data"]);
    daemon.run(&["project", "create", "new-times"]);
    daemon.stop();
    let new = fs::read_to_string(data.join("store/meta")).unwrap();
    assert!(new.contains("\"format\":2") && new.contains("\"version\""), "{new}");
    let copy = data.join("backups/store-format-1");
    assert_eq!(fs::read(copy.join("store/meta")).unwrap(), old);
    assert_eq!(fs::read(copy.join("data.key")).unwrap(), fs::read(data.join("data.key")).unwrap());
    assert_eq!(listed(&copy.join("store")), ["log-000001", "meta"]);
    daemon.up();
    assert!(names(&daemon, "project").contains(&"new-times".to_owned()));
}

#[test]
fn without_room_for_the_copy_nothing_is_converted() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(&dir.path().join("data"), 12);
    store_of_format_1(&disk.0);
    let old = fs::read(disk.0.join("store/meta")).unwrap();
    disk.fill(0);
    let refused = start_once(&disk.0);
    assert!(!refused.status.success());
    assert!(said(&refused).contains("was not copied"), "{}", said(&refused));
    assert_eq!(fs::read(disk.0.join("store/meta")).unwrap(), old);
    assert!(listed(&disk.0.join("backups")).is_empty());
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut daemon = simulated(&dir.path().join("data"));
    daemon.up();
    daemon.stop();
    let path = daemon.data().join("store/meta");
    let text = fs::read_to_string(&path).unwrap();
    let json = text.split_once(' ').unwrap().1;
    let json = json.replace("\"format\":2", "\"format\":3");
    let json = json.replace(env!("CARGO_PKG_VERSION"), "9.9.9");
    let newer = format!("{:08x} {json}", crc32fast::hash(json.as_bytes()));
    fs::write(&path, &newer).unwrap();
    let refused = start_once(daemon.data());
    assert!(!refused.status.success());
    let said = said(&refused);
    for part in ["format 3", "NovaCron 9.9.9", "up to 2", env!("CARGO_PKG_VERSION")] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), newer);
}

#[test]
fn a_data_directory_moves_to_another_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::stopped(&dir.path().join("data"), &[]);
    daemon.up();
    daemon.import_micro();
    daemon.run(&["launch", "micro", "web", "--memory", "256MiB", "--disk", "16MiB"]);
    daemon.sh("web", "echo moved | dd of=/dev/vda conv=fsync,notrunc 2>/dev/null");
    daemon.run(&["stop", "web", "--force", "--yes"]);
    daemon.stop();

    let disk = SmallDisk::mount(&dir.path().join("new-disk"), 512);
    let (from, to) = (daemon.data().join("."), disk.0.join("novacron"));
    fs::create_dir(&to).unwrap();
    host("cp", &["-a", "--sparse=always", from.to_str().unwrap(), to.to_str().unwrap()]);
    fs::remove_dir_all(daemon.data()).unwrap();
    let mut moved = Daemon::stopped(&to, &[]);
    moved.up();
    moved.run(&["start", "web"]);
    moved.vm_until("web", "running", |vm| state_of(vm) == "running");
    assert_eq!(moved.sh("web", "head -c 5 /dev/vda"), "moved");
    moved.run(&["launch", "micro", "second", "--memory", "256MiB"]);
}

#[test]
fn a_state_restored_beside_copied_pools_has_its_vms() {
    let dir = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::stopped(&dir.path().join("data"), &[]);
    daemon.up();
    daemon.import_micro();
    daemon.run(&["launch", "micro", "web", "--memory", "256MiB", "--disk", "16MiB"]);
    daemon.sh("web", "echo moved | dd of=/dev/vda conv=fsync,notrunc 2>/dev/null");
    daemon.run(&["snapshot", "create", "web", "before"]);
    daemon.run(&["stop", "web", "--force", "--yes"]);
    let file = dir.path().join("copy.backup");
    daemon.run(&["state", "backup", file.to_str().unwrap()]);
    daemon.stop();

    let disk = SmallDisk::mount(&dir.path().join("new-disk"), 512);
    let new = disk.0.join("novacron");
    let done = restore(&file, &new, &[]);
    assert!(done.status.success(), "{}", said(&done));
    let pools = daemon.data().join("pools");
    host("cp", &["-a", "--sparse=always", pools.to_str().unwrap(), new.to_str().unwrap()]);
    fs::remove_dir_all(daemon.data()).unwrap();
    let mut moved = Daemon::stopped(&new, &[]);
    moved.up();
    moved.run(&["start", "web"]);
    moved.vm_until("web", "running", |vm| state_of(vm) == "running");
    assert_eq!(moved.sh("web", "head -c 5 /dev/vda"), "moved");
    moved.sh("web", "echo later | dd of=/dev/vda conv=fsync,notrunc 2>/dev/null");
    moved.run(&["snapshot", "restore", "web", "before", "--yes", "--stop"]);
    moved.vm_until("web", "running again", |vm| state_of(vm) == "running");
    assert_eq!(moved.sh("web", "head -c 5 /dev/vda"), "moved");
    moved.run(&["launch", "micro", "second", "--memory", "256MiB"]);
    moved.run(&["delete", "web", "second", "--yes", "--force"]);
}
