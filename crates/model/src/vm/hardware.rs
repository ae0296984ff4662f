//! The machine that a guest sees: what a spec asks for, what a running guest was given, and how the
//! two differ.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::device::{Disk, Nic};
use super::{Runtime, VmSpec, VmState};
use crate::name::Name;
use crate::units::Bytes;

/// Which guests the machine is made for: the kinds of devices that they find drivers for.
///
/// | | `linux` | `windows` |
/// |---|---|---|
/// | disks | virtio | SATA |
/// | NICs | virtio | e1000e |
/// | hardware clock | UTC | local time |
/// | Hyper-V enlightenments | no | yes |
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    #[default]
    Linux,
    Windows,
}

impl Preset {
    pub fn disk_bus(self) -> DiskBus {
        match self {
            Self::Linux => DiskBus::Virtio,
            Self::Windows => DiskBus::Sata,
        }
    }

    pub fn nic_model(self) -> NicModel {
        match self {
            Self::Linux => NicModel::Virtio,
            Self::Windows => NicModel::E1000e,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DiskBus {
    Virtio,
    Sata,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NicModel {
    Virtio,
    E1000e,
}

/// What boots the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Firmware {
    #[default]
    Bios,
    Uefi,
    /// UEFI that boots only what is signed by a vendor's key.
    UefiSecure,
}

/// A CD-ROM drive; without an image it is empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Cdrom {
    /// Unique in the VM, also among its disks.
    pub name: Name,
    /// An image of kind `iso`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Name>,
}

/// The part of a spec that makes the machine. The agent keeps it for a running guest, because the
/// spec may go ahead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hardware {
    pub cpus: u32,
    pub memory: Bytes,
    #[serde(default)]
    pub preset: Preset,
    #[serde(default)]
    pub firmware: Firmware,
    #[serde(default)]
    pub tpm: bool,
    #[serde(default)]
    pub boot: Vec<String>,
    #[serde(default)]
    pub disks: Vec<Disk>,
    #[serde(default)]
    pub cdroms: Vec<Cdrom>,
    #[serde(default)]
    pub nics: Vec<Nic>,
}

/// A change of the spec that the running guest does not have yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pending {
    /// The field of the spec.
    pub field: String,
    /// What changes: `memory 4 → 8 GiB`.
    pub text: String,
    /// Why the running guest did not take it, where that was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl VmSpec {
    pub fn hardware(&self) -> Hardware {
        Hardware {
            cpus: self.cpus,
            memory: self.memory,
            preset: self.preset,
            firmware: self.firmware,
            tpm: self.tpm,
            boot: self.boot.clone(),
            disks: self.disks.clone(),
            cdroms: self.cdroms.clone(),
            nics: self.nics.clone().unwrap_or_default(),
        }
    }

    /// Asks again for the machine that a guest has, but for disks and CD-ROMs: those come and go
    /// while it runs.
    pub fn revert_to(&mut self, had: &Hardware) {
        (self.cpus, self.memory, self.preset) = (had.cpus, had.memory, had.preset);
        (self.firmware, self.tpm) = (had.firmware, had.tpm);
        let (disks, cdroms) = (&self.disks, &self.cdroms);
        let drives = disks.iter().map(|disk| disk.name.as_str());
        let drives: Vec<_> = drives.chain(cdroms.iter().map(|cdrom| cdrom.name.as_str())).collect();
        let is_there = |name: &&String| drives.contains(&name.as_str());
        self.boot = had.boot.iter().filter(is_there).cloned().collect();
        self.nics = Some(had.nics.clone());
    }
}

