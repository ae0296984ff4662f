//! What of a machine can change while its guest runs: disks come and go, CD-ROM drives get other
//! media, ports of the host lead elsewhere. Everything else waits for the next start.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::device::{Disk, Nic, PortForward};
use super::hardware::{Cdrom, Hardware};

/// One thing that a live guest is given or gives up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveChange {
    Detach(Disk),
    Attach(Disk),
    /// What lies in the drive from now on; nothing, if it has no image.
    Medium(Cdrom),
    /// Forwards of the NIC at this index: those that end and those that begin, and all that there
    /// are from then on.
    Ports {
        nic: usize,
        ends: Vec<PortForward>,
        begins: Vec<PortForward>,
        ports: Vec<PortForward>,
    },
}

impl LiveChange {
    /// Name of the drive, or `nic0` and so on; unique in the machine.
    pub fn device(&self) -> String {
        match self {
            Self::Detach(disk) | Self::Attach(disk) => disk.name.to_string(),
            Self::Medium(cdrom) => cdrom.name.to_string(),
            Self::Ports { nic, .. } => nic_device(*nic),
        }
    }
}

/// A change of a medium or of forwards that was begun under a live guest, noted so that whoever did
/// not see its end makes sure of what it touched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BegunChange {
    /// Either medium may lie in the drive with this name.
    Medium(String),
    /// Each of these forwards may be there or not.
    Ports { nic: usize, ends: Vec<PortForward>, begins: Vec<PortForward> },
}

impl BegunChange {
    /// As a change's own.
    pub fn device(&self) -> String {
        match self {
            Self::Medium(drive) => drive.clone(),
            Self::Ports { nic, .. } => nic_device(*nic),
        }
    }

    /// None for disks, which are noted on their own.
    pub fn of(change: &LiveChange) -> Option<Self> {
        match change.clone() {
            LiveChange::Attach(_) | LiveChange::Detach(_) => None,
            LiveChange::Medium(cdrom) => Some(Self::Medium(cdrom.name.to_string())),
            LiveChange::Ports { nic, ends, begins, .. } => Some(Self::Ports { nic, ends, begins }),
        }
    }
}

pub(super) fn nic_device(index: usize) -> String {
    format!("nic{index}")
}

impl Hardware {
    /// What a live guest with this machine can be given on the way to the `wanted` one, in the
    /// order in which it is to be done. A disk that takes another's name waits until that is gone.
    pub fn live_changes(&self, wanted: &Self) -> Vec<LiveChange> {
        let gone = self.disks.iter().filter(|disk| !has_disk(&wanted.disks, disk));
        let mut changes: Vec<_> = gone.cloned().map(LiveChange::Detach).collect();
        let free = |disk: &&Disk| self.disks.iter().all(|had| had.name != disk.name);
        let new = wanted.disks.iter().filter(|disk| !has_disk(&self.disks, disk)).filter(free);
        changes.extend(new.cloned().map(LiveChange::Attach));
        changes.extend(self.cdroms.iter().filter_map(|had| {
            let drive = wanted.cdroms.iter().find(|cdrom| cdrom.name == had.name)?;
            (drive.image != had.image).then(|| LiveChange::Medium(drive.clone()))
        }));
        if self.nics.len() == wanted.nics.len() {
            let pairs = self.nics.iter().zip(&wanted.nics).enumerate();
            changes.extend(pairs.filter_map(|(index, (had, wants))| ports(index, had, wants)));
        }
        changes
    }

    /// The same, where nobody knows how far some changes came: what they touched is made sure of,
    /// also if it is wanted as it was before.
    pub fn live_changes_after(&self, begun: &[BegunChange], wanted: &Self) -> Vec<LiveChange> {
        let mut changes = self.live_changes(wanted);
        for begun in begun {
            if let Some(change) = self.make_sure(begun, wanted) {
                changes.retain(|other| other.device() != change.device());
                changes.push(change);
            }
        }
        changes
    }

