//! An installed NovaCron: put in place, started as its unit says, restarted and upgraded under a
//! running guest, its guests shut down before the host goes, taken off again.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::daemon::{Daemon, alive, host, pid_of, state_of};

/// A root directory that NovaCron is installed into.
struct Root(PathBuf);

impl Root {
    fn path(&self, absolute: &str) -> PathBuf {
        self.0.join(absolute.trim_start_matches('/'))
    }

    fn script(&self, name: &str, env: &[(&str, &str)]) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../setup").join(name);
        let mut command = Command::new(script);
        for clean in ["PREFIX", "SYSCONFDIR", "STATEDIR", "UNITDIR", "PURGE"] {
            command.env_remove(clean);
        }
        command.env("DESTDIR", &self.0).env("BINARY", env!("CARGO_BIN_EXE_novacron"));
        command.envs(env.iter().copied()).output().unwrap()
    }

    fn install(&self) -> String {
        let done = self.script("install-system", &[]);
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    }

    /// What the unit says under a key.
    fn unit(&self, unit: &str, key: &str) -> Vec<String> {
        let path = self.path("/etc/systemd/system").join(unit);
        let text = fs::read_to_string(path).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{key}="))).unwrap();
        line.split_whitespace().map(str::to_owned).collect()
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// The daemon as `novacron.service` starts it, but for the places and the port.
fn daemon(root: &Root, notify: &Path) -> Daemon {
    let words = root.unit("novacron.service", "ExecStart");
    assert_eq!(words[..3], ["/usr/local/bin/novacron", "server", "--config"]);
    let config = root.path(&words[3]);
    let daemon =
        Daemon::stopped(&root.path("/var/lib/novacron"), &["--config", config.to_str().unwrap()]);
    daemon.env("NOTIFY_SOCKET", notify.to_str().unwrap())
}

/// What `novacron-guests.service` runs, through the socket that it names.
fn guests_unit(root: &Root, key: &str) {
    let words = root.unit("novacron-guests.service", key);
    let socket = root.unit("novacron-guests.service", "Environment").remove(0);
    let (name, socket) = socket.split_once('=').unwrap();
    // The dash says that the unit stands even if its program fails.
    let mut command = Command::new(root.path(words[0].trim_start_matches('-')));
    command.args(&words[1..]).env_remove("NOVACRON_DATA_DIR").env(name, root.path(socket));
    let done = command.output().unwrap();
    assert!(done.status.success(), "{words:?}: {}", said(&done));
}

#[test]
fn an_installed_node_is_restarted_upgraded_and_removed_and_its_guests_live() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let root = Root(dir.path().join("root"));
    let (program, config) =
        (root.path("/usr/local/bin/novacron"), root.path("/etc/novacron/novacron.toml"));
    root.install();
    assert_eq!((mode(&program), mode(&root.path("/var/lib/novacron"))), (0o755, 0o710));
    assert!(fs::read_to_string(&config).unwrap().contains("data_dir = \"/var/lib/novacron\""));
    assert_eq!(root.unit("novacron.service", "KillMode"), ["process"]);
    // A group that only this test has.
    let own = "# my own\n[api]\ngroup = \"4242\"\n";
    fs::write(&config, own).unwrap();

    let notify = UnixDatagram::bind(dir.path().join("notify")).unwrap();
    let mut daemon = daemon(&root, &dir.path().join("notify"));
    daemon.up();
    let mut state = [0; 64];
    let len = notify.recv(&mut state).unwrap();
    assert_eq!(&state[..len], b"READY=1");
    only_the_group_is_let_in(daemon.data());
    daemon.import_micro();
    daemon.run(&["launch", "micro", "web", "--memory", "256MiB"]);
    let pid = pid_of(&daemon.vm("web"));

    // A newer version, while the daemon runs.
    let inode = fs::metadata(&program).unwrap().ino();
    let told = root.install();
    assert!(told.contains("kept as they are"), "{told}");
    assert_ne!(fs::metadata(&program).unwrap().ino(), inode, "put in place by a rename");
    assert_eq!(fs::read_to_string(&config).unwrap(), own);
    daemon.stop();
    assert!(alive(pid));
    daemon.up();
    assert_eq!(pid_of(&daemon.vm("web")), pid, "adopted over the upgrade");

    let refused = root.script("uninstall-system", &[]);
    assert!(!refused.status.success() && said(&refused).contains("daemon runs"), "{refused:?}");
    daemon.stop();
    let refused = root.script("uninstall-system", &[("PURGE", "1")]);
    assert!(!refused.status.success(), "{refused:?}");
    assert!(said(&refused).contains(&pid.to_string()), "{refused:?}");
    assert!(alive(pid) && program.exists());

    daemon.up();
    guests_go_down_and_come_back(&root, &mut daemon, pid);
    guests_unit(&root, "ExecStop");
    daemon.stop();
    let data = root.path("/var/lib/novacron");
    let done = root.script("uninstall-system", &[]);
    assert!(done.status.success(), "{done:?}");
    for kept in ["/var/lib/novacron", "/etc/novacron/novacron.toml"] {
        assert!(said(&done).contains(kept) && root.path(kept).exists(), "{done:?}");
    }
    assert!(!program.exists() && data.join("store").exists());
    let done = root.script("uninstall-system", &[("PURGE", "1")]);
    assert!(done.status.success(), "{done:?}");
    assert!(!data.exists() && !config.exists());
}

