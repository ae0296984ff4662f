//! Real guests under QEMU: a kernel booted directly, its agent, its port forwards, and a Debian
//! disk booted by the firmware. They are built by `cargo xtask guest`; a test whose guest is not
//! in the cache is skipped with a word, and fails where `NOVACRON_NEED_GUESTS` is set.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use novacron_host::hypervisor::contract::{self, Fixture};
use novacron_host::hypervisor::{
    Agent, Boot, Drive, Exec, ExecOutput, Forward, Handle, Hypervisor, Machine, NicPort, Phase,
    Stop,
};
use novacron_model::Code;
use novacron_model::units::Bytes;
use novacron_model::vm::{DiskBus, GuestAgent, NicModel, Protocol};
use novacron_model::volume::{DiskFormat, IoLimits};
use tokio::io::AsyncReadExt;

use super::qemu::{Qemu, run};

#[tokio::test]
async fn the_agent_of_a_real_guest_answers() {
    let Some((qemu, machine)) = micro() else { return };
    let driver = qemu.driver().await;
    let mut events = driver.events();
    let handle = contract::start(&*driver, &machine).await;
    contract::history_with(&*driver, machine.uid, "micro guest is up", 1).await;
    contract::event(&mut events, machine.uid, "AGENT").await;
    let told = agent_news(&*driver, &handle).await;
    assert!(!told.version.is_empty() && !told.hostname.is_empty(), "{told:?}");
    let agent = driver.guest_agent().unwrap();
    contract::eventually("address", async || {
        let addresses = agent.info(&handle).await.unwrap().addresses;
        Some(()).filter(|()| addresses.contains(&"10.0.2.15".to_owned()))
    })
    .await;
    programs_run(agent, &handle).await;
    files_pass(agent, &handle).await;
    // All that it has lies in memory.
    let refused = driver.freeze().unwrap().freeze(&handle).await.err().unwrap();
    assert!(refused.message.contains("no file systems"), "{refused}");
    assert_eq!(run_in(agent, &handle, &["/bin/true"]).await.exit_code, 0, "it is thawed");
    // A new daemon talks to the same agent; the half-read talk of the old one does not matter.
    drop(driver);
    let driver = qemu.driver().await;
    assert_eq!(contract::observe(&*driver, &handle).await.phase, Phase::Running);
    assert_eq!(agent_news(&*driver, &handle).await.version, told.version);
    // After a reset the agent is away, then back.
    driver.control().unwrap().reset(&handle).await.unwrap();
    contract::history_with(&*driver, machine.uid, "micro guest is up", 2).await;
    agent_news(&*driver, &handle).await;
    driver.stop(&handle, Stop::Agent).await.unwrap();
    contract::phase(&*driver, &handle, Phase::ShutDown).await;
    contract::end(&*driver, &handle).await;
}

async fn programs_run(agent: &dyn Agent, handle: &Handle) {
    let shell = async |script: &str| run_in(agent, handle, &["/bin/sh", "-c", script]).await;
    let said = shell("echo out; echo err >&2; exit 3").await;
    assert_eq!((said.exit_code, &*said.stdout, &*said.stderr), (3, &b"out\n"[..], &b"err\n"[..]));
    assert_eq!(shell("kill -9 $$").await.exit_code, 137);
    let many = shell("head -c 3000000 /dev/zero").await;
    assert_eq!((many.stdout.len(), many.truncated), (3_000_000, false));
    let with = Exec {
        env: vec!["GREETING=hello".to_owned()],
        stdin: b" you".to_vec(),
        ..program(&["/bin/sh", "-c", "printf %s \"$GREETING\"; cat"])
    };
    assert_eq!(agent.exec(handle, &with).await.unwrap().stdout, b"hello you");
    let unknown = agent.exec(handle, &program(&["/no/such"])).await.unwrap_err();
    assert_eq!((unknown.code, unknown.field.as_deref()), (Code::Invalid, Some("argv")));
    let endless =
        Exec { timeout: Duration::from_millis(300), ..program(&["/bin/sleep", "1000000"]) };
    assert_eq!(agent.exec(handle, &endless).await.unwrap_err().code, Code::Timeout);
    // Two at once do not wait for each other: the second wakes the first.
    let wait = ["/bin/sh", "-c", "while ! test -e /tmp/go; do sleep 0.1; done; echo went"];
    let (first, second) = tokio::join!(
        run_in(agent, handle, &wait),
        run_in(agent, handle, &["/bin/sh", "-c", "echo > /tmp/go"])
    );
    assert_eq!((&*first.stdout, second.exit_code), (&b"went\n"[..], 0));
}

