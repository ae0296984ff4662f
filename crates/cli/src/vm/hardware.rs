//! Flags that describe a VM's machine, for `create`, `launch` and `set`; what waits for a restart.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::NOUN;
use crate::args::put;
use crate::client::Call;
use crate::failure::Result;
use crate::image;
use crate::session::Session;
use crate::table::text;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Machine")]
pub struct HardwareArgs {
    /// Which guests the machine is made for: windows has SATA disks, an e1000e NIC and local time
    #[arg(long, value_enum)]
    pub preset: Option<Preset>,
    /// What boots the machine
    #[arg(long, value_enum)]
    pub firmware: Option<Firmware>,
    /// Whether it has a TPM 2.0
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    pub tpm: Option<bool>,
    /// ISO in a CD-ROM drive: an image, or a file that is imported first; may be repeated
    #[arg(long = "iso", value_name = "IMAGE|FILE")]
    pub isos: Vec<String>,
    /// Drives in the order in which they are tried (cd0,root)
    #[arg(long, value_name = "DRIVES", value_delimiter = ',')]
    pub boot: Vec<String>,
    /// Whether it refuses to be deleted
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    pub protected: Option<bool>,
    /// Free text
    #[arg(long, value_name = "TEXT")]
    pub notes: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Preset {
    Linux,
    Windows,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Firmware {
    Bios,
    Uefi,
    /// UEFI that boots only what is signed
    UefiSecure,
}

pub async fn revert(session: &Session, name: &str) -> Result<()> {
    let path = format!("{}/revert", NOUN.path(&session.project, name));
    let answer = session.client.call(Call::post(path, &json!({}))).await?;
    session.report(&format!("{} is as its guest has it", NOUN.called(name)), &answer.value)
}

/// What waits for a restart, a line for each; nothing where nothing does.
pub fn pending(vm: &Value) -> String {
    let pending = vm.pointer("/status/pending").and_then(Value::as_array);
    let lines = pending.into_iter().flatten().map(|each| {
        let why = each.pointer("/reason").and_then(Value::as_str);
        let why = why.map(|reason| format!(" ({reason})")).unwrap_or_default();
        format!("{} after restart{why}", text(each, "/text"))
    });
    lines.collect::<Vec<_>>().join("\n")
}

impl HardwareArgs {
    /// What was said, but for the ISOs, which may have to be imported.
    pub fn put(&self, spec: &mut Value) {
        put(spec, "preset", self.preset.as_ref().map(wire));
        put(spec, "firmware", self.firmware.as_ref().map(wire));
        put(spec, "tpm", self.tpm);
        put(spec, "boot", Some(self.boot.as_slice()).filter(|boot| !boot.is_empty()));
        put(spec, "protected", self.protected);
        put(spec, "notes", self.notes.as_deref());
    }
}

/// Names of the images; a file is imported first.
pub async fn images(session: &Session, isos: &[String]) -> Result<Vec<String>> {
    let mut names = Vec::with_capacity(isos.len());
    for iso in isos {
        let is_file = iso.contains('/') || iso.contains('.');
        names.push(if is_file { image::bring(session, iso).await? } else { iso.clone() });
    }
    Ok(names)
}

/// The drives with these media: those that are there first, then further ones. A drive for which
/// there is none is empty.
pub fn cdroms(had: Option<&Value>, isos: &[String]) -> Value {
    let had = had.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let drives = (0..had.len().max(isos.len())).map(|n| {
        let name = had.get(n).map_or_else(|| format!("cd{n}"), |drive| text(drive, "/name"));
        let mut drive = json!({"name": name});
        put(&mut drive, "image", isos.get(n).map(String::as_str));
        drive
    });
    Value::Array(drives.collect())
}

/// As the API spells it.
fn wire(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().replace('-', "_")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_go_into_the_drives_that_are_there() {
        let had = json!([{"name": "dvd", "image": "old"}, {"name": "cd1"}]);
        let isos = ["new".to_owned()];
        let expected = json!([{"name": "dvd", "image": "new"}, {"name": "cd1"}]);
        assert_eq!(cdroms(Some(&had), &isos), expected);
        assert_eq!(cdroms(None, &isos), json!([{"name": "cd0", "image": "new"}]));
        assert_eq!(cdroms(Some(&had), &[]), json!([{"name": "dvd"}, {"name": "cd1"}]));
    }

    #[test]
    fn flags_are_spelt_as_the_api_wants_them() {
        let args = HardwareArgs {
            preset: Some(Preset::Windows),
            firmware: Some(Firmware::UefiSecure),
            tpm: Some(true),
            ..HardwareArgs::default()
        };
        let mut spec = json!({});
        args.put(&mut spec);
        let expected = json!({"preset": "windows", "firmware": "uefi_secure", "tpm": true});
        assert_eq!(spec, expected);
        serde_json::from_value::<novacron_model::vm::VmSpec>(spec).unwrap();
    }

    #[test]
    fn what_waits_is_a_line_each() {
        let vm = json!({"status": {"pending": [
            {"field": "spec.cpus", "text": "CPUs 2 → 4"},
            {"field": "spec.disks", "text": "disk \"data\" added", "reason": "no slot"}]}});
        let lines = "CPUs 2 → 4 after restart\ndisk \"data\" added after restart (no slot)";
        assert_eq!(pending(&vm), lines);
        assert_eq!(pending(&json!({})), "");
    }
}
