//! The micro guest: a bundle (`image.toml`, kernel, initrd) from Debian's cloud kernel and a
//! busybox initramfs, with the guest agent and an ssh server inside.
//!
//! It lives in memory, has a shell on its serial line and its screen, takes an address by DHCP,
//! reads host name and ssh keys from a `cidata` disk, serves a page on port 80, and obeys the
//! power button. Once up it prints `micro guest is up: HOSTNAME` on the serial line.

mod modules;

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::cpio::Archive;
use super::{apt, run};

/// A change of any of these makes a new guest.
pub const RECIPE: &[&str] = &[
    include_str!("micro.rs"),
    include_str!("micro/modules.rs"),
    include_str!("apt.rs"),
    include_str!("cpio.rs"),
    INIT,
    SETUP,
    AGENT,
    SHUTDOWN,
    DHCP,
    INITTAB,
];

const INIT: &str = include_str!("micro/init");
const SETUP: &str = include_str!("micro/setup");
const AGENT: &str = include_str!("micro/agent");
const SHUTDOWN: &str = include_str!("micro/shutdown");
const DHCP: &str = include_str!("micro/dhcp");
const INITTAB: &str = include_str!("micro/inittab");

const KERNEL: &str = "linux-image-cloud-amd64";
/// Package and program.
const PROGRAMS: [(&str, &str); 2] =
    [("qemu-guest-agent", "usr/sbin/qemu-ga"), ("dropbear-bin", "usr/sbin/dropbear")];
const LOADER: &str = "lib64/ld-linux-x86-64.so.2";

const MANIFEST: &str = r#"format = 1
os = "Micro (Debian kernel, busybox)"
kernel = "vmlinuz"
initrd = "initrd"
cmdline = "console=tty0 console=ttyS0 quiet"
"#;

pub fn build(work: &Path, out: &Path) -> Result<()> {
    let root = fetch(work)?;
    let release = kernel_release(&root)?;
    let initrd = initramfs(&root, &release)?;
    let mut tar = tar::Builder::new(File::create(out)?);
    append(&mut tar, "image.toml", MANIFEST.as_bytes())?;
    append(&mut tar, "vmlinuz", &fs::read(root.join(format!("boot/vmlinuz-{release}")))?)?;
    append(&mut tar, "initrd", &initrd)?;
    tar.into_inner()?.sync_all()?;
    Ok(())
}

/// Unpacks kernel, busybox, the programs and their libraries into one folder.
fn fetch(work: &Path) -> Result<PathBuf> {
    let root = work.join("root");
    let mut packages = apt::closure(&PROGRAMS.map(|(package, _)| package))?;
    let is_library = |name: &str| name.starts_with("lib") || name.starts_with("zlib");
    packages.retain(|name| is_library(name) && !name.contains("perl"));
    packages.extend(PROGRAMS.map(|(package, _)| package.into()));
    packages.push("busybox-static".into());
    let kernels = apt::closure(&[KERNEL])?;
    let is_kernel = |name: &&String| name.starts_with("linux-image-") && *name != KERNEL;
    packages.push(kernels.iter().find(is_kernel).context("apt knows no cloud kernel")?.clone());
    apt::unpack(&packages, &work.join("debs"), &root)?;
    Ok(root)
}

fn kernel_release(root: &Path) -> Result<String> {
    let entry = fs::read_dir(root.join("lib/modules"))?.next().context("no kernel modules")??;
    entry.file_name().into_string().ok().context("a kernel release that is no text")
}

fn initramfs(root: &Path, release: &str) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for dir in ["dev", "proc", "sys", "run", "tmp", "root", "mnt", "var/log"] {
        archive.dir(dir);
    }
    archive.file("init", 0o755, INIT);
    archive.file("etc/setup", 0o755, SETUP);
    archive.file("etc/agent", 0o755, AGENT);
    archive.file("etc/dhcp", 0o755, DHCP);
    archive.file("etc/inittab", 0o644, INITTAB);
    archive.file("sbin/shutdown", 0o755, SHUTDOWN);
    archive.file("etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\n");
    archive.file("etc/shadow", 0o600, "root:*:20000:0:99999:7:::\n");
    archive.file("etc/group", 0o644, "root:x:0:\n");
    archive.file("etc/shells", 0o644, "/bin/sh\n");
    archive.file("etc/nsswitch.conf", 0o644, "passwd: files\ngroup: files\nhosts: files dns\n");
    archive.file("etc/profile", 0o644, "export PS1='\\u@\\h:\\w\\$ ' HOME=/root\ncd\n");
    let about = "PRETTY_NAME=\"NovaCron micro guest\"\nNAME=micro\nID=micro\nVERSION_ID=1\n";
    archive.file("etc/os-release", 0o644, about);
    archive.file("etc/acpi/PWRF/00000080", 0o755, "#!/bin/sh\nexec poweroff\n");
    archive.file("bin/busybox", 0o755, fs::read(root.join("bin/busybox"))?);
    archive.link("bin/sh", "busybox");
    add_programs(&mut archive, root)?;
    modules::add(&mut archive, root, release)?;
    Ok(archive.finish())
}

/// The programs with their libraries, at the places where the loader looks for them.
fn add_programs(archive: &mut Archive, root: &Path) -> Result<()> {
    let libraries = root.join("lib/x86_64-linux-gnu");
    let more = root.join("usr/lib/x86_64-linux-gnu");
    archive.file(LOADER, 0o755, fs::read(root.join(LOADER))?);
    for (_, program) in PROGRAMS {
        archive.file(program, 0o755, fs::read(root.join(program))?);
        let mut list = Command::new(root.join(LOADER));
        list.arg("--library-path").arg(format!("{}:{}", libraries.display(), more.display()));
        for line in run::output(list.arg("--list").arg(root.join(program)))?.lines() {
            // "	libz.so.1 => /…/libz.so.1 (0x…)"; the vdso and the loader have no such form
            let Some((name, rest)) = line.split_once(" => ") else { continue };
            let path = rest.split(" (").next().unwrap_or_default();
            if !Path::new(path).starts_with(root) {
                bail!("{program} needs {name}, which is in none of the fetched packages");
            }
            let place = format!("lib/x86_64-linux-gnu/{}", name.trim());
            archive.file(&place, 0o644, fs::read(path)?);
        }
    }
    // Loaded by name at run time, so not in the list: look-up of users.
    for name in ["libnss_files.so.2", "libnss_dns.so.2"] {
        if let Ok(content) = fs::read(libraries.join(name)) {
            archive.file(&format!("lib/x86_64-linux-gnu/{name}"), 0o644, content);
        }
    }
    Ok(())
}

fn append(tar: &mut tar::Builder<File>, name: &str, content: &[u8]) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(std::fs::Permissions::from_mode(0o644).mode());
    header.set_size(u64::try_from(content.len())?);
    tar.append_data(&mut header, name, content)?;
    Ok(())
}
