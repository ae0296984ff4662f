//! What only real QEMU processes can show: hostile names and paths, full disks, floods, taken
//! ports, and what a guest's process looks like from outside.

use std::fs;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use novacron_host::hypervisor::contract::{self, Fixture};
use novacron_host::hypervisor::qemu::{QemuConfig, QemuHypervisor};
use novacron_host::hypervisor::{
    Drive, Duplex, Forward, Handle, Hypervisor, Machine, NicPort, Phase,
};
use novacron_model::Code;
use novacron_model::units::Bytes;
use novacron_model::vm::{DiskBus, NicModel, Protocol};
use novacron_model::volume::{DiskFormat, IoLimits};
use rustix::process::{Pid, Signal, getuid, kill_process};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use super::qemu::{Qemu, run};

#[tokio::test]
async fn long_and_hostile_paths_and_names_work() {
    // Longer than a socket's path may be, with everything that option parsers split at.
    let below = format!("a,b=c \"'\\%s;$(x)/{}/ö", "d".repeat(150));
    let qemu = Qemu::at(&below);
    let driver = qemu.driver().await;
    let machine =
        Machine { name: "n,process=x \"',readonly=on\n%s\u{7f}".to_owned(), ..qemu.machine() };
    let handle = contract::start(&*driver, &machine).await;
    contract::history_with(&*driver, machine.uid, "guest is up", 1).await;
    type_line(&*driver, &handle, "abc", "abc").await;
    let mut screen = driver.screen().unwrap().open(&handle).await.unwrap();
    contract::read_until(&mut screen, "RFB").await;
    let snapshots = driver.snapshots().unwrap();
    let tag = Uuid::now_v7();
    snapshots.take(Some(&handle), &machine.drives, tag).await.unwrap();
    drop(driver);
    let driver = qemu.driver().await;
    assert_eq!(driver.find(machine.uid).await, Ok(Some(handle.clone())));
    contract::end(&*driver, &handle).await;
    driver.snapshots().unwrap().restore(&machine.drives, tag).await.unwrap();
}

