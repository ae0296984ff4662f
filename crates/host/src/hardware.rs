//! What this machine is: boot, CPUs, memory, and the evidence for an accelerator.
//!
//! Reads `/proc` and `/dev/kvm` only. What to make of it is the agent's and the driver's.

use std::fs;

use novacron_model::units::Bytes;

/// The machine as the node's report shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hardware {
    pub hostname: String,
    /// Changes with every boot.
    pub boot_id: String,
    /// CPUs that this process may use.
    pub cpus: u32,
    pub cpu_model: String,
    pub memory: Bytes,
}

impl Hardware {
    /// What cannot be read is empty or zero.
    pub fn probe() -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let uname = rustix::system::uname();
        Self {
            hostname: uname.nodename().to_string_lossy().into_owned(),
            boot_id: boot_id(),
            cpus: u32::try_from(cpus).unwrap_or(u32::MAX),
            cpu_model: field(&cpuinfo, "model name").unwrap_or("unknown").to_owned(),
            memory: memory(&meminfo),
        }
    }
}

pub fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

/// How guests' instructions are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accelerator {
    Kvm,
    /// QEMU's translator: correct, but many times slower.
    Tcg,
}

impl Accelerator {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }
}

/// The accelerator of this machine and the evidence for it, as a sentence.
pub fn accelerator() -> (Accelerator, String) {
    let device = fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").map(drop);
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    choose(device.map_err(|error| error.to_string()), &cpuinfo)
}

/// An open `/dev/kvm` alone proves nothing: a host that is itself a guest can offer a device on
/// which stock kernels hang. The CPU must offer vmx (Intel) or svm (AMD) too.
fn choose(device: Result<(), String>, cpuinfo: &str) -> (Accelerator, String) {
    let flags = field(cpuinfo, "flags").unwrap_or_default();
    let flag = flags.split_whitespace().find(|flag| matches!(*flag, "vmx" | "svm"));
    match (device, flag) {
        (Ok(()), Some(flag)) => {
            (Accelerator::Kvm, format!("/dev/kvm opens and the CPU offers {flag}"))
        }
        (Ok(()), None) => (
            Accelerator::Tcg,
            "guests are emulated and slow: /dev/kvm opens, but the CPU offers neither vmx nor svm"
                .to_owned(),
        ),
        (Err(error), _) => (
            Accelerator::Tcg,
            format!("guests are emulated and slow: /dev/kvm does not open ({error})"),
        ),
    }
}

/// The first `name : value` line's value.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

fn memory(meminfo: &str) -> Bytes {
    let kib = field(meminfo, "MemTotal").and_then(|value| value.split_whitespace().next());
    Bytes(kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * Bytes::KIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kvm_needs_the_device_and_the_flag() {
        let with = "processor\t: 0\nflags\t\t: fpu vmx sse\n";
        let without = "processor\t: 0\nflags\t\t: fpu sse vmx_like\n";
        assert_eq!(choose(Ok(()), with).0, Accelerator::Kvm);
        let (accelerator, reason) = choose(Ok(()), without);
        assert_eq!(accelerator, Accelerator::Tcg);
        assert!(reason.contains("neither vmx nor svm"), "{reason}");
        let (accelerator, reason) = choose(Err("Permission denied".to_owned()), with);
        assert_eq!(accelerator, Accelerator::Tcg);
        assert!(reason.contains("Permission denied"), "{reason}");
    }

    #[test]
    fn this_machine_has_cpus_memory_and_a_boot() {
        let hardware = Hardware::probe();
        assert!(hardware.cpus > 0 && hardware.memory.0 > Bytes::MIB, "{hardware:?}");
        assert_eq!(hardware.boot_id.len(), 36, "{hardware:?}");
    }
}
