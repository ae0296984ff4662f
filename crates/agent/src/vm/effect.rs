//! Carries out one effect. Nothing is decided here.

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};

use novacron_host::hypervisor::{BRIDGES_NEED, Control, NicPort};
use novacron_host::{Handle, Machine, Stop};
use novacron_model::vm::{Disk, Protocol, Runtime};
use novacron_model::{Error, Object, Result, Snapshot as VmSnapshot, Vm};
use novacron_store::{Key, Snapshot, object};
use uuid::Uuid;

use super::view::Effect;
use super::{bridges, change, look, machine, snapshot};
use crate::node::{Node, project_of};
use crate::report;

/// One VM at one revision, with its live process if there is one.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub node: &'a Node,
    pub at: &'a Snapshot,
    pub family: &'a Key,
    pub vm: &'a Object<Vm>,
    /// As reported just now; the store's own may lag behind it.
    pub runtime: &'a Runtime,
    pub handle: Option<&'a Handle>,
}

/// The handle of the process, if one was started.
pub(super) async fn perform(scene: Scene<'_>, effect: &Effect) -> Result<Option<Handle>> {
    let hypervisor = &scene.node.config.hypervisor;
    let (turns, volumes) = (&scene.node.turns, touched(scene, effect)?);
    // A live guest may be told to stop while one waits.
    let _turn = match scene.handle {
        Some(_) => turns.take_soon(volumes).await?,
        None => turns.take(volumes).await,
    };
    let done = match effect {
        Effect::Start { paused } => return start(scene, *paused).await.map(Some),
        Effect::CleanUp => clean_up(scene).await,
        Effect::Snapshot(work) => snapshot::perform(scene, work).await,
        Effect::Restore { snapshot } => restore(scene, snapshot).await,
        Effect::Press(how) => press(scene, *how).await,
        Effect::Destroy => hypervisor.destroy(live(scene)?).await,
        Effect::Pause => control(scene)?.pause(live(scene)?).await,
        Effect::Resume => control(scene)?.resume(live(scene)?).await,
        Effect::Reset => control(scene)?.reset(live(scene)?).await,
        Effect::Plug => plug(scene).await,
        Effect::Change(change) => change::perform(scene, change).await,
    };
    done.map(|()| None)
}

/// Uids of the volumes whose files the effect reaches into.
fn touched(scene: Scene<'_>, effect: &Effect) -> Result<Vec<Uuid>> {
    match effect {
        Effect::Start { .. } | Effect::Restore { .. } => uids(scene, &scene.vm.spec.disks),
        Effect::Snapshot(_) => uids(scene, &snapshot::disks(scene)),
        Effect::Change(change) => Ok(change::volume(scene, change).into_iter().collect()),
        _ => Ok(Vec::new()),
    }
}

fn uids(scene: Scene<'_>, disks: &[Disk]) -> Result<Vec<Uuid>> {
    let volumes = machine::volumes(scene.at, scene.family, disks)?;
    Ok(volumes.iter().map(|volume| volume.meta.uid).collect())
}

pub(super) fn live(scene: Scene<'_>) -> Result<&Handle> {
    scene
        .handle
        .ok_or_else(|| Error::conflict(format!("VM \"{}\" is not running", scene.vm.name())))
}

fn control(scene: Scene<'_>) -> Result<&dyn Control> {
    scene.node.config.hypervisor.control().ok_or_else(|| {
        let driver = scene.node.config.hypervisor.capabilities().driver;
        Error::unsupported(format!("driver {driver} cannot pause, resume or reset guests"))
    })
}

async fn press(scene: Scene<'_>, how: Stop) -> Result<()> {
    let hypervisor = &scene.node.config.hypervisor;
    let pressed = hypervisor.stop(live(scene)?, how).await;
    if pressed.is_err() && how == Stop::Agent {
        return hypervisor.stop(live(scene)?, Stop::PowerButton).await;
    }
    pressed
}

async fn start(scene: Scene<'_>, paused: bool) -> Result<Handle> {
    let Scene { node, family, vm, .. } = scene;
    let permit = node.starts.acquire().await;
    let _permit = permit.map_err(|_| Error::unavailable("the agent is ending"))?;
    // Limits of a volume may have changed while its turn was waited for.
    let at = &node.store.snapshot();
    let machine = machine::build(node, at, family, vm, paused).await?;
    for bridge in machine.nics.iter().filter_map(|nic| nic.bridge.as_deref()) {
        bridges::check(node, bridge).await?;
    }
    if !node.config.host.simulated {
        check_ports(&machine)?;
    }
    node.config.hypervisor.ensure(&machine).await
}