#[tokio::test]
async fn a_guest_is_cut_off_from_the_daemon() {
    let qemu = Qemu::new();
    // A descriptor that the daemon has inherited without knowing.
    let leaked = fs::File::open("/etc/hostname").unwrap();
    rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty()).unwrap();
    let driver = qemu.driver().await;
    let machine = qemu.machine();
    let handle = contract::start(&*driver, &machine).await;
    let proc = PathBuf::from(format!("/proc/{}", handle.pid));
    let stat = fs::read_to_string(proc.join("stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let pid = handle.pid.to_string();
    assert_eq!((fields[2], fields[3]), (&*pid, &*pid), "group and session are not its own");
    let line = fs::read(proc.join("cmdline")).unwrap();
    assert!(String::from_utf8_lossy(&line).contains(qemu.data.to_str().unwrap()));
    let open: Vec<PathBuf> = fs::read_dir(proc.join("fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .collect();
    assert!(!open.contains(&PathBuf::from("/etc/hostname")), "{}: {open:?}", leaked.as_raw_fd());
    assert_eq!(fs::read_link(proc.join("fd/0")).unwrap(), Path::new("/dev/null"));
    let status = fs::read_to_string(proc.join("status")).unwrap();
    assert!(status.contains("Seccomp:\t2"), "the sandbox is off");
    let limits = fs::read_to_string(proc.join("limits")).unwrap();
    assert!(limits.lines().any(|line| line.starts_with("Max core file size        0")), "{limits}");
    let run_dir = qemu.data.join("run").join(machine.uid.to_string());
    assert_eq!(fs::metadata(run_dir).unwrap().permissions().mode() & 0o777, 0o700);
    contract::end(&*driver, &handle).await;
}

/// NovaCron's groups, in the trees by which service managers kill.
fn novacron_cgroups() -> Vec<PathBuf> {
    let trees = ["systemd", "unified", ""].map(|tree| Path::new("/sys/fs/cgroup").join(tree));
    let groups = trees.map(|tree| tree.join("novacron"));
    groups.into_iter().filter(|group| group.join("cgroup.procs").exists()).collect()
}

/// Waits until the guest is in a group of its own in each tree.
async fn in_own_cgroups(handle: &Handle) {
    contract::eventually("cgroups of the guest's own", || async {
        let groups = novacron_cgroups();
        let own = groups.iter().filter(|group| {
            let members = group.join(handle.uid.to_string()).join("cgroup.procs");
            let members = fs::read_to_string(members).unwrap_or_default();
            members.lines().any(|member| member == handle.pid.to_string())
        });
        (own.count() == groups.len()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_guest_has_a_cgroup_of_its_own_where_it_can() {
    let qemu = Qemu::new();
    let driver = qemu.hypervisor().await;
    let machine = qemu.machine();
    let handle = contract::start(&driver, &machine).await;
    if novacron_cgroups().is_empty() {
        assert!(driver.remarks().iter().any(|remark| remark.contains("cgroup")));
        contract::end(&driver, &handle).await;
        return;
    }
    in_own_cgroups(&handle).await;
    drop(driver);
    // As daemons leave it that die between the start and the first tree, or between two trees.
    let groups = novacron_cgroups();
    for left in 1..=groups.len() {
        for group in groups.iter().rev().take(left) {
            fs::write(group.join("cgroup.procs"), handle.pid.to_string()).unwrap();
        }
        let driver = qemu.hypervisor().await;
        assert_eq!(driver.find(machine.uid).await.unwrap(), Some(handle.clone()));
        in_own_cgroups(&handle).await;
    }
    contract::end(&qemu.hypervisor().await, &handle).await;
}

#[tokio::test]
async fn a_full_disk_halts_the_guest_until_there_is_room() {
    let Some(pool) = SmallPool::mount("6m") else { return };
    let qemu = Qemu::new();
    let driver = qemu.driver().await;
    let machine = Qemu::machine_in(pool.path());
    let mut events = driver.events();
    let handle = contract::start(&*driver, &machine).await;
    contract::history_with(&*driver, machine.uid, "guest is up", 1).await;
    open(&*driver, &handle).await.write_all(b"w").await.unwrap();
    contract::event(&mut events, machine.uid, "BLOCK_IO_ERROR").await;
    let full = contract::phase(&*driver, &handle, Phase::PausedOnIoError).await;
    assert!(full.reason.unwrap().contains("full"));
    // A user's pause is something else, and a resume without room ends in the same place.
    let control = driver.control().unwrap();
    assert_eq!(control.pause(&handle).await.unwrap_err().code, Code::Conflict);
    control.resume(&handle).await.unwrap();
    contract::event(&mut events, machine.uid, "BLOCK_IO_ERROR").await;
    contract::phase(&*driver, &handle, Phase::PausedOnIoError).await;
    // Also a new daemon knows why it is halted.
    drop(driver);
    let driver = qemu.driver().await;
    let seen = contract::observe(&*driver, &handle).await;
    assert_eq!(seen.phase, Phase::PausedOnIoError);
    assert!(seen.reason.unwrap().contains("full"));
    pool.grow("64m");
    driver.control().unwrap().resume(&handle).await.unwrap();
    contract::history_with(&*driver, machine.uid, "done", 1).await;
    contract::end(&*driver, &handle).await;
    run(Command::new("qemu-img").args(["check", "-q"]).arg(&machine.drives[0].path));
}

#[tokio::test]
async fn a_serial_flood_fills_no_disk_and_holds_nothing_up() {
    const HISTORY: u64 = 64 << 10;
    let qemu = Qemu::new();
    let config = QemuConfig { serial_history: HISTORY, ..qemu.config() };
    let driver = QemuHypervisor::new(config.clone()).await.unwrap();
    let machine = qemu.machine();
    let handle = contract::start(&driver, &machine).await;
    contract::history_with(&driver, machine.uid, "guest is up", 1).await;
    open(&driver, &handle).await.write_all(b"f").await.unwrap();
    drop(driver);
    // With no daemon the log grows to its limit and no further, while the guest goes on.
    let run_dir = qemu.data.join("run").join(machine.uid.to_string());
    let live = run_dir.join("serial.live");
    let limit = contract::eventually("end of the log's growth", async || {
        let blocks = || fs::metadata(&live).unwrap().blocks() * 512;
        Some(blocks()).filter(|size| *size >= 4 * HISTORY)
    })
    .await;
    assert!(limit <= 8 * HISTORY, "{limit}");
    let ticks = cpu_ticks(handle.pid);
    contract::eventually("progress of the guest", async || {
        Some(()).filter(|()| cpu_ticks(handle.pid) > ticks + 20)
    })
    .await;
    assert_eq!(fs::metadata(&live).unwrap().blocks() * 512, limit, "it grew past its limit");
    // A new daemon makes room; the line shows what is printed now.
    let driver = QemuHypervisor::new(config).await.unwrap();
    assert_eq!(contract::observe(&driver, &handle).await.phase, Phase::Running);
    contract::eventually("a trimmed log", async || {
        fs::metadata(run_dir.join("serial.log")).ok().filter(|kept| kept.len() == HISTORY)
    })
    .await;
    let mut console = open(&driver, &handle).await;
    contract::read_until(&mut console, &"x".repeat(1000)).await;
    let tail = driver.serial().unwrap().tail(machine.uid, u64::MAX).await.unwrap();
    assert!(tail.len() as u64 <= 5 * HISTORY, "{}", tail.len());
    assert!(tail.ends_with(b"xxxx"));
    contract::end(&driver, &handle).await;
}

#[tokio::test]
async fn a_taken_port_is_named_and_nothing_is_left_behind() {
    let qemu = Qemu::new();
    let driver = qemu.driver().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut machine = qemu.machine();
    machine.nics = vec![NicPort {
        mac: [2, 0, 0, 0, 0, 1],
        model: NicModel::Virtio,
        bridge: None,
        forwards: vec![Forward {
            address: "127.0.0.1".parse().unwrap(),
            host: port,
            guest: 80,
            protocol: Protocol::Tcp,
        }],
    }];
    let error = driver.ensure(&machine).await.unwrap_err();
    assert_eq!(error.code, Code::Conflict);
    assert_eq!(error.message, format!("port {port} on 127.0.0.1 is used by another program"));
    assert_eq!(driver.find(machine.uid).await, Ok(None));
    drop(taken);
    let handle = contract::start(&*driver, &machine).await;
    contract::end(&*driver, &handle).await;
}

#[tokio::test]
async fn a_disk_in_use_is_not_opened_twice() {
    let qemu = Qemu::new();
    let driver = qemu.driver().await;
    let first = qemu.machine();
    let handle = contract::start(&*driver, &first).await;
    let second = Machine { uid: Uuid::now_v7(), ..first };
    let error = driver.ensure(&second).await.unwrap_err();
    assert_eq!(error.code, Code::Conflict);
    assert!(error.message.contains("in use by another process"), "{error}");
    contract::end(&*driver, &handle).await;
}

#[tokio::test]
async fn a_machine_beyond_the_node_says_so() {
    let qemu = Qemu::new();
    let driver = qemu.driver().await;
    let machine = Machine { memory: Bytes(1 << 46), ..qemu.machine() };
    let error = driver.ensure(&machine).await.unwrap_err();
    assert_eq!(error.code, Code::Exhausted, "{error}");
    let mut machine = qemu.machine();
    machine.drives[0].path = qemu.data.join("missing.qcow2");
    let error = driver.ensure(&machine).await.unwrap_err();
    assert!(error.message.contains("missing.qcow2") && error.hint.is_some(), "{error:?}");
    let log = driver.log(machine.uid, 1 << 20).await.unwrap();
    assert!(String::from_utf8_lossy(&log).contains("missing.qcow2"));
}

#[tokio::test]
async fn a_start_that_fails_leaves_no_tpm_behind() {
    let qemu = Qemu::new();
    let driver = qemu.driver().await;
    let mut machine = Machine { tpm: true, ..qemu.machine() };
    let disk = machine.drives[0].path.clone();
    machine.drives[0].path = qemu.data.join("missing.qcow2");
    driver.ensure(&machine).await.unwrap_err();
    assert_eq!(tpms(&qemu.data), 0, "nobody ever spoke with it");
    machine.drives[0].path = disk;
    let handle = contract::start(&*driver, &machine).await;
    assert_eq!(tpms(&qemu.data), 1);
    contract::end(&*driver, &handle).await;
    driver.forget(machine.uid).await.unwrap();
    assert_eq!(tpms(&qemu.data), 0);
}

/// Processes of swtpm with their state below `data`.
fn tpms(data: &std::path::Path) -> usize {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = all.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).into_owned());
    lines.filter(|line| line.starts_with("swtpm") && line.contains(data.to_str().unwrap())).count()
}

#[tokio::test]
async fn a_hung_process_is_destroyed_all_the_same() {
    let qemu = Qemu::new();
    let driver = qemu.driver().await;
    let handle = contract::start(&*driver, &qemu.machine()).await;
    signal(handle.pid, Signal::STOP);
    contract::end(&*driver, &handle).await;
    assert_eq!(contract::observe(&*driver, &handle).await.phase, Phase::Absent);
}

#[tokio::test]
async fn a_pid_given_to_another_process_is_not_adopted() {
    let qemu = Qemu::new();
    let driver = qemu.driver().await;
    let machine = qemu.machine();
    let handle = contract::start(&*driver, &machine).await;
    drop(driver);
    signal(handle.pid, Signal::KILL);
    // The daemon was away; meanwhile the number went to this very process.
    let run_dir = qemu.data.join("run").join(machine.uid.to_string());
    fs::write(run_dir.join("pid"), std::process::id().to_string()).unwrap();
    let driver = qemu.driver().await;
    assert_eq!(driver.find(machine.uid).await, Ok(None));
    let same_pid = Handle { pid: std::process::id(), ..handle };
    let seen = contract::observe(&*driver, &same_pid).await;
    assert_eq!(seen.phase, Phase::Absent);
    assert_eq!(seen.reason.as_deref(), Some("QEMU ended while no daemon watched"));
    driver.destroy(&same_pid).await.unwrap();
    let handle = contract::start(&*driver, &machine).await;
    contract::end(&*driver, &handle).await;
}

#[tokio::test]
async fn without_qemu_the_driver_says_what_to_install() {
    let qemu = Qemu::new();
    let config = QemuConfig { binary: "no-such-qemu".into(), ..qemu.config() };
    let error = QemuHypervisor::new(config).await.err().unwrap();
    assert_eq!(error.code, Code::Unsupported);
    assert!(error.hint.unwrap().contains("qemu-system-x86"));
}

#[tokio::test]
async fn a_guest_without_an_agent_is_told_at_once() {
    let qemu = Qemu::new();
    let driver = qemu.driver().await;
    let handle = contract::start(&*driver, &qemu.machine()).await;
    let error = driver.guest_agent().unwrap().info(&handle).await.unwrap_err();
    assert_eq!(error.code, Code::Unavailable);
    assert!(error.hint.unwrap().contains("qemu-guest-agent"));
    contract::end(&*driver, &handle).await;
}

#[tokio::test]
async fn a_restored_snapshot_holds_what_was_there() {
    let qemu = Qemu::new();
    let driver = qemu.driver().await;
    let machine = qemu.machine();
    let handle = contract::start(&*driver, &machine).await;
    contract::history_with(&*driver, machine.uid, "guest is up", 1).await;
    let (before, after) = (Uuid::now_v7(), Uuid::now_v7());
    let snapshots = driver.snapshots().unwrap();
    snapshots.take(Some(&handle), &machine.drives, before).await.unwrap();
    open(&*driver, &handle).await.write_all(b"w").await.unwrap();
    contract::history_with(&*driver, machine.uid, "done", 1).await;
    snapshots.take(Some(&handle), &machine.drives, after).await.unwrap();
    contract::end(&*driver, &handle).await;
    let disk = &machine.drives[0].path;
    snapshots.restore(&machine.drives, before).await.unwrap();
    assert!(holds(disk, 0x00) && !holds(disk, 0x55));
    snapshots.restore(&machine.drives, after).await.unwrap();
    assert!(holds(disk, 0x55) && !holds(disk, 0x00));
}

#[tokio::test]
async fn many_disks_of_all_kinds_start() {
    let qemu = Qemu::new();
    let driver = qemu.driver().await;
    let mut machine = qemu.machine();
    let image = qemu.data.join("image.raw");
    fs::File::create(&image).unwrap().set_len(1 << 20).unwrap();
    for n in 0..15 {
        let overlay = n % 2 == 0;
        let path = qemu.data.join(format!("{n}"));
        let format = if overlay { DiskFormat::Qcow2 } else { DiskFormat::Raw };
        let mut create = Command::new("qemu-img");
        create.args(["create", "-q", "-f", format.as_str()]);
        if overlay {
            create.args(["-F", "raw", "-b"]).arg(&image);
        }
        run(create.arg(&path).arg("1M"));
        let backing = overlay.then(|| (image.clone(), DiskFormat::Raw));
        let (serial, bus, boot_index) = (format!("disk-{n}"), DiskBus::Virtio, n + 2);
        let limits = IoLimits::default();
        machine.drives.push(Drive { serial, bus, boot_index, path, format, backing, limits });
    }
    machine.cidata = Some(image);
    let handle = contract::start(&*driver, &machine).await;
    contract::history_with(&*driver, machine.uid, "guest is up", 1).await;
    contract::end(&*driver, &handle).await;
}

/// Whether the written range of the disk holds this byte throughout.
fn holds(disk: &Path, byte: u8) -> bool {
    let command = format!("read -P {byte:#x} 32768 16M");
    let output =
        Command::new("qemu-io").args(["-f", "qcow2", "-r", "-c", &command]).arg(disk).output();
    let output = output.unwrap();
    output.status.success() && !String::from_utf8_lossy(&output.stdout).contains("failed")
}

async fn open(driver: &dyn Hypervisor, handle: &Handle) -> Box<dyn Duplex> {
    driver.serial().unwrap().open(handle).await.unwrap()
}

async fn type_line(driver: &dyn Hypervisor, handle: &Handle, typed: &str, answer: &str) {
    let mut line = open(driver, handle).await;
    line.write_all(typed.as_bytes()).await.unwrap();
    contract::read_until(&mut line, answer).await;
}

fn signal(number: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(number).unwrap()).unwrap(), signal).unwrap();
}

/// User and system time that the process has used.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// A tmpfs of a few megabytes.
struct SmallPool(tempfile::TempDir);

impl SmallPool {
    /// `None`, and a word about it, where mounting is not allowed.
    fn mount(size: &str) -> Option<Self> {
        if !getuid().is_root() {
            eprintln!("skipped: mounting a small file system needs root");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let options = format!("size={size},mode=700");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "small"]).arg(dir.path()));
        Some(Self(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn grow(&self, size: &str) {
        run(Command::new("mount").args(["-o", &format!("remount,size={size}")]).arg(self.path()));
    }
}

impl Drop for SmallPool {
    fn drop(&mut self) {
        // Lazily: a guest of a failed test may still have its disk open.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