async fn files_pass(agent: &dyn Agent, handle: &Handle) {
    let content: Vec<u8> = (0..600_000_u32).map(|n| n.to_le_bytes()[(n % 3) as usize]).collect();
    let path = Path::new("/tmp/a file");
    assert_eq!(agent.push(handle, path, &mut &content[..]).await, Ok(600_000));
    let mut back = Vec::new();
    assert_eq!(agent.pull(handle, path, &mut back).await, Ok(600_000));
    assert!(back == content, "the file came back changed");
    assert_eq!(agent.push(handle, path, &mut &b""[..]).await, Ok(0));
    back.clear();
    assert_eq!(agent.pull(handle, path, &mut back).await, Ok(0));
    let none = agent.pull(handle, Path::new("/no/such"), &mut back).await.unwrap_err();
    assert_eq!(none.code, Code::NotFound, "{none}");
    // What a drive's letter means is up to the guest: to this one it is a name like any other.
    let lettered = Path::new(r"C:\a file");
    assert_eq!(agent.push(handle, lettered, &mut &b"x"[..]).await, Ok(1));
    back.clear();
    assert_eq!(agent.pull(handle, lettered, &mut back).await, Ok(1));
    for bad in ["relative", r"C:relative", "/no/such/dir/file"] {
        let refused = agent.push(handle, Path::new(bad), &mut &b"x"[..]).await.unwrap_err();
        assert_eq!(refused.field.as_deref(), Some("path"), "{refused}");
    }
}

#[tokio::test]
async fn a_forwarded_port_leads_into_the_guest() {
    let Some((qemu, mut machine)) = micro() else { return };
    let port = free_port();
    machine.nics[0].forwards = vec![Forward {
        address: "127.0.0.1".parse().unwrap(),
        host: port,
        guest: 22,
        protocol: Protocol::Tcp,
    }];
    let driver = qemu.driver().await;
    let handle = contract::start(&*driver, &machine).await;
    contract::history_with(&*driver, machine.uid, "micro guest is up", 1).await;
    let greeting = contract::eventually("greeting of ssh", async || greeting(port).await).await;
    assert!(greeting.starts_with(b"SSH-2.0"), "{greeting:?}");
    driver.stop(&handle, Stop::PowerButton).await.unwrap();
    contract::phase(&*driver, &handle, Phase::ShutDown).await;
    contract::end(&*driver, &handle).await;
}

#[tokio::test]
async fn a_debian_disk_boots_by_the_firmware() {
    let Some(image) = cached("debian-", ".qcow2") else { return };
    let qemu = Qemu::new();
    let overlay = qemu.data.join("overlay.qcow2");
    let mut create = Command::new("qemu-img");
    create.args(["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b"]).arg(&image);
    run(create.arg(&overlay).arg("10G"));
    let machine = Machine {
        cpus: 2,
        memory: Bytes::mib(1024),
        drives: vec![Drive {
            serial: "root".to_owned(),
            bus: DiskBus::Virtio,
            boot_index: 1,
            path: overlay,
            format: DiskFormat::Qcow2,
            backing: Some((image, DiskFormat::Qcow2)),
            limits: IoLimits::default(),
        }],
        nics: vec![NicPort {
            mac: [2, 0, 0, 0, 0, 1],
            model: NicModel::Virtio,
            bridge: None,
            forwards: Vec::new(),
        }],
        ..qemu.machine()
    };
    let driver = qemu.driver().await;
    let handle = contract::start(&*driver, &machine).await;
    // It takes minutes on a machine without KVM that is busy.
    contract::history_with(&*driver, machine.uid, "login:", 1).await;
    let told = agent_news(&*driver, &handle).await;
    assert!(told.os.contains("Debian"), "{told:?}");
    let agent = driver.guest_agent().unwrap();
    // The disk's name leads to it by its serial number.
    let found = run_in(agent, &handle, &["/bin/ls", "/dev/disk/by-id/virtio-root"]).await;
    assert_eq!(found.exit_code, 0, "{found:?}");
    let driver = holds_still(&qemu, driver, &handle).await;
    // The agent answers before systemd heeds the button: it may have to be pressed again.
    contract::eventually("shutdown", async || {
        driver.stop(&handle, Stop::PowerButton).await.unwrap();
        let shut_down = contract::phase(&*driver, &handle, Phase::ShutDown);
        tokio::time::timeout(Duration::from_secs(10), shut_down).await.ok()
    })
    .await;
    contract::end(&*driver, &handle).await;
}