/// What waits for the next start of a live guest; nothing for one that is down. What it takes while
/// it runs is on its way, unless it was refused.
pub(super) fn pending(spec: &VmSpec, runtime: Option<&Runtime>) -> Vec<Pending> {
    let Some(runtime) = runtime else { return Vec::new() };
    let live = matches!(runtime.state, VmState::Running | VmState::Paused | VmState::Stopping);
    let Some(has) = runtime.hardware.as_ref().filter(|_| live) else { return Vec::new() };
    let (mut soon, wanted) = (has.clone(), spec.hardware());
    let refused = |device: &str| runtime.refused.iter().find(|refused| refused.device == device);
    for change in has.live_changes(&wanted) {
        if refused(&change.device()).is_none() {
            soon.follow(&change);
        }
    }
    let with_reason = |difference: Difference| Pending {
        field: format!("spec.{}", difference.field),
        reason: difference.device.and_then(|device| Some(refused(&device)?.error.message.clone())),
        text: difference.text,
    };
    soon.differences(&wanted).into_iter().map(with_reason).collect()
}

/// One way in which two machines differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Of the spec: `memory`.
    pub field: &'static str,
    /// Which of several devices.
    pub device: Option<String>,
    /// `memory 4 → 8 GiB`.
    pub text: String,
}

impl Hardware {
    /// What has to change for this machine to become the `wanted` one.
    pub fn differences(&self, wanted: &Self) -> Vec<Difference> {
        let mut all = Vec::new();
        let mut note = |field, text| all.push(Difference { field, device: None, text });
        if self.cpus != wanted.cpus {
            note("cpus", format!("CPUs {} → {}", self.cpus, wanted.cpus));
        }
        if self.memory != wanted.memory {
            note("memory", format!("memory {}", from_to(self.memory, wanted.memory)));
        }
        if self.preset != wanted.preset {
            note("preset", format!("preset {} → {}", word(&self.preset), word(&wanted.preset)));
        }
        if self.firmware != wanted.firmware {
            let text = format!("firmware {} → {}", word(&self.firmware), word(&wanted.firmware));
            note("firmware", text);
        }
        if self.tpm != wanted.tpm {
            note("tpm", if wanted.tpm { "TPM added" } else { "TPM removed" }.to_owned());
        }
        if self.boot != wanted.boot {
            note("boot", "boot order changed".to_owned());
        }
        // Whether a volume goes with its VM is nothing that a guest could see.
        let seen = |disk: &Disk| Disk { owned: false, ..disk.clone() };
        let [has, wants] =
            [&self.disks, &wanted.disks].map(|disks| disks.iter().map(seen).collect::<Vec<_>>());
        all.extend(devices("disks", "disk", &has, &wants, |disk| &disk.name));
        let drive = "CD-ROM drive";
        all.extend(devices("cdroms", drive, &self.cdroms, &wanted.cdroms, |cdrom| &cdrom.name));
        all.extend(nics(&self.nics, &wanted.nics));
        all
    }
}

fn nics(has: &[Nic], wants: &[Nic]) -> Option<Difference> {
    if has == wants {
        return None;
    }
    if has.len() != wants.len() {
        let text = format!("NICs {} → {}", has.len(), wants.len());
        return Some(Difference { field: "nics", device: None, text });
    }
    let changed = has.iter().zip(wants).position(|(has, wants)| has != wants);
    let device = changed.map(super::live::nic_device);
    Some(Difference { field: "nics", device, text: "NICs changed".to_owned() })
}

/// How a list of named devices changes, a sentence for each device.
fn devices<T: PartialEq>(
    field: &'static str,
    noun: &str,
    has: &[T],
    wants: &[T],
    name: impl Fn(&T) -> &Name,
) -> Vec<Difference> {
    let find = |list: &[T], wanted: &Name| list.iter().position(|each| name(each) == wanted);
    let differs = |each: &T, how: &str| Difference {
        field,
        device: Some(name(each).to_string()),
        text: format!("{noun} \"{}\" {how}", name(each)),
    };
    let gone = has.iter().filter(|each| find(wants, name(each)).is_none());
    let mut all: Vec<_> = gone.map(|each| differs(each, "removed")).collect();
    all.extend(wants.iter().filter_map(|each| match find(has, name(each)) {
        None => Some(differs(each, "added")),
        Some(index) if has[index] != *each => Some(differs(each, "changed")),
        Some(_) => None,
    }));
    if all.is_empty() && has != wants {
        all.push(Difference { field, device: None, text: format!("order of the {noun}s") });
    }
    all
}

