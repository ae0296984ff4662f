//! The daemon is killed while `qemu-img` stands at a known step: nothing is left, nothing is spoilt,
//! and what was asked for comes to its end or can be asked for again.

use std::cell::RefCell;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::{Daemon, eventually, host, listed, state_of};
use crate::halting_tool::{HaltingTool, Moment};

/// Bytes that do not compress and differ by their number.
pub fn noise(number: u32, mib: u32) -> Vec<u8> {
    let words = (0..mib << 18).map(|n| (n ^ 0x9e37).wrapping_mul(0x9e37_79b1 ^ (number << 8)));
    words.flat_map(u32::to_le_bytes).collect()
}

/// A daemon whose `qemu-img` halts where it is told to.
struct Scene {
    dir: TempDir,
    tool: HaltingTool,
    daemon: Daemon,
}

impl Scene {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tool = HaltingTool::new(dir.path());
        let daemon = Daemon::stopped(&dir.path().join("data"), &[]);
        let mut daemon = daemon.env("PATH", &tool.search_path());
        daemon.up();
        Self { dir, tool, daemon }
    }

    /// The VM `web` with two disks that hold what the files `one` and `two` do; never started.
    fn with_vm() -> Self {
        let scene = Self::start();
        for (number, name) in [(1, "one"), (2, "two")] {
            fs::write(scene.file(name), noise(number, 12)).unwrap();
            let file = scene.file(name);
            scene.daemon.run(&["image", "import", file.to_str().unwrap(), "--name", name]);
        }
        scene.daemon.run(&["vm", "create", "web", "--image", "one", "--disk", "32MiB"]);
        scene.daemon.run(&["volume", "create", "data", "--image", "two", "--size", "32MiB"]);
        scene.daemon.run(&["volume", "attach", "data", "web"]);
        scene
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn incoming(&self) -> Vec<String> {
        listed(&self.daemon.data().join("pools/default/incoming"))
    }

    fn begin(&self, args: &[&str]) -> Child {
        let mut command = self.daemon.command();
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// The daemon dies while the tool stands at this step, and the next one begins.
    fn dies_at(&mut self, moment: Moment, words: &str, nth: u32, args: &[&str]) -> Child {
        self.tool.halt(moment, words, nth);
        let client = self.begin(args);
        self.tool.stands();
        self.daemon.kill();
        self.tool.let_go();
        self.daemon.up();
        client
    }

    /// The volume's file, by its name.
    fn volume(&self, name: &str) -> String {
        let volume = self.daemon.json(&["volume", "show", name]);
        let file = format!("{}.qcow2", volume["meta"]["uid"].as_str().unwrap());
        let path = self.daemon.data().join("pools/default/volumes").join(file);
        path.to_str().unwrap().to_owned()
    }

    /// Whether the disk begins with what the file holds; zeros behind that count for nothing.
    fn assert_same(&self, disk: &str, file: &str) {
        host("qemu-img", &["check", "-q", "-f", "qcow2", disk]);
        let file = self.file(file);
        host(
            "qemu-img",
            &["compare", "-q", "-f", "qcow2", "-F", "raw", disk, file.to_str().unwrap()],
        );
    }

    fn settled(&self) {
        self.daemon.until(&["task", "list"], "at rest", |tasks| {
            tasks.as_array().unwrap().iter().all(|task| task["status"]["state"] != "running")
        });
    }
}

const STEPS: [(Moment, u32); 4] =
    [(Moment::Before, 1), (Moment::After, 1), (Moment::Before, 2), (Moment::After, 2)];

#[test]
fn an_export_of_a_vm_whose_daemon_dies_leaves_nothing() {
    let mut scene = Scene::with_vm();
    let target = scene.file("out");
    fs::create_dir(&target).unwrap();
    let tar = target.join("web.tar").to_str().unwrap().to_owned();
    let nothing_is_left = |scene: &Scene| {
        assert_eq!(scene.incoming(), Vec::<String>::new());
        assert_eq!(listed(&target), Vec::<String>::new());
        assert_eq!(state_of(&scene.daemon.vm("web")), "stopped");
        scene.assert_same(&scene.volume("web-root"), "one");
        scene.assert_same(&scene.volume("data"), "two");
    };
    for (moment, nth) in STEPS {
        let mut client = scene.dies_at(moment, "convert -U", nth, &["export", "web", &tar]);
        assert_eq!(client.wait().unwrap().code(), Some(6), "{moment:?} {nth}");
        nothing_is_left(&scene);
    }

    // While it is on its way: more than fits between the two is yet to be sent.
    let socket = scene.daemon.data().join("api.sock");
    let mut reader = UnixStream::connect(socket).unwrap();
    let head = "GET /v1/projects/default/vms/web/export HTTP/1.1\r\nHost: localhost\r\n\r\n";
    reader.write_all(head.as_bytes()).unwrap();
    let mut begun = [0; 4096];
    reader.read_exact(&mut begun).unwrap();
    assert!(begun.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&begun));
    scene.daemon.kill();
    let mut rest = Vec::new();
    let _broken = reader.read_to_end(&mut rest);
    assert!(rest.len() < 20 << 20, "the answer was sent whole: {}", rest.len());
    scene.daemon.up();
    nothing_is_left(&scene);

    scene.daemon.run(&["export", "web", &tar]);
    host("tar", &["xf", &tar, "-C", target.to_str().unwrap()]);
    for (disk, file) in [("disk-root.qcow2", "one"), ("disk-data.qcow2", "two")] {
        scene.assert_same(target.join(disk).to_str().unwrap(), file);
    }
}

