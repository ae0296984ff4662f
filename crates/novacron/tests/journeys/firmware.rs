//! UEFI: what it boots, what it refuses where only signed code may run, and who guards the keys.

use std::path::PathBuf;

use crate::daemon::{Daemon, eventually, pid_of, state_of};
use crate::qmp::Qmp;

const SAYS: &str = "booted by UEFI";
/// What OVMF says of code that nobody signed whom it trusts.
const REFUSED: &str = "Access Denied";
/// Code that tells the first serial port where it was loaded from: `lea rsi, [rip + text]`,
/// `mov dx, 0x3f8`, then for each byte up to the zero `out dx, al`, then `hlt` for ever.
const CODE: [u8; 22] = [
    0x48, 0x8d, 0x35, 15, 0, 0, 0, 0x66, 0xba, 0xf8, 0x03, 0xac, 0x84, 0xc0, 0x74, 0x03, 0xee,
    0xeb, 0xf8, 0xf4, 0xeb, 0xfd,
];
const SECTOR: usize = 512;

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

/// A program for UEFI as compilers make it (PE32+), with one section.
fn program() -> Vec<u8> {
    let mut file = vec![0; 2 * SECTOR];
    let half = |file: &mut [u8], at, value: u16| put(file, at, &value.to_le_bytes());
    let word = |file: &mut [u8], at, value: u32| put(file, at, &value.to_le_bytes());
    put(&mut file, 0, b"MZ");
    word(&mut file, 0x3c, 0x40);
    put(&mut file, 0x40, b"PE\0\0");
    // x86-64, one section, 240 bytes of the header that follows, executable, large addresses
    for (at, value) in [(0x44, 0x8664), (0x46, 1), (0x54, 240), (0x56, 0x22)] {
        half(&mut file, at, value);
    }
    let optional = 0x58;
    half(&mut file, optional, 0x20b);
    // code, entry point and its base; alignment in memory and in the file; image and headers
    let sizes = [(4, 0x200), (16, 0x1000), (20, 0x1000), (32, 0x1000), (36, 0x200), (56, 0x2000)];
    for (at, value) in sizes.into_iter().chain([(60, 0x200), (108, 16)]) {
        word(&mut file, optional + at, value);
    }
    // an application of UEFI
    half(&mut file, optional + 68, 10);
    let section = optional + 240;
    put(&mut file, section, b".text");
    for (at, value) in [(8, 0x200), (12, 0x1000), (16, 0x200), (20, 0x200), (36, 0x6000_0020)] {
        word(&mut file, section + at, value);
    }
    put(&mut file, SECTOR, &CODE);
    put(&mut file, SECTOR + CODE.len(), format!("{SAYS}\r\n\0").as_bytes());
    file
}

/// An entry of a FAT directory: name and extension padded with spaces.
fn entry(name: &[u8; 11], attributes: u8, cluster: u8, size: u32) -> [u8; 32] {
    let mut entry = [0; 32];
    entry[..11].copy_from_slice(name);
    entry[11] = attributes;
    entry[26] = cluster;
    entry[28..].copy_from_slice(&size.to_le_bytes());
    entry
}

/// A disk of 1.44 MB (FAT12) with the program where removable media have it.
fn bootable_disk(daemon: &Daemon) -> PathBuf {
    let program = program();
    let mut disk = vec![0; 2880 * SECTOR];
    put(&mut disk, 0, b"\xeb\x3c\x90NOVACRON");
    // 512 bytes a sector, one a cluster, one reserved, two tables of nine, 224 names, 2880 sectors
    put(&mut disk, 11, &[0, 2, 1, 1, 0, 2, 224, 0, 0x40, 0x0b, 0xf0, 9, 0, 18, 0, 2, 0]);
    put(&mut disk, 510, &[0x55, 0xaa]);
    for table in [1, 10] {
        // two folders, then a file of two clusters
        put(&mut disk, table * SECTOR, &[0xf0, 0xff, 0xff, 0xff, 0xff, 0xff, 5, 0xf0, 0xff]);
    }
    let cluster = |number: usize| (33 + number - 2) * SECTOR;
    let size = u32::try_from(program.len()).unwrap();
    let folder = 0x10;
    put(&mut disk, 19 * SECTOR, &entry(b"EFI        ", folder, 2, 0));
    for (own, parent, last) in
        [(2, 0, entry(b"BOOT       ", folder, 3, 0)), (3, 2, entry(b"BOOTX64 EFI", 0x20, 4, size))]
    {
        let dots =
            [entry(b".          ", folder, own, 0), entry(b"..         ", folder, parent, 0)];
        put(&mut disk, cluster(own.into()), &[dots[0], dots[1], last].concat());
    }
    put(&mut disk, cluster(4), &program);
    let path = daemon.data().join("signed-by-nobody.raw");
    std::fs::write(&path, disk).unwrap();
    path
}

#[test]
fn secure_boot_refuses_what_plain_uefi_boots() {
    let mut daemon = Daemon::start();
    let disk = bootable_disk(&daemon);
    daemon.run(&["image", "import", disk.to_str().unwrap(), "--name", "unsigned"]);
    let start = |daemon: &Daemon, name: &str, firmware: &[&str]| {
        let create = ["vm", "create", name, "--image", "unsigned", "--cpus", "1"];
        daemon.run(&[&create[..], &["--memory", "256MiB", "--firmware"], firmware].concat());
        daemon.run(&["start", name]);
    };
    start(&daemon, "plain", &["uefi"]);
    daemon.serial_says("plain", SAYS, 1);
    daemon.run(&["delete", "plain", "--yes", "--force"]);

    for (name, firmware) in
        [("secure", &["uefi-secure", "--tpm"][..]), ("bare", &["uefi-secure", "--tpm", "false"])]
    {
        start(&daemon, name, firmware);
        daemon.serial_says(name, REFUSED, 1);
        let log = daemon.run(&["logs", name]);
        assert!(!log.contains(SAYS), "{log}");
        let vm = daemon.vm(name);
        let kept = daemon.data().join("vms").join(vm["meta"]["uid"].as_str().unwrap());
        // Only through system management mode; boot entries are among them.
        let template = std::fs::read("/usr/share/OVMF/OVMF_VARS_4M.ms.fd").unwrap();
        let variables = || std::fs::read(kept.join("variables-secure.fd")).unwrap();
        eventually("variables written by the firmware", || variables() != template);

        daemon.kill();
        let mut qmp = Qmp::of(&daemon, &vm);
        assert_eq!(qmp.property("/machine", "smm"), "on");
        let tree = qmp.monitor("info qtree");
        let flashes = tree.matches("dev: cfi.pflash01").count();
        assert_eq!((flashes, tree.matches("secure = true").count()), (2, 2), "{tree}");
        let tpms = qmp.call("query-tpm", &serde_json::json!({}));
        let models: Vec<_> = tpms.as_array().unwrap().iter().map(|tpm| &tpm["model"]).collect();
        let expected: &[&str] = if name == "secure" { &["tpm-crb"] } else { &[] };
        assert_eq!(models, expected);
        drop(qmp);
        daemon.up();
        let adopted = |now: &serde_json::Value| state_of(now) == "running";
        assert_eq!(pid_of(&daemon.vm_until(name, "adopted", adopted)), pid_of(&vm));
        daemon.run(&["delete", name, "--yes", "--force"]);
        assert!(!kept.exists());
    }
}