/// Before the host goes, and after its next boot.
fn guests_go_down_and_come_back(root: &Root, daemon: &mut Daemon, pid: u32) {
    guests_unit(root, "ExecStop");
    assert!(!alive(pid));
    let vm = daemon.vm("web");
    assert_eq!((state_of(&vm), &vm["spec"]["run"]), ("stopped", &"running".into()));
    assert_eq!(vm["status"]["runtime"]["exit"]["cause"], "requested");
    daemon.kill();
    daemon.up();
    let said = daemon.refused(4, &["start", "web"]);
    assert!(said.contains("shut its guests down") && said.contains("start-guests"), "{said}");
    assert_eq!(state_of(&daemon.vm("web")), "stopped", "a restart of the daemon starts nothing");
    guests_unit(root, "ExecStart");
    daemon.vm_until("web", "running again", |vm| state_of(vm) == "running");
    daemon.sh("web", "true");
}

fn only_the_group_is_let_in(data: &Path) {
    let socket = data.join("api.sock");
    assert_eq!((mode(&socket), mode(data)), (0o660, 0o710));
    assert_eq!(mode(&data.join("store")), 0o700);
    let ask = |groups: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534"]).args(groups);
        command.args(["curl", "-sf", "--unix-socket", socket.to_str().unwrap()]);
        command.arg("http://localhost/v1/session").output().unwrap()
    };
    let member = ask(&["--groups", "4242"]);
    assert!(said(&member).contains("uid 65534"), "{member:?}");
    assert!(!ask(&["--clear-groups"]).status.success(), "a stranger");
    let key = ["--reuid", "65534", "--regid", "65534", "--groups", "4242", "cat"];
    for secret in ["data.key", "store/meta"] {
        let read = Command::new("setpriv").args(key).arg(data.join(secret)).output().unwrap();
        assert!(!read.status.success(), "{secret}");
    }
}

#[test]
fn a_group_that_does_not_exist_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("novacron.toml");
    fs::write(&config, "[api]\ngroup = \"no-such-group\"\n").unwrap();
    let mut command = crate::daemon::novacron();
    command.args(["server", "--sim", "1", "--listen", "127.0.0.1:0", "--config"]).arg(&config);
    let refused = command.arg("--data-dir").arg(dir.path().join("data")).output().unwrap();
    assert!(!refused.status.success());
    assert!(said(&refused).contains("no-such-group"), "{refused:?}");
    assert!(said(&refused).contains("groupadd"), "{refused:?}");
}

#[test]
fn the_units_hold_together() {
    let dir = tempfile::tempdir().unwrap();
    let root = Root(dir.path().join("root"));
    root.install();
    let units = ["novacron.service", "novacron-guests.service"];
    let mut verify = Command::new("systemd-analyze");
    verify.arg("verify");
    let mut texts = BTreeMap::new();
    for unit in units {
        let text = fs::read_to_string(root.path("/etc/systemd/system").join(unit)).unwrap();
        let installed = format!("{}/usr/local/bin", root.0.display());
        let there = dir.path().join(unit);
        fs::write(&there, text.replace("/usr/local/bin", &installed)).unwrap();
        verify.arg(there);
        texts.insert(unit, text);
    }
    let guests = &texts["novacron-guests.service"];
    assert!(guests.contains("After=novacron.service"), "so it is stopped before the daemon");
    assert!(!guests.contains("Requires="), "a restart of the daemon must not stop guests");
    if host("sh", &["-c", "command -v systemd-analyze || true"]).is_empty() {
        return;
    }
    let verified = verify.output().unwrap();
    assert!(verified.status.success() && said(&verified).is_empty(), "{}", said(&verified));
}