#[test]
fn an_import_of_a_vm_outlives_the_daemons_deaths() {
    let mut scene = Scene::with_vm();
    let tar = scene.file("web.tar").to_str().unwrap().to_owned();
    scene.daemon.run(&["export", "web", &tar]);
    let import = ["import", &tar, "again"];
    let whole_and_gone = |scene: &Scene, mut client: Child, when: &str| {
        assert!(client.wait().unwrap().success(), "{when}: {}", scene.daemon.log());
        assert_eq!(state_of(&scene.daemon.vm("again")), "stopped", "{when}");
        scene.assert_same(&scene.volume("again-root"), "one");
        scene.assert_same(&scene.volume("again-data"), "two");
        assert_eq!(scene.incoming(), Vec::<String>::new(), "{when}");
        scene.daemon.run(&["delete", "again", "--yes"]);
        scene.daemon.run(&["image", "delete", "again", "--yes"]);
        let left = listed(&scene.daemon.data().join("pools/default/images"));
        assert_eq!(left.len(), 2, "{when}: {left:?}");
    };
    for (moment, nth) in STEPS {
        let client = scene.dies_at(moment, "check -q", nth, &import);
        whole_and_gone(&scene, client, &format!("{moment:?} {nth}"));
    }

    // While it is sent.
    let client = RefCell::new(scene.begin(&import));
    let incoming = scene.daemon.data().join("pools/default/incoming");
    let ended = || client.borrow_mut().try_wait().unwrap().is_some();
    eventually("a part of it, or all", || has_part(&incoming) || ended());
    scene.daemon.kill();
    scene.daemon.up();
    whole_and_gone(&scene, client.into_inner(), "sending");
}

/// Whether bytes of an upload have come.
fn has_part(incoming: &Path) -> bool {
    listed(incoming).iter().any(|folder| {
        let part = incoming.join(folder).join("source.part");
        fs::metadata(part).is_ok_and(|part| part.len() > 0)
    })
}

#[test]
fn a_volume_that_grows_while_its_daemon_dies_has_its_new_size_and_all_it_held() {
    let mut scene = Scene::with_vm();
    let has = |volume: &Value, size: u64| volume["status"]["data"]["size"] == size;
    for (moment, gib) in [(Moment::Before, 1), (Moment::After, 2)] {
        let resize = ["volume", "resize", "data", &format!("{gib}GiB")];
        let mut client = scene.dies_at(moment, "resize -q", 1, &resize);
        scene.daemon.until(&["volume", "show", "data"], "grown", |it| has(it, gib << 30));
        client.wait().unwrap();
        let disk = scene.volume("data");
        scene.assert_same(&disk, "two");
        let info = host("qemu-img", &["info", "--output=json", "-f", "qcow2", &disk]);
        let info: Value = serde_json::from_str(&info).unwrap();
        assert_eq!(info["virtual-size"], gib << 30, "{moment:?}");
    }
    assert_eq!(scene.incoming(), Vec::<String>::new());
}

#[test]
fn a_restore_whose_daemon_dies_comes_to_its_end() {
    let mut scene = Scene::start();
    scene.daemon.import_micro();
    scene.daemon.run(&["volume", "create", "data", "--size", "32MiB"]);
    let create = ["vm", "create", "web", "--image", "micro", "--memory", "256MiB"];
    scene.daemon.run(&[&create[..], &["--disk", "32MiB", "--volume", "data"]].concat());
    let disks = [scene.volume("web-root"), scene.volume("data")];
    // As a guest would: it is stopped.
    let on_disks = |verb: &str, byte: &str| {
        let command = format!("{verb} -P {byte} 0 64k");
        disks.each_ref().map(|disk| host("qemu-io", &["-f", "qcow2", "-c", &command, disk]))
    };
    on_disks("write", "0x31");
    scene.daemon.run(&["snapshot", "create", "web", "before"]);
    scene.daemon.run(&["volume", "resize", "data", "64MiB"]);
    let restore = ["snapshot", "restore", "web", "before", "--yes"];
    let applies = STEPS.map(|(moment, nth)| (moment, "--image-opts -a", nth));
    // What was grown since grows again.
    let grows = [(Moment::Before, "resize -q", 1), (Moment::After, "resize -q", 1)];
    for (moment, words, nth) in applies.into_iter().chain(grows) {
        on_disks("write", "0x32");
        let mut client = scene.dies_at(moment, words, nth, &restore);
        client.wait().unwrap();
        scene.settled();
        for told in on_disks("read", "0x31") {
            assert!(!told.contains("failed"), "{moment:?} {words} {nth}: {told}");
        }
        for disk in &disks {
            host("qemu-img", &["check", "-q", "-f", "qcow2", disk]);
        }
    }
    scene.daemon.run(&["start", "web"]);
    let seen =
        scene.daemon.sh("web", "head -c 2 /dev/vda; head -c 2 /dev/vdb; cat /sys/block/vdb/size");
    assert_eq!(seen, "1111131072\n");
}
