//! What the real QEMU makes of the words that a Windows machine is started with where there is KVM.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use novacron_host::hardware::Accelerator;
use novacron_host::hypervisor::Machine;
use novacron_host::hypervisor::contract::{self, Fixture};
use novacron_host::hypervisor::qemu::QemuHypervisor;
use novacron_model::vm::Preset;
use serde_json::{Value, json};

use super::qemu::Qemu;

/// Stands for a QEMU with KVM: the same words but for the accelerator and the CPU that only that has.
const WITHOUT_KVM: &str = "#!/bin/bash\n\
    words=(\"${@/#host,/max,}\")\n\
    for n in \"${!words[@]}\"; do [ \"${words[n]}\" != kvm ] || words[n]=tcg; done\n\
    exec -a qemu-system-x86_64 qemu-system-x86_64 \"${words[@]}\"\n";

struct Monitor(BufReader<UnixStream>);

impl Monitor {
    fn call(&mut self, command: &str, arguments: &Value) -> Value {
        let line = json!({"execute": command, "arguments": arguments, "id": command});
        writeln!(self.0.get_mut(), "{line}").unwrap();
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "QEMU hung up at {command}");
            let mut answer: Value = serde_json::from_str(&line).unwrap();
            if answer["id"] == command {
                assert!(answer["error"].is_null(), "{command} {arguments}: {answer}");
                return answer["return"].take();
            }
        }
    }
}

fn monitor(socket: &Path) -> Monitor {
    let stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let mut monitor = Monitor(BufReader::new(stream));
    monitor.call("qmp_capabilities", &json!({}));
    monitor
}

/// What follows the option on the command line of a live process.
fn option(pid: u32, option: &str) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    let mut words = line.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    words.find(|word| word == option).unwrap();
    words.next().unwrap().into_owned()
}

// The monitor is asked in turn: the driver must let go of it meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_windows_guest_is_shown_what_makes_it_fast_under_kvm() {
    let qemu = Qemu::new();
    let program = qemu.data.join("qemu");
    fs::write(&program, WITHOUT_KVM).unwrap();
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let mut config = qemu.config();
    (config.accelerator, config.binary) = (Some(Accelerator::Kvm), program);
    let driver = QemuHypervisor::new(config.clone()).await.unwrap();
    let machine = Machine { preset: Preset::Windows, ..qemu.machine() };
    let handle = contract::start(&driver, &machine).await;
    let cpu = option(handle.pid, "-cpu");
    assert_eq!(option(handle.pid, "-rtc"), "base=localtime");
    let flags: Vec<_> = cpu.split(',').filter(|flag| flag.starts_with("hv-")).collect();
    // Without these Windows reads its clock through a device and waits in loops.
    for wanted in ["hv-time=on", "hv-stimer=on", "hv-synic=on", "hv-relaxed=on", "hv-vpindex=on"] {
        assert!(flags.contains(&wanted), "{cpu}");
    }
    drop(driver);
    let run = qemu.data.join("run").join(machine.uid.to_string());
    let mut monitor = monitor(&run.join("qmp.sock"));
    let path = monitor.call("query-cpus-fast", &json!({}))[0]["qom-path"].clone();
    for flag in flags {
        let (property, value) = flag.split_once('=').unwrap();
        let has = monitor.call("qom-get", &json!({"path": path, "property": property}));
        let expected = if value == "on" { json!(true) } else { json!(0x1fff) };
        assert_eq!(has, expected, "{flag}");
    }
    drop(monitor);
    contract::end(&QemuHypervisor::new(config).await.unwrap(), &handle).await;
}
