//! More of a machine: CD-ROM, UEFI, TPM; changes that wait for a restart.

use std::path::PathBuf;
use std::process::Command;

use crate::daemon::{Daemon, eventually, pid_of, state_of};

/// Code for a BIOS that tells the first serial port where it was loaded from, wherever it stands:
/// `call next; next: pop si; push cs; pop ds; add si, text - next; mov dx, 0x3f8`, then for each
/// byte up to the zero `out dx, al`, then `hlt` for ever.
const BOOT_CODE: [u8; 23] = [
    0xe8, 0, 0, 0x5e, 0x0e, 0x1f, 0x83, 0xc6, 20, 0xba, 0xf8, 0x03, 0xac, 0x84, 0xc0, 0x74, 0x03,
    0xee, 0xeb, 0xf8, 0xf4, 0xeb, 0xfd,
];
pub const SAYS: &str = "booted from the CD-ROM";
const DISK_SAYS: &str = "booted from the disk";

fn boot_code(says: &str, size: usize) -> Vec<u8> {
    let mut code = BOOT_CODE.to_vec();
    code.extend_from_slice(says.as_bytes());
    code.extend_from_slice(b"\r\n\0");
    code.resize(size, 0);
    code
}

/// An ISO that boots, and says so.
pub fn bootable_iso(daemon: &Daemon) -> PathBuf {
    let tree = daemon.data().join("tree");
    std::fs::create_dir(&tree).unwrap();
    std::fs::write(tree.join("boot.bin"), boot_code(SAYS, 2048)).unwrap();
    let iso = daemon.data().join("setup.iso");
    let mut make = Command::new("genisoimage");
    make.args(["-quiet", "-b", "boot.bin", "-no-emul-boot", "-boot-load-size", "4", "-o"]);
    assert!(make.arg(&iso).arg(&tree).status().unwrap().success());
    iso
}

fn command_line(pid: u32) -> String {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    String::from_utf8_lossy(&line).replace('\0', " ")
}

#[test]
fn a_windows_machine_boots_from_its_cd_rom() {
    let daemon = Daemon::start();
    let iso = bootable_iso(&daemon);
    let create = ["vm", "create", "win", "--preset", "windows", "--disk", "1GiB", "--cpus", "1"];
    let cd = ["--memory", "256MiB", "--iso", iso.to_str().unwrap()];
    daemon.run(&[&create[..], &cd].concat());
    daemon.run(&["start", "win"]);
    // The disk comes first and is empty.
    daemon.serial_says("win", SAYS, 1);
    let info = daemon.run(&["info", "win"]);
    assert!(info.contains("cd0 (image setup)"), "{info}");
    let said = daemon.refused(4, &["image", "delete", "setup", "--yes"]);
    assert!(said.contains("VM \"win\""), "{said}");

    daemon.run(&["set", "win", "--protected"]);
    let said = daemon.refused(4, &["delete", "win", "--yes", "--force"]);
    assert!(said.contains("--unprotect"), "{said}");
    daemon.run(&["delete", "win", "--yes", "--force", "--unprotect"]);
    daemon.run(&["image", "delete", "setup", "--yes"]);
}

#[test]
fn drives_are_tried_in_the_order_that_was_said() {
    let daemon = Daemon::start();
    let iso = bootable_iso(&daemon);
    let disk = daemon.data().join("disk.raw");
    let mut sector = boot_code(DISK_SAYS, 512);
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    sector.resize(1 << 20, 0);
    std::fs::write(&disk, sector).unwrap();
    daemon.run(&["image", "import", disk.to_str().unwrap(), "--name", "disk"]);
    let create = ["vm", "create", "web", "--image", "disk", "--cpus", "1", "--memory", "256MiB"];
    daemon.run(&[&create[..], &["--iso", iso.to_str().unwrap()]].concat());
    let boots = |from: &str, of_disk: usize, of_cd: usize| {
        daemon.serial_says("web", from, if from == SAYS { of_cd } else { of_disk });
        let log = daemon.run(&["logs", "web"]);
        let times = (log.matches(DISK_SAYS).count(), log.matches(SAYS).count());
        assert_eq!(times, (of_disk, of_cd), "{log}");
    };
    daemon.run(&["start", "web"]);
    boots(DISK_SAYS, 1, 0);
    let restarted = |order: &str| {
        let set = daemon.cli(&["set", "web", "--boot", order]);
        let said = String::from_utf8_lossy(&set.stderr);
        assert!(set.status.success() && said.contains("after restart"), "{said}");
        daemon.run(&["restart", "web", "--force", "--timeout", "0s"]);
    };
    restarted("cd0,root");
    boots(SAYS, 1, 1);
    restarted("root,cd0");
    boots(DISK_SAYS, 2, 1);
    let said = daemon.refused(2, &["set", "web", "--boot", "cd0,floppy"]);
    assert!(said.contains("floppy"), "{said}");
    daemon.run(&["delete", "web", "--yes", "--force"]);

    daemon.run(&[&create[..], &["--iso", "setup", "--boot", "cd0"]].concat());
    daemon.run(&["start", "web"]);
    boots(SAYS, 0, 1);
}

