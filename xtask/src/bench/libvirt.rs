//! A private libvirt daemon as a yardstick: own directories, own socket, in a mount namespace.
//!
//! `/dev/kvm` is covered by a read-only file there: where it opens but does not work, libvirt
//! would probe it anew for half a minute at every create.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::create::{overlay, text};

const PATIENCE: Duration = Duration::from_mins(1);
/// About what a disk for cloud-init takes.
const CIDATA_BYTES: u64 = 364 << 10;

pub struct Libvirt {
    dir: PathBuf,
    process: Child,
}

const NAMESPACE: &str = r#"
touch "$1/kvm"
if [ -e /dev/kvm ]; then
    mount --bind "$1/kvm" /dev/kvm
    mount -o remount,bind,ro /dev/kvm
fi
mkdir -p /etc/libvirt /run/libvirt /var/lib/libvirt
mount --bind "$1/etc" /etc/libvirt
mount --bind "$1/run" /run/libvirt
mount --bind "$1/lib" /var/lib/libvirt
exec libvirtd -f "$1/libvirtd.conf" -p "$1/pid"
"#;

impl Libvirt {
    /// `None` without root or without libvirt: that benchmark is then left out.
    pub fn start(dir: &Path) -> Result<Option<Self>> {
        let installed = Command::new("libvirtd").arg("--version").stdout(Stdio::null()).status();
        if !rustix::process::geteuid().is_root() || installed.is_err() {
            println!("create: libvirt is not installed or this is not root; left out");
            return Ok(None);
        }
        let dir = dir.join("libvirt");
        for folder in ["etc", "run", "lib"] {
            fs::create_dir_all(dir.join(folder))?;
        }
        let socket_dir = format!("unix_sock_dir = \"{}\"\n", dir.display());
        fs::write(dir.join("libvirtd.conf"), socket_dir + "auth_unix_rw = \"none\"\n")?;
        let settings = "user = \"root\"\ngroup = \"root\"\nsecurity_driver = \"none\"\n\
                        cgroup_controllers = []\nnamespaces = []\nstdio_handler = \"file\"\n";
        fs::write(dir.join("etc/qemu.conf"), settings)?;
        let process = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-ec", NAMESPACE, "sh"])
            .arg(&dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(dir.join("log"))?)
            .spawn()?;
        let libvirt = Self { dir, process };
        libvirt.wait()?;
        Ok(Some(libvirt))
    }

    fn wait(&self) -> Result<()> {
        let began = Instant::now();
        while !self.virsh(&["list"])?.status.success() {
            if began.elapsed() > PATIENCE {
                bail!("libvirtd: {}", fs::read_to_string(self.dir.join("log"))?);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    fn virsh(&self, args: &[&str]) -> Result<std::process::Output> {
        let socket = self.dir.join("libvirt-sock");
        let uri = format!("qemu+unix:///system?socket={}", socket.display());
        Command::new("virsh").args(["-c", &uri]).args(args).output().context("virsh")
    }

    /// Milliseconds of overlay and `virsh create`; the guest is destroyed again.
    pub fn create(&self, base: &Path, memory_mib: u64) -> Result<f64> {
        let disk = self.dir.join("overlay.qcow2");
        let began = Instant::now();
        overlay(&disk, base)?;
        let domain = self.dir.join("domain.xml");
        let cidata = self.dir.join("cidata.iso");
        File::create(&cidata)?.set_len(CIDATA_BYTES)?;
        fs::write(&domain, domain_xml(text(&disk)?, text(&cidata)?, memory_mib))?;
        let created = self.virsh(&["create", text(&domain)?])?;
        let time = began.elapsed().as_secs_f64() * 1e3;
        if !created.status.success() {
            bail!("virsh create: {}", String::from_utf8_lossy(&created.stderr));
        }
        self.virsh(&["destroy", "bench"])?;
        Ok(time)
    }
}

impl Drop for Libvirt {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _status = self.process.wait();
    }
}

/// The guest that the daemon makes, as libvirt spells it: the same machine, CPU and devices.
fn domain_xml(disk: &str, cidata: &str, memory_mib: u64) -> String {
    // libvirt puts each of the six devices on a port of its own; four stay empty, as with us.
    let port = |index| format!("<controller type='pci' index='{index}' model='pcie-root-port'/>");
    let ports: String = (1..=10).map(port).collect();
    format!(
        "<domain type='qemu'><name>bench</name><memory unit='MiB'>{memory_mib}</memory>\
         <vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os>\
         <features><acpi/></features><cpu mode='maximum'/><devices>\
         <disk type='file' device='disk'><driver name='qemu' type='qcow2'/>\
         <source file='{disk}'/><target dev='vda' bus='virtio'/></disk>\
         <disk type='file' device='disk'><driver name='qemu' type='raw'/>\
         <source file='{cidata}'/><target dev='vdb' bus='virtio'/><readonly/></disk>\
         <interface type='user'><model type='virtio'/></interface>\
         <serial type='pty'/>\
         <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>\
         <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>\
         <video><model type='vga'/></video><graphics type='vnc' port='-1'/>\
         <controller type='usb' model='qemu-xhci'/><input type='tablet' bus='usb'/>\
         <memballoon model='none'/>\
         <controller type='pci' index='0' model='pcie-root'/>{ports}</devices></domain>"
    )
}