/// `4 → 8 GiB`, or `512 MiB → 4 GiB`.
fn from_to(from: Bytes, to: Bytes) -> String {
    let (from, to) = (from.to_string(), to.to_string());
    match (from.split_once(' '), to.split_once(' ')) {
        (Some((amount, unit)), Some((_, same))) if unit == same => format!("{amount} → {to}"),
        _ => format!("{from} → {to}"),
    }
}

/// A plain enum as it goes over the wire.
fn word(value: &(impl Serialize + fmt::Debug)) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => format!("{value:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::vm::RefusedChange;

    fn spec(json: serde_json::Value) -> VmSpec {
        serde_json::from_value(json).unwrap()
    }

    fn texts(from: serde_json::Value, to: serde_json::Value) -> Vec<String> {
        let all = spec(from).hardware().differences(&spec(to).hardware());
        all.into_iter().map(|difference| difference.text).collect()
    }

    #[test]
    fn what_differs_is_said_in_words() {
        use serde_json::json;
        let gib = Bytes::GIB;
        assert_eq!(
            texts(json!({"memory": 4 * gib}), json!({"memory": 8 * gib, "cpus": 4})),
            ["CPUs 2 → 4", "memory 4 → 8 GiB"]
        );
        assert_eq!(
            texts(json!({"memory": gib / 2}), json!({"memory": gib})),
            ["memory 512 MiB → 1 GiB"]
        );
        assert_eq!(
            texts(
                json!({"disks": [{"name": "root", "volume": "a"}, {"name": "old", "volume": "b"}],
                    "cdroms": [{"name": "cd", "image": "dvd"}]}),
                json!({"disks": [{"name": "root", "volume": "a"}, {"name": "new", "volume": "b"}],
                    "cdroms": [{"name": "cd"}], "firmware": "uefi_secure"}),
            ),
            [
                "firmware bios → uefi_secure",
                "disk \"old\" removed",
                "disk \"new\" added",
                "CD-ROM drive \"cd\" changed",
            ]
        );
        assert!(texts(json!({}), json!({"notes": "x", "restart": "never"})).is_empty());
        let root =
            |owned: bool| json!({"disks": [{"name": "root", "volume": "a", "owned": owned}]});
        assert!(texts(root(true), root(false)).is_empty(), "the guest sees the same");
    }

    #[test]
    fn hardware_can_be_asked_for_again() {
        let had = spec(serde_json::json!({"cpus": 3, "tpm": true, "nics": [{}]}));
        let mut wants = spec(serde_json::json!({"notes": "kept"}));
        wants.revert_to(&had.hardware());
        assert_eq!((wants.hardware(), wants.notes.as_str()), (had.hardware(), "kept"));
    }

    #[test]
    fn only_a_live_guest_waits_for_anything() {
        let spec = spec(serde_json::json!({"cpus": 4}));
        let has = Hardware { cpus: 2, ..spec.hardware() };
        let mut runtime = Runtime { hardware: Some(has), ..Runtime::default() };
        assert!(pending(&spec, None).is_empty());
        runtime.state = VmState::Running;
        assert_eq!(pending(&spec, Some(&runtime)).len(), 1);
        runtime.state = VmState::Stopped;
        assert!(pending(&spec, Some(&runtime)).is_empty());
    }

    #[test]
    fn what_a_guest_takes_while_it_runs_waits_only_if_it_was_refused() {
        let spec = spec(serde_json::json!({"disks": [{"name": "data", "volume": "a"}]}));
        let hardware = Some(VmSpec::default().hardware());
        let mut runtime = Runtime { state: VmState::Running, hardware, ..Runtime::default() };
        assert!(pending(&spec, Some(&runtime)).is_empty(), "it is on its way");
        let error = Error::conflict("there is no free slot");
        let device = "data".to_owned();
        runtime.refused = vec![RefusedChange { device, generation: 1, error }];
        let waits = pending(&spec, Some(&runtime));
        assert_eq!(waits[0].text, "disk \"data\" added");
        assert_eq!(waits[0].reason.as_deref(), Some("there is no free slot"));
    }
}