#[test]
fn uefi_and_a_tpm_are_kept_over_restarts_and_go_with_their_vm() {
    let mut daemon = Daemon::start();
    daemon.import_micro();
    let launch = ["launch", "micro", "web", "--memory", "512MiB", "--cpus", "1"];
    daemon.run(&[&launch[..], &["--firmware", "uefi", "--tpm"]].concat());
    daemon.serial_says("web", "guest is up", 1);
    let vm = daemon.vm("web");
    let kept = daemon.data().join("vms").join(vm["meta"]["uid"].as_str().unwrap());
    let state = kept.join("tpm").join("tpm2-00.permall");
    eventually("the TPM to have written its state", || state.exists());
    assert!(kept.join("variables.fd").exists());
    let pid = pid_of(&vm);
    daemon.kill();
    daemon.up();
    daemon.vm_until("web", "adopted", |vm| state_of(vm) == "running" && pid_of(vm) == pid);
    daemon.run(&["restart", "web", "--force", "--timeout", "30s"]);
    daemon.serial_says("web", "guest is up", 2);
    daemon.run(&["delete", "web", "--yes", "--force"]);
    assert!(!kept.exists());
}

#[test]
fn a_change_that_a_guest_cannot_take_waits_for_its_restart() {
    let daemon = Daemon::start();
    daemon.import_micro();
    daemon.run(&["launch", "micro", "web", "--memory", "256MiB", "--cpus", "1"]);
    let told = |args: &[&str]| {
        let output = daemon.cli(args);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = told(&["set", "web", "--memory", "512MiB", "--cpus", "2"]);
    assert!(said.contains("memory 256 → 512 MiB after restart"), "{said}");
    let info = daemon.run(&["info", "web"]);
    assert!(info.contains("CPUs 1 → 2 after restart"), "{info}");
    let said = told(&["revert", "web"]);
    assert_eq!(said, "");
    assert_eq!(daemon.vm("web")["status"]["pending"], serde_json::json!([]));
    daemon.refused(4, &["revert", "web"]);

    daemon.run(&["set", "web", "--memory", "384MiB"]);
    daemon.run(&["restart", "web"]);
    let vm = daemon.vm_until("web", "restarted", |vm| {
        state_of(vm) == "running" && vm["status"]["pending"] == serde_json::json!([])
    });
    let line = command_line(pid_of(&vm));
    assert!(line.contains("-m size=393216k"), "{line}");
}

#[test]
fn a_running_guest_finds_another_medium_in_its_drive() {
    let daemon = Daemon::start();
    let iso = bootable_iso(&daemon);
    let create = ["vm", "create", "web", "--disk", "1GiB", "--cpus", "1", "--memory", "256MiB"];
    daemon.run(&[&create[..], &["--iso", iso.to_str().unwrap()]].concat());
    daemon.run(&["start", "web"]);
    daemon.serial_says("web", SAYS, 1);
    let pid = pid_of(&daemon.vm("web"));
    let followed = |vm: &serde_json::Value| {
        let has = &vm["status"]["runtime"]["hardware"];
        has["cdroms"] == vm["spec"]["cdroms"] && vm["status"]["pending"] == serde_json::json!([])
    };
    daemon.run(&["set", "web", "--eject"]);
    daemon.vm_until("web", "an empty drive", followed);
    daemon.run(&["set", "web", "--iso", "setup"]);
    let vm = daemon.vm_until("web", "the medium", followed);
    assert_eq!(vm["status"]["runtime"]["hardware"]["cdroms"][0]["image"], "setup");
    daemon.run(&["reset", "web", "--yes"]);
    daemon.serial_says("web", SAYS, 2);
    assert_eq!(pid_of(&daemon.vm("web")), pid, "the same guest");
}
