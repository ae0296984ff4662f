//! NICs on bridges: where they are missing, when they go and come.

use novacron_model::event::{Event, Level, STREAM};
use novacron_model::network::{NetworkKind, NetworkSpec, NetworkState};
use novacron_model::task::TaskState;
use novacron_model::vm::{Nic, RestartPolicy, VmSpec, VmState};
use novacron_model::{Name, Network, Vm};
use novacron_store::Store;

use crate::stage::{Stage, spec};
use crate::witness::Witness;

async fn make_network(stage: &Stage, name: &str, bridge: &str) {
    let spec = NetworkSpec { kind: NetworkKind::Bridge, bridge: Some(bridge.to_owned()) };
    stage.hand.create::<Network>(name, spec).await.unwrap();
    stage
        .wait_until("the node's word on it", |stage| !network(stage, name).status.nodes.is_empty())
        .await;
}

fn network(stage: &Stage, name: &str) -> novacron_model::Object<Network> {
    stage.hand.get::<Network>(name).unwrap().unwrap()
}

fn on(network: &str, restart: RestartPolicy) -> VmSpec {
    let nic = Nic { network: Some(Name::new(network).unwrap()), ..Nic::default() };
    VmSpec { nics: Some(vec![Nic::default(), nic]), restart, ..spec() }
}

fn events(stage: &Stage, kind: &str) -> Vec<(Level, String)> {
    let at = stage.store.snapshot();
    let read = |entry: &novacron_store::StreamEntry| -> Event {
        serde_json::from_str(entry.value.get()).unwrap()
    };
    let events = at.stream(STREAM, 0).map(read);
    events.filter(|event| event.kind == kind).map(|event| (event.level, event.text)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_nic_falls_out_of_a_bridge_that_goes_and_is_back_with_it() {
    let stage = Stage::new().await;
    make_network(&stage, "lan", "br0").await;
    assert_eq!(network(&stage, "lan").status.state, NetworkState::Ready);
    stage.hand.create::<Vm>("web", on("lan", RestartPolicy::OnFailure)).await.unwrap();
    stage.wait_state("web", VmState::Running).await;
    let nics = |stage: &Stage| stage.runtime("web").nics;
    stage.wait_until("the NICs", |stage| nics(stage).len() == 2).await;
    assert!(nics(&stage).iter().all(|nic| nic.unplugged.is_none() && nic.mac.len() == 17));
    assert_eq!(nics(&stage)[1].bridge.as_deref(), Some("br0"));

    let pid = stage.pid("web");
    stage.machine.world.remove_bridge("br0");
    let gone = "bridge \"br0\" does not exist on node \"n1\"";
    stage.wait_until("the NIC to be out", |stage| nics(stage)[1].unplugged.is_some()).await;
    let vm = stage.vm("web");
    assert_eq!(vm.status.state, VmState::Running);
    assert_eq!(vm.status.reason, Some(format!("NIC 1 is unplugged: {gone}")));
    stage
        .wait_until("the network to fail", |stage| {
            network(stage, "lan").status.state == NetworkState::Failed
        })
        .await;
    assert_eq!(network(&stage, "lan").status.reason.as_deref(), Some(gone));

    stage.machine.world.add_bridge("br0");
    stage.wait_until("the NIC to be back", |stage| nics(stage)[1].unplugged.is_none()).await;
    let vm = stage.vm("web");
    assert_eq!((vm.status.state, vm.status.reason), (VmState::Running, None));
    assert_eq!(stage.pid("web"), pid, "the same guest");
    stage
        .wait_until("the network to be ready", |stage| {
            network(stage, "lan").status.state == NetworkState::Ready
        })
        .await;

    let text = |text: &str| text.to_owned();
    let out = (Level::Warning, format!("VM \"web\": NIC 1 is unplugged: {gone}"));
    assert_eq!(events(&stage, "vm.unplugged")[0], out);
    let back = (Level::Info, text("VM \"web\": NIC 1 is in bridge \"br0\" again"));
    assert_eq!(events(&stage, "vm.plugged"), [back]);
    let failed = (Level::Warning, format!("network \"lan\": {gone}"));
    assert_eq!(events(&stage, "network.failed"), [failed]);
}

#[tokio::test(start_paused = true)]
async fn a_vm_without_its_bridge_says_so_and_starts_once_it_is_there() {
    let stage = Stage::new().await;
    make_network(&stage, "lab", "br7").await;
    assert_eq!(network(&stage, "lab").status.state, NetworkState::Failed);
    let spec = on("lab", RestartPolicy::OnFailure);
    let task = stage.hand.create::<Vm>("web", spec).await.unwrap().unwrap();
    assert_eq!(stage.outcome(task).await, TaskState::Failed);
    let reason = stage.vm("web").status.reason;
    assert_eq!(reason.as_deref(), Some("bridge \"br7\" does not exist on node \"n1\""));
    stage.machine.world.add_bridge("br7");
    stage.wait_state("web", VmState::Running).await;
    assert_eq!(stage.runtime("web").nics[1].bridge.as_deref(), Some("br7"));
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_was_away_plugs_in_what_fell_out_meanwhile() {
    let mut stage = Stage::new().await;
    make_network(&stage, "lan", "br0").await;
    stage.hand.create::<Vm>("web", on("lan", RestartPolicy::Never)).await.unwrap();
    stage.wait_state("web", VmState::Running).await;
    let uid = stage.vm("web").meta.uid;
    stage.kill_agent().await;
    stage.machine.world.remove_bridge("br0");
    stage.machine.world.add_bridge("br0");
    assert_eq!(stage.machine.world.pulled(uid), [1]);
    stage.start_agent();
    stage
        .wait_until("the NIC to be back", |stage| stage.machine.world.pulled(uid).is_empty())
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_node_without_the_rights_says_what_it_needs() {
    let stage = Stage::with(Witness::deny_bridges).await;
    make_network(&stage, "lan", "br0").await;
    let needs = "bridge networks need root (CAP_NET_ADMIN) on node \"n1\"";
    assert_eq!(network(&stage, "lan").status.reason.as_deref(), Some(needs));
    let spec = on("lan", RestartPolicy::Never);
    let task = stage.hand.create::<Vm>("web", spec).await.unwrap().unwrap();
    assert_eq!(stage.outcome(task).await, TaskState::Failed);
    assert_eq!(stage.vm("web").status.reason.as_deref(), Some(needs));
}