    /// What waits for the next start stays as it was.
    fn make_sure(&self, begun: &BegunChange, wanted: &Self) -> Option<LiveChange> {
        match begun {
            BegunChange::Medium(name) => {
                let named = |cdrom: &&Cdrom| cdrom.name.as_str() == name;
                let had = self.cdroms.iter().find(named)?;
                let wants = wanted.cdroms.iter().find(named).unwrap_or(had);
                Some(LiveChange::Medium(wants.clone()))
            }
            BegunChange::Ports { nic, ends, begins } => {
                let had = self.nics.get(*nic)?;
                let wants = wanted.nics.get(*nic).filter(|_| self.nics.len() == wanted.nics.len());
                let ports = &wants.filter(|wants| same_nic(had, wants)).unwrap_or(had).ports;
                let maybe = [without(begins, &had.ports), had.ports.clone()].concat();
                Some(LiveChange::Ports {
                    nic: *nic,
                    ends: without(&maybe, ports),
                    begins: without(ports, &without(&had.ports, ends)),
                    ports: ports.clone(),
                })
            }
        }
    }

    /// Notes a change that was made.
    pub fn follow(&mut self, change: &LiveChange) {
        match change {
            LiveChange::Detach(disk) => {
                self.disks.retain(|had| !same_disk(had, disk));
                self.boot.retain(|name| name != disk.name.as_str());
            }
            LiveChange::Attach(disk) if has_disk(&self.disks, disk) => {}
            LiveChange::Attach(disk) => self.disks.push(disk.clone()),
            LiveChange::Medium(cdrom) => {
                let drive = self.cdroms.iter_mut().find(|drive| drive.name == cdrom.name);
                if let Some(drive) = drive {
                    drive.image.clone_from(&cdrom.image);
                }
            }
            LiveChange::Ports { nic, ports, .. } => {
                if let Some(nic) = self.nics.get_mut(*nic) {
                    nic.ports.clone_from(ports);
                }
            }
        }
    }
}

/// The same volume under the same name; its bus may be about to change.
fn same_disk(one: &Disk, other: &Disk) -> bool {
    (&one.name, &one.volume) == (&other.name, &other.volume)
}

fn has_disk(disks: &[Disk], disk: &Disk) -> bool {
    disks.iter().any(|each| same_disk(each, disk))
}

/// On the same network with the same model, only forwards differ.
fn ports(index: usize, had: &Nic, wants: &Nic) -> Option<LiveChange> {
    if !same_nic(had, wants) || had.ports == wants.ports {
        return None;
    }
    let (ends, begins) = (without(&had.ports, &wants.ports), without(&wants.ports, &had.ports));
    Some(LiveChange::Ports { nic: index, ends, begins, ports: wants.ports.clone() })
}

fn same_nic(had: &Nic, wants: &Nic) -> bool {
    (&had.network, had.model) == (&wants.network, wants.model)
}

