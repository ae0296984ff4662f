//! The debian guest: a qcow2 disk with Debian 12, GRUB for BIOS, cloud-init (NoCloud), the guest
//! agent and ssh; its console is on the serial line.
//!
//! The script `make` does what needs root, through `sudo` where the caller is someone else. The
//! system comes from the apt sources of this machine; the partition grows into larger disks.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::run;

const SUITE: &str = "bookworm";
const MAKE: &str = include_str!("debian/make");

/// Beside the script: path and content.
const FILES: &[(&str, &str)] = &[
    ("packages", include_str!("debian/packages")),
    ("grub.cfg", include_str!("debian/grub.cfg")),
    (
        "etc/cloud/cloud.cfg.d/90_novacron.cfg",
        include_str!("debian/etc/cloud/cloud.cfg.d/90_novacron.cfg"),
    ),
    (
        "etc/initramfs-tools/conf.d/novacron",
        include_str!("debian/etc/initramfs-tools/conf.d/novacron"),
    ),
    ("etc/initramfs-tools/modules", include_str!("debian/etc/initramfs-tools/modules")),
    (
        "etc/systemd/network/90-dhcp.network",
        include_str!("debian/etc/systemd/network/90-dhcp.network"),
    ),
    ("etc/kernel-img.conf", include_str!("debian/etc/kernel-img.conf")),
];

/// A change of any of these makes a new guest.
pub fn recipe() -> Vec<&'static str> {
    let files = FILES.iter().flat_map(|(path, content)| [*path, *content]);
    [include_str!("debian.rs"), MAKE].into_iter().chain(files).collect()
}

pub fn build(work: &Path, out: &Path) -> Result<()> {
    let mirror = mirror()?;
    let script = work.join("make");
    fs::write(&script, MAKE)?;
    for (path, content) in FILES {
        let path = work.join(path);
        fs::create_dir_all(path.parent().unwrap_or(work))?;
        fs::write(path, content)?;
    }
    let disk = work.join("disk.raw");
    // Mounts of its own, which end with it however it ends.
    let mut script_run = as_root(work, "unshare")?;
    script_run.args(["--mount", "--propagation", "private", "sh"]).arg(script);
    let made = run::run(script_run.arg(work).args([SUITE, &mirror]).arg(&disk));
    if made.is_err() {
        // What root has made, only root can remove.
        run::run(as_root(work, "rm")?.arg("-rf").arg(work.join("root")))?;
    }
    made?;
    let mut convert = Command::new("qemu-img");
    convert.args(["convert", "-f", "raw", "-O", "qcow2"]).arg(&disk).arg(out);
    run::run(&mut convert)
}

/// Where this machine gets Debian 12 from.
fn mirror() -> Result<String> {
    let format = "$(CODENAME) $(COMPONENT) $(REPO_URI)";
    let mut targets = Command::new("apt-get");
    let listed = run::output(targets.args(["indextargets", "--format", format]))?;
    let wanted = format!("{SUITE} main ");
    let uri = listed.lines().find_map(|line| line.strip_prefix(&wanted));
    uri.map(String::from).with_context(|| {
        format!(
            "the debian guest is made on Debian 12: the apt sources of this machine have no \
             \"{SUITE} main\"; the micro guest has no such need"
        )
    })
}

/// The program as root.
fn as_root(work: &Path, program: &str) -> Result<Command> {
    use std::os::unix::fs::MetadataExt;
    if fs::metadata(work)?.uid() == 0 {
        return Ok(Command::new(program));
    }
    let may = Command::new("sudo").args(["-v"]).status().is_ok_and(|status| status.success());
    if !may {
        bail!("the debian guest is made as root; run this as root or install and allow sudo");
    }
    let mut command = Command::new("sudo");
    command.arg(program);
    Ok(command)
}
