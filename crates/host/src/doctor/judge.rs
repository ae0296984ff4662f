//! What was seen, and what it means. Pure.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;

use novacron_model::units::Bytes;

use super::{Finding, Verdict};
use crate::hardware::Accelerator;

/// The oldest QEMU that is tested with.
const QEMU_MIN: (u32, u32) = (7, 2);
/// For `pidfd_open`, `openat2`, `close_range`.
const KERNEL_MIN: (u32, u32) = (5, 9);
const SPACE_MIN: Bytes = Bytes::gib(2);
const SPACE_GOOD: Bytes = Bytes::gib(20);
/// One for the host, one for a small guest.
const MEMORY_GOOD: Bytes = Bytes::gib(2);

pub fn qemu(version: Option<&str>, qemu_img: Option<&str>) -> Finding {
    let what = "QEMU";
    let Some(line) = version else {
        // Debian's QEMU conflicts with newer tools from backports.
        let newer = qemu_img.and_then(numbers).is_some_and(|(major, _)| major > QEMU_MIN.0);
        let todo = if newer {
            "apt install -t bookworm-backports qemu-system-x86"
        } else {
            "apt install qemu-system-x86"
        };
        return fail(what, "QEMU is not installed: nothing can run guests", todo);
    };
    match numbers(line) {
        Some(found) if found >= QEMU_MIN => ok(what, line),
        _ => warn(what, format!("{line} is older than 7.2, which is not tested"), "update QEMU"),
    }
}

pub fn qemu_img(version: Option<&str>) -> Finding {
    let what = "qemu-img";
    match version {
        Some(line) => ok(what, line),
        None => fail(
            what,
            "qemu-img is not installed: images cannot be imported",
            "apt install qemu-utils",
        ),
    }
}

pub fn firmware(found: Option<&str>) -> Finding {
    let what = "firmware";
    match found {
        Some(path) => ok(what, format!("UEFI firmware is at {path}, BIOS comes with QEMU")),
        None => warn(
            what,
            "UEFI firmware is not installed: guests boot by BIOS only",
            "apt install ovmf",
        ),
    }
}

pub fn tpm(found: bool) -> Finding {
    let what = "TPM";
    if found {
        return ok(what, "swtpm is installed: VMs can have a TPM".to_owned());
    }
    warn(what, "swtpm is not installed: no VM can have a TPM", "apt install swtpm")
}

pub fn acceleration((accelerator, reason): (Accelerator, String), root: bool) -> Finding {
    let what = "acceleration";
    match accelerator {
        Accelerator::Kvm => ok(what, reason),
        Accelerator::Tcg if reason.contains("ermission denied") && !root => {
            warn(what, reason, "sudo usermod -aG kvm \"$USER\", then log in again")
        }
        Accelerator::Tcg => {
            let todo = "switch on VT-x or AMD-V in the machine's firmware; inside a VM, nested \
                        virtualisation in its host";
            warn(what, reason, todo)
        }
    }
}

pub fn memory(total: Bytes) -> Finding {
    let what = "memory";
    if total >= MEMORY_GOOD {
        return ok(what, format!("{total}, of which 1 GiB is kept for the host"));
    }
    warn(what, format!("{total}: hardly a guest fits beside the host"), "add memory")
}

pub fn port(address: SocketAddr, bound: Result<(), ErrorKind>) -> Finding {
    let what = "port";
    let port = address.port();
    match bound {
        Ok(()) => ok(what, format!("{address} is free")),
        Err(ErrorKind::AddrInUse) => fail(
            what,
            format!("{address} is used by another program"),
            format!("ss -ltnp 'sport = :{port}' shows which; or choose another port"),
        ),
        Err(ErrorKind::PermissionDenied) => fail(
            what,
            format!("{address} may not be opened by this user"),
            "choose a port above 1023",
        ),
        Err(ErrorKind::AddrNotAvailable) => fail(
            what,
            format!("{} is no address of this machine", address.ip()),
            "ip -brief address lists them",
        ),
        Err(kind) => fail(what, format!("{address} cannot be opened: {kind}"), "choose another"),
    }
}

pub fn data_dir(path: &Path, writable: bool, free: Bytes) -> Finding {
    let what = "disk space";
    let shown = path.display();
    if !writable {
        let todo = format!("choose another --data-dir, or: chown \"$USER\" {shown}");
        return fail(what, format!("this user may not write {shown}"), todo);
    }
    let sentence = format!("{free} free for {shown}");
    if free < SPACE_MIN {
        return fail(what, sentence, "free some space, or choose another --data-dir");
    }
    if free < SPACE_GOOD {
        return warn(what, format!("{sentence}: enough for a few small guests"), "free some space");
    }
    ok(what, sentence)
}

pub fn rights(root: bool) -> Finding {
    let what = "rights";
    if root {
        return ok(what, "runs as root: so does QEMU, inside its sandbox and a cgroup of its own");
    }
    warn(
        what,
        "runs without root: guests have user-mode networking and share this user's rights on the \
         host, beyond what QEMU's sandbox takes away",
        "run the server as a user that owns nothing else if guests are not to be trusted",
    )
}