fn without(ports: &[PortForward], others: &[PortForward]) -> Vec<PortForward> {
    ports.iter().filter(|port| !others.contains(port)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::vm::VmSpec;

    fn machine(json: serde_json::Value) -> Hardware {
        serde_json::from_value::<VmSpec>(json).unwrap().hardware()
    }

    /// Follows all changes, and returns which devices they were of.
    fn devices(from: serde_json::Value, to: serde_json::Value) -> Vec<String> {
        let (mut has, wants) = (machine(from), machine(to));
        let mut devices = Vec::new();
        while let Some(change) = has.live_changes(&wants).into_iter().next() {
            has.follow(&change);
            devices.push(change.device());
            assert!(devices.len() < 10, "{change:?} leads nowhere");
        }
        assert_eq!(has, wants);
        devices
    }

    #[test]
    fn disks_come_and_go_one_after_the_other() {
        let root = json!({"name": "root", "volume": "a"});
        assert_eq!(
            devices(
                json!({"disks": [root, {"name": "old", "volume": "b"}], "boot": ["old", "root"]}),
                json!({"disks": [root, {"name": "new", "volume": "c"}], "boot": ["root"]}),
            ),
            ["old", "new"]
        );
        // Another volume under the same name.
        assert_eq!(
            devices(
                json!({"disks": [{"name": "data", "volume": "b"}]}),
                json!({"disks": [{"name": "data", "volume": "c"}]}),
            ),
            ["data", "data"]
        );
    }

    #[test]
    fn media_and_forwards_follow() {
        let nic = |ports: serde_json::Value| json!([{"ports": ports}]);
        assert_eq!(
            devices(
                json!({"cdroms": [{"name": "cd0", "image": "a"}, {"name": "cd1"}],
                    "nics": nic(json!([{"host": 1, "guest": 1}, {"host": 2, "guest": 2}]))}),
                json!({"cdroms": [{"name": "cd0"}, {"name": "cd1", "image": "a"}],
                    "nics": nic(json!([{"host": 2, "guest": 2}, {"host": 3, "guest": 1}]))}),
            ),
            ["cd0", "cd1", "nic0"]
        );
    }

    #[test]
    fn forwards_keep_the_order_that_they_were_asked_for_in() {
        let nic = |hosts: &[u16]| {
            let port = |host: &u16| json!({"host": host, "guest": 80});
            json!({"nics": [{"ports": hosts.iter().map(port).collect::<Vec<_>>()}]})
        };
        assert_eq!(devices(nic(&[1, 2]), nic(&[3, 2])), ["nic0"], "the first of two changed");
        assert_eq!(devices(nic(&[1, 2]), nic(&[2, 1])), ["nic0"], "nothing but the order");
        assert_eq!(devices(nic(&[1, 2, 3]), nic(&[2])), ["nic0"]);
    }

    #[test]
    fn what_a_change_may_have_touched_is_made_sure_of() {
        let nics = |hosts: &[u16]| {
            let port = |host: &u16| json!({"host": host, "guest": 80});
            json!([{"ports": hosts.iter().map(port).collect::<Vec<_>>()}])
        };
        let forwards = |hosts: &[u16]| machine(json!({"nics": nics(hosts)}));
        let had = forwards(&[1, 2]);
        let begun = had.live_changes(&forwards(&[2, 3])).iter().find_map(BegunChange::of);
        let then = |hosts: &[u16]| {
            let changes = had.live_changes_after(begun.as_slice(), &forwards(hosts));
            let [LiveChange::Ports { ends, begins, .. }] = &*changes else { panic!("{changes:?}") };
            let hosts = |ports: &[PortForward]| ports.iter().map(|p| p.host).collect::<Vec<_>>();
            (hosts(ends), hosts(begins))
        };
        assert_eq!(then(&[2, 3]), (vec![1], vec![3]), "the same again");
        assert_eq!(then(&[1, 2]), (vec![3], vec![1]), "as it was");
        assert_eq!(then(&[2, 4]), (vec![3, 1], vec![4]), "something else");
        // Another network waits for the next start, and what was begun does not.
        let elsewhere = json!({"nics": [{"network": "lan", "ports": []}]});
        let changes = had.live_changes_after(begun.as_slice(), &machine(elsewhere));
        assert!(
            matches!(&*changes, [LiveChange::Ports { ports, .. }] if *ports == had.nics[0].ports)
        );

        let drive = |image: &str| machine(json!({"cdroms": [{"name": "cd0", "image": image}]}));
        let begun = BegunChange::of(&drive("a").live_changes(&drive("b"))[0]);
        for image in ["a", "b", "c"] {
            let changes = drive("a").live_changes_after(begun.as_slice(), &drive(image));
            assert_eq!(changes, [LiveChange::Medium(drive(image).cdroms.remove(0))]);
        }
    }

    #[test]
    fn the_rest_waits_for_a_restart() {
        let changes = |from, to| machine(from).live_changes(&machine(to));
        assert!(changes(json!({"cpus": 1}), json!({"cpus": 2, "tpm": true})).is_empty());
        assert!(
            changes(json!({}), json!({"cdroms": [{"name": "cd0", "image": "a"}]})).is_empty(),
            "a further drive"
        );
        let disk = |bus: &str| json!({"disks": [{"name": "root", "volume": "a", "bus": bus}]});
        assert!(changes(disk("sata"), disk("virtio")).is_empty());
    }
}
