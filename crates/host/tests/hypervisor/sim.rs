//! The contract on simulated guests, and the powers that tests and `--sim` lean on.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use novacron_host::hypervisor::contract::{self, Fixture};
use novacron_host::hypervisor::sim::{SimHypervisor, SimWorld};
use novacron_host::hypervisor::{Boot, Drive, Exec, Handle, Hypervisor, Machine, Phase};
use novacron_model::units::Bytes;
use novacron_model::vm::{DiskBus, Firmware, Preset};
use novacron_model::volume::{DiskFormat, IoLimits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

struct Sim(SimWorld);

impl Sim {
    fn new() -> Self {
        Self(SimWorld::new().with_latency(7, Duration::from_millis(3)))
    }
}

#[async_trait]
impl Fixture for Sim {
    async fn driver(&self) -> Box<dyn Hypervisor> {
        Box::new(SimHypervisor::new(self.0.clone()))
    }

    fn machine(&self) -> Machine {
        let uid = Uuid::now_v7();
        Machine {
            uid,
            name: "web".to_owned(),
            epoch: 1,
            cpus: 1,
            memory: Bytes::mib(64),
            boot: Boot::Firmware,
            drives: vec![Drive {
                serial: "root".to_owned(),
                bus: DiskBus::Virtio,
                boot_index: 1,
                path: format!("/nowhere/{uid}.qcow2").into(),
                format: DiskFormat::Qcow2,
                backing: None,
                limits: IoLimits::default(),
            }],
            cdroms: Vec::new(),
            cidata: None,
            nics: Vec::new(),
            preset: Preset::Linux,
            firmware: Firmware::Bios,
            tpm: false,
            paused: false,
        }
    }

    fn kill(&self, handle: &Handle) {
        self.0.crash(handle.uid);
    }

    async fn bridge(&self, name: &str, there: bool) {
        if there {
            self.0.add_bridge(name);
        } else {
            self.0.remove_bridge(name);
        }
    }
}

novacron_host::hypervisor_contract!(Sim::new());

async fn started() -> (Sim, Box<dyn Hypervisor>, Handle) {
    let sim = Sim::new();
    let driver = sim.driver().await;
    let handle = contract::start(&*driver, &sim.machine()).await;
    (sim, driver, handle)
}

fn command(words: &[&str]) -> Exec {
    Exec {
        argv: words.iter().map(|word| (*word).to_owned()).collect(),
        env: Vec::new(),
        stdin: Vec::new(),
        timeout: Duration::from_mins(1),
    }
}

#[tokio::test]
async fn commands_run_in_the_guest() {
    let (_sim, driver, handle) = started().await;
    let agent = driver.guest_agent().unwrap();
    let code = async |words: &[&str]| agent.exec(&handle, &command(words)).await.unwrap().exit_code;
    assert_eq!(code(&["true"]).await, 0);
    assert_eq!(code(&["false"]).await, 1);
    assert_eq!(code(&["/bin/sh", "-c", "echo a; exit 3"]).await, 3);
    let said = agent.exec(&handle, &command(&["uname", "-a"])).await.unwrap();
    assert!(String::from_utf8(said.stdout).unwrap().starts_with("Linux web "));
    let cat = Exec { stdin: b"typed".to_vec(), ..command(&["cat"]) };
    assert_eq!(agent.exec(&handle, &cat).await.unwrap().stdout, b"typed");
    assert!(agent.exec(&handle, &command(&["nonsense"])).await.is_err());
}

#[tokio::test]
async fn files_are_kept_in_memory() {
    let (_sim, driver, handle) = started().await;
    let agent = driver.guest_agent().unwrap();
    let path = Path::new("/etc/motd");
    assert_eq!(agent.push(&handle, path, &mut &b"hello"[..]).await, Ok(5));
    let mut content = Vec::new();
    assert_eq!(agent.pull(&handle, path, &mut content).await, Ok(5));
    assert_eq!(content, b"hello");
    let said = agent.exec(&handle, &command(&["cat", "/etc/motd"])).await.unwrap();
    assert_eq!(said.stdout, b"hello");
    let missing = agent.pull(&handle, Path::new("/none"), &mut content).await.unwrap_err();
    assert_eq!(missing.code, novacron_model::Code::NotFound);
}

#[tokio::test]
async fn faults_are_seen_as_what_they_are() {
    let (sim, driver, handle) = started().await;
    sim.0.fill_disk(handle.uid);
    assert_eq!(contract::observe(&*driver, &handle).await.phase, Phase::PausedOnIoError);
    driver.control().unwrap().resume(&handle).await.unwrap();
    assert_eq!(contract::observe(&*driver, &handle).await.phase, Phase::Running);
    sim.0.panic(handle.uid);
    assert_eq!(contract::observe(&*driver, &handle).await.phase, Phase::Crashed);
    sim.0.reboot();
    assert_eq!(contract::observe(&*driver, &handle).await.phase, Phase::Absent);
    assert_ne!(sim.0.boot_id(), handle.boot_id);
    sim.0.refuse_starts(Some("no room"));
    assert_eq!(driver.ensure(&sim.machine()).await.unwrap_err().message, "no room");
}

#[tokio::test]
async fn a_deaf_guest_ignores_its_power_button() {
    let (sim, driver, handle) = started().await;
    sim.0.deafen(handle.uid);
    driver.stop(&handle, novacron_host::Stop::PowerButton).await.unwrap();
    assert_eq!(contract::observe(&*driver, &handle).await.phase, Phase::Running);
}

#[tokio::test]
async fn the_serial_line_runs_commands() {
    let (_sim, driver, handle) = started().await;
    let mut line = driver.serial().unwrap().open(&handle).await.unwrap();
    line.write_all(b"ech\x7fho hi\r").await.unwrap();
    contract::read_until(&mut line, "\r\nhi\r\n").await;
}

#[tokio::test]
async fn the_screen_is_drawn_in_the_format_that_is_asked_for() {
    let (_sim, driver, handle) = started().await;
    let mut screen = driver.screen().unwrap().open(&handle).await.unwrap();
    contract::read_until(&mut screen, "RFB 003.008\n").await;
    screen.write_all(b"RFB 003.008\n\x01").await.unwrap();
    let mut security = [0; 2 + 4];
    screen.read_exact(&mut security).await.unwrap();
    assert_eq!(security, [1, 1, 0, 0, 0, 0]);
    screen.write_all(&[1]).await.unwrap();
    let mut server = [0; 24];
    screen.read_exact(&mut server).await.unwrap();
    assert_eq!(server[..4], [640_u16.to_be_bytes(), 400_u16.to_be_bytes()].concat());
    let mut name = vec![0; u32::from_be_bytes(server[20..].try_into().unwrap()) as usize];
    screen.read_exact(&mut name).await.unwrap();
    assert_eq!(name, b"web");
    // 16 bits per pixel, 5-6-5; then a full update, a key, and an incremental one.
    let format = [0, 0, 0, 0, 16, 16, 0, 1, 0, 31, 0, 63, 0, 31, 11, 5, 0, 0, 0, 0];
    let update = |incremental| [3, incremental, 0, 0, 0, 0, 2, 128, 1, 144];
    let full = frame(&mut screen, &[&format[..], &update(0)].concat()).await;
    let key = [4, 1, 0, 0, 0, 0, 0, b'x'];
    let next = frame(&mut screen, &[&update(1)[..], &key].concat()).await;
    assert_eq!((full.len(), next.len()), (640 * 400 * 2, 640 * 400 * 2));
    assert_ne!(full, next, "the key is not shown");
}

async fn frame(screen: &mut Box<dyn novacron_host::hypervisor::Duplex>, request: &[u8]) -> Vec<u8> {
    screen.write_all(request).await.unwrap();
    let mut header = [0; 16];
    screen.read_exact(&mut header).await.unwrap();
    assert_eq!(header[..4], [0, 0, 0, 1]);
    let mut pixels = vec![0; 640 * 400 * 2];
    screen.read_exact(&mut pixels).await.unwrap();
    pixels
}

#[tokio::test(start_paused = true)]
async fn a_freeze_lasts_until_it_is_let_go_and_no_longer_than_a_few_seconds() {
    let (sim, driver, handle) = started().await;
    let freeze = driver.freeze().unwrap();
    let frozen = freeze.freeze(&handle).await.unwrap();
    assert_eq!(sim.0.frozen(), [handle.uid]);
    frozen.thaw().await.unwrap();
    assert!(sim.0.frozen().is_empty());
    let forgotten = freeze.freeze(&handle).await.unwrap();
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(sim.0.frozen().is_empty(), "nobody let it go");
    let late = forgotten.thaw().await.unwrap_err();
    assert!(late.message.contains("longer than"), "{late}");
    // The daemon dies.
    std::mem::forget(freeze.freeze(&handle).await);
    drop(driver);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(sim.0.frozen(), [handle.uid], "nobody is left to let it go");
    let _next = sim.driver().await;
    assert!(sim.0.frozen().is_empty(), "the next daemon thaws it");
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_hangs_costs_a_few_seconds() {
    let (sim, driver, handle) = started().await;
    sim.0.hang_agent(handle.uid, true);
    let begun = tokio::time::Instant::now();
    let refused = driver.freeze().unwrap().freeze(&handle).await.err().unwrap();
    assert!(refused.message.contains("did not freeze"), "{refused}");
    assert!(begun.elapsed() < Duration::from_secs(10) && sim.0.frozen().is_empty());
}