pub fn bridges(lacking: Option<&str>) -> Finding {
    let what = "networks";
    let Some(lacking) = lacking else {
        return ok(what, "of kind user and bridge");
    };
    let todo = "run the server as root if guests are to be on a bridge (docs/networks.md)";
    warn(what, format!("of kind user only: {lacking}"), todo)
}

pub fn sandbox(seccomp: bool) -> Finding {
    let what = "sandbox";
    if seccomp {
        return ok(what, "the kernel has seccomp, which confines QEMU");
    }
    warn(what, "the kernel lacks seccomp: QEMU runs unconfined", "use a kernel with CONFIG_SECCOMP")
}

pub fn cgroups(unified: bool, memory_v1: bool, root: bool) -> Finding {
    let what = "cgroups";
    match (unified, memory_v1) {
        (true, _) if root => ok(what, "version 2"),
        (true, _) => ok(what, "version 2, unused without root"),
        (false, true) => ok(what, "version 1"),
        (false, false) => warn(
            what,
            "there are none: guests' memory and CPU cannot be limited",
            "mount -t cgroup2 none /sys/fs/cgroup",
        ),
    }
}

pub fn kernel(release: &str) -> Finding {
    let what = "kernel";
    match numbers(release) {
        Some(found) if found >= KERNEL_MIN => ok(what, format!("Linux {release}")),
        _ => warn(what, format!("Linux {release} is older than 5.9"), "update the kernel"),
    }
}

/// The first `MAJOR.MINOR` of a text.
fn numbers(text: &str) -> Option<(u32, u32)> {
    text.split_whitespace().find_map(|word| {
        let mut parts = word.split(|c: char| !c.is_ascii_digit());
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    })
}

fn ok(what: &'static str, sentence: impl Into<String>) -> Finding {
    Finding { what, verdict: Verdict::Ok, sentence: sentence.into(), todo: None }
}

fn warn(what: &'static str, sentence: impl Into<String>, todo: impl Into<String>) -> Finding {
    Finding { what, verdict: Verdict::Warn, sentence: sentence.into(), todo: Some(todo.into()) }
}

fn fail(what: &'static str, sentence: impl Into<String>, todo: impl Into<String>) -> Finding {
    Finding { what, verdict: Verdict::Fail, sentence: sentence.into(), todo: Some(todo.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_print() {
        let debian = "QEMU emulator version 7.2.15 (Debian 1:7.2+dfsg-7+deb12u13)";
        assert_eq!(numbers(debian), Some((7, 2)));
        assert_eq!(numbers("qemu-img version 10.0.2 (x)"), Some((10, 0)));
        assert_eq!(numbers("6.1.0-35-cloud-amd64"), Some((6, 1)));
        assert_eq!(numbers("nothing here"), None);
        assert_eq!(qemu(Some(debian), None).verdict, Verdict::Ok);
        assert_eq!(qemu(Some("QEMU emulator version 6.2.0"), None).verdict, Verdict::Warn);
        assert_eq!(kernel("5.4.0-generic").verdict, Verdict::Warn);
    }

    #[test]
    fn a_missing_qemu_is_installed_from_where_its_tools_came() {
        let todo = |tools: &str| qemu(None, Some(tools)).todo.unwrap();
        assert!(todo("qemu-img version 10.0.2").contains("-t bookworm-backports"));
        assert!(!todo("qemu-img version 7.2.15").contains("backports"));
        assert_eq!(qemu(None, None).verdict, Verdict::Fail);
    }

    #[test]
    fn a_closed_kvm_device_is_a_matter_of_groups() {
        let closed = "/dev/kvm does not open (Permission denied (os error 13))";
        let finding = |root| acceleration((Accelerator::Tcg, closed.into()), root);
        assert!(finding(false).todo.unwrap().contains("usermod"));
        assert!(!finding(true).todo.unwrap().contains("usermod"));
        assert_eq!(acceleration((Accelerator::Kvm, "x".into()), true).verdict, Verdict::Ok);
    }

    #[test]
    fn little_space_warns_and_none_fails() {
        let verdict = |free| data_dir(Path::new("/x"), true, free).verdict;
        assert_eq!(verdict(Bytes::gib(30)), Verdict::Ok);
        assert_eq!(verdict(Bytes::gib(5)), Verdict::Warn);
        assert_eq!(verdict(Bytes::mib(5)), Verdict::Fail);
        assert_eq!(data_dir(Path::new("/x"), false, Bytes::gib(30)).verdict, Verdict::Fail);
    }

    #[test]
    fn whatever_is_not_right_says_what_to_do() {
        let address: SocketAddr = "127.0.0.1:7600".parse().unwrap();
        let kinds = [
            ErrorKind::AddrInUse,
            ErrorKind::PermissionDenied,
            ErrorKind::AddrNotAvailable,
            ErrorKind::Other,
        ];
        let mut findings: Vec<_> = kinds.map(|kind| port(address, Err(kind))).into();
        findings.extend([
            qemu_img(None),
            firmware(None),
            rights(false),
            sandbox(false),
            bridges(Some("x")),
        ]);
        findings.extend([cgroups(false, false, true), memory(Bytes::mib(512))]);
        for finding in findings {
            assert!(finding.verdict > Verdict::Ok && finding.todo.is_some(), "{finding:?}");
        }
    }
}