async fn plug(scene: Scene<'_>) -> Result<()> {
    let Scene { node, at, family, vm, .. } = scene;
    let nics = bridges::ports(at, family, vm)?;
    match node.config.hypervisor.bridges() {
        Some(bridges) => bridges.plug(live(scene)?, &nics).await,
        None => Err(Error::unsupported(BRIDGES_NEED)),
    }
}

/// Ports of other VMs were checked when the VM was admitted; whatever holds one now is foreign.
fn check_ports(machine: &Machine) -> Result<()> {
    let forwards = machine.nics.iter().flat_map(|nic: &NicPort| &nic.forwards);
    for forward in forwards {
        let address = SocketAddr::new(forward.address, forward.host);
        let bound = match forward.protocol {
            Protocol::Tcp => TcpListener::bind(address).map(drop),
            Protocol::Udp => UdpSocket::bind(address).map(drop),
        };
        if let Err(error) = bound {
            return Err(port_error(forward.address, forward.host, &error));
        }
    }
    Ok(())
}

fn port_error(address: IpAddr, port: u16, error: &std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            Error::conflict(format!("port {port} on {address} is in use on the host"))
                .hint("end what uses it, or forward another port")
        }
        std::io::ErrorKind::PermissionDenied => Error::conflict(format!(
            "port {port} on {address} needs more rights than this node has"
        ))
        .hint("forward a port of 1024 or above, or run the node as root"),
        _ => Error::conflict(format!("port {port} on {address} cannot be used: {error}")),
    }
}

async fn clean_up(scene: Scene<'_>) -> Result<()> {
    let Scene { node, at, family, vm, .. } = scene;
    node.config.hypervisor.forget(vm.meta.uid).await?;
    node.meter.forget(vm.meta.uid);
    node.config.cidata.remove(vm.meta.uid).await?;
    for work in look::snapshots(at, family, vm)? {
        node.board.clear(work.uid);
    }
    node.commit(report::cleaned(node, at, family, vm.meta.uid, "runtime")?).await.map_err(|error| {
        report::warn(family, &error);
        Error::unavailable(error.to_string())
    })
}

async fn restore(scene: Scene<'_>, name: &str) -> Result<()> {
    let Scene { node, at, family, vm, .. } = scene;
    let snapshot = object::expect::<VmSnapshot>(at, Some(project_of(family)?), name)?;
    let snapshots = node.config.hypervisor.snapshots().ok_or_else(no_snapshots)?;
    let covered = snapshot.status.data.as_ref().map_or(&[][..], |data| &data.volumes);
    let mut disks = vm.spec.disks.clone();
    // What was attached since stays as it is.
    disks.retain(|disk| disk.volume.as_ref().is_some_and(|name| covered.contains(name)));
    let drives = machine::drives(node, at, family, vm, &disks).await?;
    snapshots.restore(&drives, snapshot.meta.uid).await?;
    // A disk comes back as small as it was when the snapshot was taken.
    for volume in machine::volumes(at, family, &disks)? {
        let pool = node.pool(at, volume.spec.pool.as_str()).await?;
        pool.grow_volume(volume.meta.uid, volume.spec.format, volume.spec.size).await?;
    }
    Ok(())
}

pub(super) fn no_snapshots() -> Error {
    Error::unsupported("this node's driver cannot take snapshots")
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use novacron_host::hypervisor::{Boot, Forward};
    use novacron_model::Bytes;
    use novacron_model::vm::{Firmware, NicModel, Preset};

    use super::*;

    fn machine(host: u16, protocol: Protocol) -> Machine {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let forwards = vec![Forward { address, host, guest: 80, protocol }];
        Machine {
            uid: uuid::Uuid::nil(),
            name: "web".to_owned(),
            epoch: 1,
            cpus: 1,
            memory: Bytes::mib(16),
            boot: Boot::Firmware,
            drives: Vec::new(),
            cdroms: Vec::new(),
            cidata: None,
            nics: vec![NicPort {
                mac: [2, 0, 0, 0, 0, 1],
                model: NicModel::Virtio,
                bridge: None,
                forwards,
            }],
            preset: Preset::Linux,
            firmware: Firmware::Bios,
            tpm: false,
            paused: false,
        }
    }

    #[test]
    fn a_port_that_a_stranger_holds_is_named() {
        let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = stranger.local_addr().unwrap().port();
        let error = check_ports(&machine(port, Protocol::Tcp)).unwrap_err();
        assert_eq!(error.message, format!("port {port} on 127.0.0.1 is in use on the host"));
        // Port zero is any free one.
        check_ports(&machine(0, Protocol::Tcp)).unwrap();
        check_ports(&machine(0, Protocol::Udp)).unwrap();
    }
}
