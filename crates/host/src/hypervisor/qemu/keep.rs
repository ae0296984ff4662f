//! What a VM keeps from one start to the next beside its disks: UEFI variables and the TPM's state,
//! in `<data>/vms/<uid>/` (mode 0700).

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use novacron_model::vm::Firmware;
use novacron_model::{Error, Result};
use uuid::Uuid;

use super::command::FirmwareFiles;
use super::run_dir::io_failed;

/// UEFI code and the variables that a new machine begins with: Debian, Fedora, Arch.
const UEFI: [(&str, &str); 4] = [
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
    ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
];
/// The same, with the vendors' keys enrolled.
const UEFI_SECURE: [(&str, &str); 3] = [
    ("/usr/share/OVMF/OVMF_CODE_4M.ms.fd", "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"),
    ("/usr/share/OVMF/OVMF_CODE.ms.fd", "/usr/share/OVMF/OVMF_VARS.ms.fd"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd", "/usr/share/edk2/ovmf/OVMF_VARS.secboot.fd"),
];

const VARIABLES: &str = "variables.fd";
const VARIABLES_SECURE: &str = "variables-secure.fd";

/// Where UEFI firmware lies on this machine.
pub(crate) fn uefi() -> Option<&'static str> {
    find(&UEFI).map(|(code, _)| code)
}

fn find(pairs: &[(&'static str, &'static str)]) -> Option<(&'static str, &'static str)> {
    pairs.iter().copied().find(|(code, vars)| Path::new(code).exists() && Path::new(vars).exists())
}

pub(super) struct Keep {
    path: PathBuf,
}

impl Keep {
    /// `data` is the driver's data directory. Touches nothing.
    pub fn new(data: &Path, uid: Uuid) -> Self {
        Self { path: data.join("vms").join(uid.to_string()) }
    }

    /// The files of this firmware, made at first use; none for a BIOS, which QEMU brings.
    pub fn firmware(&self, firmware: Firmware) -> Result<Option<FirmwareFiles>> {
        let (found, name) = match firmware {
            Firmware::Bios => return Ok(None),
            Firmware::Uefi => (find(&UEFI), VARIABLES),
            Firmware::UefiSecure => (find(&UEFI_SECURE), VARIABLES_SECURE),
        };
        let Some((code, template)) = found else {
            return Err(Error::unsupported("this node has no UEFI firmware")
                .hint("install it there (apt install ovmf), or use firmware bios"));
        };
        let variables = self.path.join(name);
        if !variables.exists() {
            self.create()?;
            copy(Path::new(template), &variables)
                .map_err(|error| io_failed("write the UEFI variables in", &self.path, &error))?;
        }
        Ok(Some(FirmwareFiles { code: code.into(), variables }))
    }

    /// Takes over the UEFI variables of another VM, unless there are own ones: boot entries and
    /// enrolled keys belong to what is on the disks. A TPM's state is one machine's alone.
    pub fn inherit(&self, from: &Self) -> Result<()> {
        for name in [VARIABLES, VARIABLES_SECURE] {
            let (theirs, ours) = (from.path.join(name), self.path.join(name));
            if theirs.exists() && !ours.exists() {
                self.create()?;
                copy(&theirs, &ours)
                    .map_err(|error| io_failed("copy UEFI variables to", &self.path, &error))?;
            }
        }
        Ok(())
    }

    /// Where the TPM's state lies, if it ever had one.
    pub fn tpm_path(&self) -> PathBuf {
        self.path.join("tpm")
    }

    /// The directory of the TPM's state, made at first use.
    pub fn tpm(&self) -> Result<PathBuf> {
        let path = self.tpm_path();
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(|error| io_failed("create", &path, &error))?;
        Ok(path)
    }

    pub fn remove(&self) -> Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(io_failed("remove", &self.path, &error))
            }
            _ => Ok(()),
        }
    }

    fn create(&self) -> Result<()> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.map_err(|error| io_failed("create", &self.path, &error))
    }
}

/// Whole or not at all, also after a crash.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    let unfinished = to.with_extension("new");
    fs::write(&unfinished, fs::read(from)?)?;
    File::open(&unfinished)?.sync_all()?;
    fs::rename(&unfinished, to)?;
    File::open(to.parent().unwrap_or(Path::new("/")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_made_once_and_kept_apart() {
        let data = tempfile::tempdir().unwrap();
        let keep = Keep::new(data.path(), Uuid::nil());
        assert_eq!(keep.firmware(Firmware::Bios).unwrap(), None);
        let plain = keep.firmware(Firmware::Uefi).unwrap().unwrap();
        let secure = keep.firmware(Firmware::UefiSecure).unwrap().unwrap();
        assert_ne!(plain.variables, secure.variables);
        fs::write(&plain.variables, "written by the guest").unwrap();
        let again = keep.firmware(Firmware::Uefi).unwrap().unwrap();
        assert_eq!(fs::read(again.variables).unwrap(), b"written by the guest");
        let clone = Keep::new(data.path(), Uuid::max());
        for own in ["written by the guest", "its own"] {
            clone.inherit(&keep).unwrap();
            let variables = clone.firmware(Firmware::Uefi).unwrap().unwrap().variables;
            assert_eq!(fs::read(&variables).unwrap(), own.as_bytes());
            fs::write(variables, "its own").unwrap();
        }
        keep.remove().unwrap();
        keep.remove().unwrap();
        assert!(!data.path().join("vms").join(Uuid::nil().to_string()).exists());
    }
}
