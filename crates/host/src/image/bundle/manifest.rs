//! `image.toml` and `vm.json`: what a bundle says of itself.

use novacron_model::image::ImageMachine;
use novacron_model::{Error, Name, Result, strict};
use serde::{Deserialize, Serialize};

use super::bad;

pub const MANIFEST: &str = "image.toml";
pub const VM: &str = "vm.json";
/// Of bundles that hold a whole VM.
pub const FORMAT: u32 = 2;
/// Of bundles that hold what a VM boots.
const PLAIN_FORMAT: u32 = 1;

/// Linux takes 2048 bytes with the final zero on x86 (`COMMAND_LINE_SIZE`).
const CMDLINE_MAX: usize = 2047;
const DISKS_MAX: usize = 16;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: u32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub os: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vm: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initrd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmdline: Option<String>,
    /// The only one in a bundle without a VM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<DiskEntry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskEntry {
    /// As in the VM.
    pub name: Name,
    /// In the archive.
    pub file: String,
}

impl Manifest {
    pub fn read(text: &str) -> Result<Self> {
        let wrong = |error: toml::de::Error| bad(&format!("{MANIFEST}: {}", error.message()));
        // First of all, so that a later format is told as such whatever else it holds.
        let table: toml::Table = toml::from_str(text).map_err(wrong)?;
        let known = [PLAIN_FORMAT, FORMAT].map(i64::from);
        if let Some(format) = table.get("format").and_then(toml::Value::as_integer)
            && !known.contains(&format)
        {
            return Err(bad(&format!("{MANIFEST} has format {format}, only 1 and 2 are known"))
                .hint("a newer version of NovaCron may have made it"));
        }
        let manifest: Self = toml::from_str(text).map_err(wrong)?;
        manifest.check_fields()?;
        manifest.check_texts()?;
        Ok(manifest)
    }

    fn check_fields(&self) -> Result<()> {
        let whole_vm = self.format == FORMAT;
        let needed = [
            ("vm", self.vm.is_some(), whole_vm),
            ("kernel", self.kernel.is_some(), !whole_vm),
            ("cmdline", self.cmdline.is_some(), !whole_vm || self.kernel.is_some()),
        ];
        if let Some((field, ..)) = needed.iter().find(|(_, given, needed)| *needed && !given) {
            return Err(bad(&format!("{MANIFEST}: missing field `{field}`")));
        }
        let foreign = [
            ("vm", self.vm.is_some() && !whole_vm),
            ("disks", !self.disks.is_empty() && !whole_vm),
            ("disk", self.disk.is_some() && whole_vm),
            ("initrd", self.initrd.is_some() && self.kernel.is_none()),
        ];
        match foreign.iter().find(|(_, foreign)| *foreign) {
            None => Ok(()),
            Some((field, _)) => {
                let format = self.format;
                Err(bad(&format!("{MANIFEST} of format {format} has no use for `{field}` here")))
            }
        }
    }

    fn check_texts(&self) -> Result<()> {
        let cmdline = self.cmdline.as_deref().unwrap_or_default();
        if cmdline.len() > CMDLINE_MAX || cmdline.contains(char::is_control) {
            return Err(bad("its kernel command line is too long or not one line"));
        }
        if self.os.len() > 256 || self.os.contains(char::is_control) {
            return Err(bad("its os is no short text"));
        }
        if self.disks.len() > DISKS_MAX {
            return Err(bad(&format!("it has more than {DISKS_MAX} disks")));
        }
        let twice = |n: usize| self.disks[..n].iter().any(|disk| disk.name == self.disks[n].name);
        match (0..self.disks.len()).find(|n| twice(*n)) {
            None => Ok(()),
            Some(n) => Err(bad(&format!("two disks are named \"{}\"", self.disks[n].name))),
        }
    }

    /// The machine that `vm.json` describes; its disks are those of the manifest.
    pub fn machine(&self, json: &[u8]) -> Result<ImageMachine> {
        let value = serde_json::from_slice(json)
            .map_err(|error| bad(&format!("{VM} is no JSON: {error}")).at(VM))?;
        let machine: ImageMachine = strict::decode(value).map_err(|error| {
            let at = error.field.map_or_else(|| VM.to_owned(), |field| format!("{VM}: {field}"));
            bad(&format!("{VM}: {}", error.message)).at(at)
        })?;
        if machine.cloud_init.as_ref().is_some_and(|told| told.password.is_some()) {
            return Err(secret());
        }
        let held = self.disks.iter().map(|disk| &disk.name);
        if !held.eq(machine.disks.iter().map(|disk| &disk.name)) {
            let message = format!("the disks of {VM} are not those of {MANIFEST}, in their order");
            return Err(bad(&message).at(format!("{VM}: disks")));
        }
        if let Some(n) = machine.cdroms.iter().position(|cdrom| cdrom.image.is_some()) {
            let message = format!("{VM} names an image of another place");
            return Err(bad(&message).at(format!("{VM}: cdroms[{n}].image")));
        }
        Ok(machine)
    }
}

fn secret() -> Error {
    bad(&format!("{VM} holds a password, which nothing keeps secret there"))
        .at(format!("{VM}: cloud_init.password"))
}
