//! The contract of the power `bridges`. A driver may lack it for want of rights; then the rest of
//! the driver is as it should be without.

use futures::stream::StreamExt;
use novacron_model::Code;
use novacron_model::vm::NicModel;

use super::{Fixture, PATIENCE, end, observe, phase, start};
use crate::hypervisor::{Bridges, Handle, Machine, NicPort, Phase, Plug};

const BRIDGE: &str = "br-contract";

/// A machine with one NIC of each kind.
fn machine(fixture: &dyn Fixture) -> Machine {
    let nic = |last, bridge| NicPort {
        mac: [0x52, 0, 0, 0, 0, last],
        model: NicModel::Virtio,
        bridge,
        forwards: Vec::new(),
    };
    let nics = vec![nic(1, None), nic(2, Some(BRIDGE.to_owned()))];
    Machine { nics, ..fixture.machine() }
}

async fn plugs(bridges: &dyn Bridges, handle: &Handle, machine: &Machine) -> Vec<Plug> {
    bridges.plugs(handle, &machine.nics).await.expect("NICs can be looked at")
}

pub async fn a_missing_bridge_is_named(fixture: &dyn Fixture) {
    fixture.bridge(BRIDGE, false).await;
    let driver = fixture.driver().await;
    let Some(bridges) = driver.bridges() else { return };
    let error = bridges.check(BRIDGE).await.expect_err("there is no such bridge");
    assert_eq!(error.code, Code::Conflict, "{error}");
    assert_eq!(error.message, format!("bridge \"{BRIDGE}\" does not exist"));
    let machine = machine(fixture);
    assert_eq!(driver.ensure(&machine).await.expect_err("started nowhere").message, error.message);
    assert_eq!(driver.find(machine.uid).await, Ok(None));
    // A try that failed leaves nothing in the way of the next.
    fixture.bridge(BRIDGE, true).await;
    bridges.check(BRIDGE).await.expect("the bridge is there");
    let handle = start(&*driver, &machine).await;
    end(&*driver, &handle).await;
}

pub async fn a_nic_follows_its_bridge(fixture: &dyn Fixture) {
    fixture.bridge(BRIDGE, true).await;
    let driver = fixture.driver().await;
    let Some(bridges) = driver.bridges() else { return };
    let machine = machine(fixture);
    let handle = start(&*driver, &machine).await;
    assert_eq!(plugs(bridges, &handle, &machine).await, [Plug::In, Plug::In]);

    let mut changes = bridges.changes();
    fixture.bridge(BRIDGE, false).await;
    let hint = tokio::time::timeout(PATIENCE, changes.next()).await;
    assert_eq!(hint.expect("a hint that the bridge has gone"), Some(()));
    let gone = format!("bridge \"{BRIDGE}\" does not exist");
    assert_eq!(plugs(bridges, &handle, &machine).await, [Plug::In, Plug::Cut(gone)]);
    assert!(bridges.plug(&handle, &machine.nics).await.is_err());
    assert_eq!(observe(&*driver, &handle).await.phase, Phase::Running);

    fixture.bridge(BRIDGE, true).await;
    assert_eq!(plugs(bridges, &handle, &machine).await, [Plug::In, Plug::Out]);
    for _ in 0..2 {
        bridges.plug(&handle, &machine.nics).await.expect("the bridge is back");
    }
    assert_eq!(plugs(bridges, &handle, &machine).await, [Plug::In, Plug::In]);
    end(&*driver, &handle).await;
}

pub async fn an_adopted_guest_keeps_its_nics(fixture: &dyn Fixture) {
    fixture.bridge(BRIDGE, true).await;
    let driver = fixture.driver().await;
    if driver.bridges().is_none() {
        return;
    }
    let machine = machine(fixture);
    let handle = start(&*driver, &machine).await;
    drop(driver);
    let driver = fixture.driver().await;
    let bridges = driver.bridges().expect("the same rights");
    assert_eq!(plugs(bridges, &handle, &machine).await, [Plug::In, Plug::In]);
    fixture.bridge(BRIDGE, false).await;
    fixture.bridge(BRIDGE, true).await;
    bridges.plug(&handle, &machine.nics).await.expect("adopted NICs can be plugged in");
    assert_eq!(plugs(bridges, &handle, &machine).await, [Plug::In, Plug::In]);
    fixture.kill(&handle);
    phase(&*driver, &handle, Phase::Absent).await;
    // Nothing of the killed one is in the way.
    let handle = start(&*driver, &machine).await;
    end(&*driver, &handle).await;
}