/// A guest is frozen and thawed in every way there is; the driver is another one afterwards.
async fn holds_still(
    qemu: &Qemu,
    driver: Box<dyn Hypervisor>,
    handle: &Handle,
) -> Box<dyn Hypervisor> {
    let writes = async |driver: &dyn Hypervisor| {
        let write = program(&["/bin/sh", "-c", "date > /root/now && sync /root/now"]);
        driver.guest_agent().unwrap().exec(handle, &write).await.unwrap().exit_code == 0
    };
    let freeze = driver.freeze().unwrap();
    let frozen = freeze.freeze(handle).await.unwrap();
    // Others wait until the agent may do as they ask.
    let (wrote, thawed) = tokio::join!(writes(&*driver), frozen.thaw());
    assert_eq!((wrote, thawed), (true, Ok(())));
    drop(freeze.freeze(handle).await.unwrap());
    assert!(writes(&*driver).await, "dropped means thawed");

    let held = freeze.freeze(handle).await.unwrap();
    assert!(writes(&*driver).await, "it is thawed when its time is up");
    let late = held.thaw().await.unwrap_err();
    assert!(late.message.contains("longer than"), "{late}");

    let mark = qemu.data.join("run").join(handle.uid.to_string()).join("frozen");
    assert!(!mark.exists(), "a mark is left");
    // The daemon dies.
    std::mem::forget(freeze.freeze(handle).await.unwrap());
    assert!(mark.exists());
    drop(driver);
    let driver = qemu.driver().await;
    assert_eq!(contract::observe(&*driver, handle).await.phase, Phase::Running);
    contract::eventually("thaw", async || Some(()).filter(|()| !mark.exists())).await;
    assert!(writes(&*driver).await, "the next daemon thaws it");

    // The agent hangs: nothing is frozen, and nothing waits for long.
    let agent = driver.guest_agent().unwrap();
    let stop = "(sleep 1; kill -STOP $(pidof qemu-ga); sleep 20; kill -CONT $(pidof qemu-ga)) \
                >/dev/null 2>&1 &";
    run_in(agent, handle, &["/bin/sh", "-c", stop]).await;
    contract::eventually("an agent that hangs", async || {
        driver.freeze().unwrap().freeze(handle).await.err()
    })
    .await;
    contract::eventually("thaw", async || Some(()).filter(|()| !mark.exists())).await;
    contract::eventually("an agent", async || agent.info(handle).await.ok()).await;
    assert!(writes(&*driver).await, "it goes on");
    driver
}

/// A machine with the micro guest's kernel.
pub fn micro() -> Option<(Qemu, Machine)> {
    let bundle = cached("micro-", ".tar")?;
    let qemu = Qemu::new();
    run(Command::new("tar").arg("-xf").arg(bundle).arg("-C").arg(&qemu.data));
    let machine = Machine {
        memory: Bytes::mib(256),
        boot: Boot::Kernel {
            kernel: qemu.data.join("vmlinuz"),
            initrd: Some(qemu.data.join("initrd")),
            cmdline: "console=ttyS0 quiet".to_owned(),
        },
        drives: Vec::new(),
        nics: vec![NicPort {
            mac: [2, 0, 0, 0, 0, 1],
            model: NicModel::Virtio,
            bridge: None,
            forwards: Vec::new(),
        }],
        ..qemu.machine()
    };
    Some((qemu, machine))
}

/// The guest of this name in the cache of `cargo xtask guest`.
fn cached(start: &str, end: &str) -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = set("NOVACRON_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|dir| dir.join("novacron")))
        .or_else(|| set("HOME").map(|dir| dir.join(".cache/novacron")));
    let entries = cache.and_then(|dir| fs::read_dir(dir.join("guests")).ok());
    let guest = entries.into_iter().flatten().flatten().map(|entry| entry.path()).find(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with(start) && name.ends_with(end)
    });
    if guest.is_none() {
        assert!(set("NOVACRON_NEED_GUESTS").is_none(), "no guest {start}*{end} in the cache");
        eprintln!("skipped: `cargo xtask guest` has not built {start}*{end}");
    }
    guest
}

/// What an observation tells of the agent.
pub async fn agent_news(driver: &dyn Hypervisor, handle: &Handle) -> GuestAgent {
    contract::eventually("agent", async || contract::observe(driver, handle).await.agent).await
}

fn program(words: &[&str]) -> Exec {
    Exec {
        argv: words.iter().map(|word| (*word).to_owned()).collect(),
        env: Vec::new(),
        stdin: Vec::new(),
        timeout: Duration::from_mins(2),
    }
}

pub async fn run_in(agent: &dyn Agent, handle: &Handle, words: &[&str]) -> ExecOutput {
    agent.exec(handle, &program(words)).await.unwrap()
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub async fn greeting(port: u16) -> Option<Vec<u8>> {
    let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_nonblocking(true).ok()?;
    let mut stream = tokio::net::TcpStream::from_std(stream).ok()?;
    let mut line = vec![0; 64];
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut line)).await;
    let read = read.ok()?.ok().filter(|read| *read > 0)?;
    line.truncate(read);
    Some(line)
}
