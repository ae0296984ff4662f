//! What a VM's actor knows when it decides, and what it can decide. Plain values only.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use novacron_host::hypervisor::Plug;
use novacron_host::{Handle, Observed, Stop};
use novacron_model::node::Hold;
use novacron_model::vm::{LiveChange, Runtime};
use novacron_model::{Name, Object, Time, Vm};
use uuid::Uuid;

/// Everything that a decision may rest on.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// This node's name.
    pub node: &'a str,
    /// The boot that this host is in.
    pub boot_id: &'a str,
    pub vm: &'a Object<Vm>,
    /// What this agent holds to be true; the store may lag behind it.
    pub runtime: &'a Runtime,
    /// The live process, if there is one.
    pub guest: Option<&'a Guest>,
    /// What the driver says about a process that is gone.
    pub last_words: Option<&'a str>,
    /// Disks of the spec that a guest cannot be given now, in their order.
    pub unready: &'a [Unready],
    pub snapshots: &'a [SnapshotWork],
    /// Of the live guest; empty where they could not be looked at.
    pub nics: &'a [Nic],
    /// The node's guests are to be down.
    pub hold: Option<&'a Hold>,
    pub memory: &'a Memory,
    pub now: Time,
    /// Since the actor's start; never jumps.
    pub uptime: Duration,
}

impl View<'_> {
    /// The spec has changed since the world last followed it.
    pub fn unfollowed(&self) -> bool {
        self.vm.meta.generation > self.runtime.observed_generation
    }

    /// Whether a guest can be started.
    pub fn disks(&self) -> &Disks {
        self.unready.first().map_or(&Disks::Ready, |unready| &unready.state)
    }

    pub fn demand(&self) -> Demand {
        let orders = &self.vm.status.orders;
        Demand {
            generation: self.vm.meta.generation,
            restart: orders.restart,
            restore: orders.restore,
            hold: self.hold.map_or(0, |hold| hold.number),
        }
    }
}

/// A guest's process, as seen just now; its phase is never `Absent`.
#[derive(Debug, Clone)]
pub struct Guest {
    pub handle: Handle,
    pub observed: Observed,
}

/// A disk that a guest cannot be given now, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unready {
    pub disk: Name,
    pub state: Disks,
}

/// Whether everything that the guest starts from is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disks {
    Ready,
    /// For what, as a sentence.
    Waiting(String),
    Failed(String),
}

/// A NIC of the live guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nic {
    pub mac: String,
    pub bridge: Option<String>,
    pub plug: Plug,
}

/// A snapshot that is to be taken or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotWork {
    pub name: String,
    pub uid: Uuid,
    pub delete: bool,
}

/// What an actor remembers of its own doings; lost with the daemon, without harm.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    pub pressed: Option<Pressed>,
    /// The demand for which a paused guest was woken, so that it can hear the power button.
    pub woken: Option<Demand>,
    /// The generation for which pause or resume was tried.
    pub tried: Option<u64>,
    /// Why NICs could not be plugged in.
    pub unpluggable: Option<Unpluggable>,
    /// Changes of devices that were refused, since the last one that was not.
    pub refused: BTreeMap<String, Refusals>,
}

/// NICs could not be plugged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpluggable {
    pub reason: String,
    /// By [`View::uptime`].
    pub since: Duration,
}

/// A live guest was not given what it was to be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusals {
    pub count: u32,
    /// The last one, by [`View::uptime`].
    pub last: Duration,
    /// When what may be left of the attachment was last to be taken back.
    pub taken_back: Option<Duration>,
}

/// The power button was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pressed {
    pub demand: Demand,
    /// First and last time, by [`View::uptime`].
    pub first: Duration,
    pub last: Duration,
}

/// Tells one request to go down from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    pub generation: u64,
    pub restart: u64,
    pub restore: u64,
    /// Of the node's hold; zero for none.
    pub hold: u64,
}

/// What is to be reported, and what is to be done once the report is durable.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    pub runtime: Runtime,
    pub then: Step,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Do(Effect),
    /// Nothing to do until something changes, or this much time has passed.
    Wait(Option<Duration>),
    /// The VM is none of this node's business (any more).
    Leave,
}

/// One thing done to the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    Start {
        paused: bool,
    },
    Press(Stop),
    Destroy,
    Pause,
    Resume,
    Reset,
    /// NICs into their bridges.
    Plug,
    /// Something that the guest takes while it runs.
    Change(LiveChange),
    Restore {
        snapshot: String,
    },
    Snapshot(SnapshotWork),
    /// Remove what is left of a deleted VM on this node, and say so.
    CleanUp,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { paused: false } => f.write_str("start"),
            Self::Start { paused: true } => f.write_str("start paused"),
            Self::Press(Stop::PowerButton) => f.write_str("press the power button"),
            Self::Press(Stop::Agent) => f.write_str("ask the guest agent to shut down"),
            Self::Destroy => f.write_str("end the process"),
            Self::Pause => f.write_str("pause"),
            Self::Resume => f.write_str("resume"),
            Self::Reset => f.write_str("reset"),
            Self::Restore { snapshot } => write!(f, "restore snapshot {snapshot}"),
            Self::Snapshot(work) if work.delete => write!(f, "delete snapshot {}", work.name),
            Self::Snapshot(work) => write!(f, "take snapshot {}", work.name),
            Self::Plug => f.write_str("plug NICs into their bridges"),
            Self::Change(LiveChange::Attach(disk)) => write!(f, "attach disk {}", disk.name),
            Self::Change(LiveChange::Detach(disk)) => write!(f, "detach disk {}", disk.name),
            Self::Change(LiveChange::Medium(cdrom)) => match &cdrom.image {
                Some(image) => write!(f, "put {image} into drive {}", cdrom.name),
                None => write!(f, "empty drive {}", cdrom.name),
            },
            Self::Change(LiveChange::Ports { nic, .. }) => write!(f, "change ports of NIC {nic}"),
            Self::CleanUp => f.write_str("remove what is left"),
        }
    }
}
