//! What a real guest uses is seen from outside: its work on CPU and disk, as far as QEMU counts it.

use std::time::Duration;

use novacron_host::Handle;
use novacron_host::hypervisor::Figures;
use novacron_host::hypervisor::contract::{self, Fixture};
use novacron_model::figures::Totals;
use novacron_model::units::Bytes;

use super::qemu_guests::{agent_news, micro, run_in};

#[tokio::test]
async fn a_guest_that_works_is_seen_to_work() {
    let Some((qemu, mut machine)) = micro() else { return };
    machine.drives = qemu.machine().drives;
    let driver = qemu.driver().await;
    let handle = contract::start(&*driver, &machine).await;
    contract::history_with(&*driver, machine.uid, "micro guest is up", 1).await;
    agent_news(&*driver, &handle).await;
    let (agent, figures) = (driver.guest_agent().unwrap(), driver.figures().unwrap());
    let before = contract::eventually("counters of disks", async || {
        Some(totals(figures, &handle).await).filter(|totals| totals.disk.is_some())
    })
    .await;
    assert_eq!(before.network, None, "QEMU does not count what user networks carry");
    assert!(before.memory.is_some_and(|memory| memory > Bytes::mib(16)), "{before:?}");
    let spin = "while :; do :; done </dev/null >/dev/null 2>&1 &";
    run_in(agent, &handle, &["/bin/sh", "-c", spin]).await;
    contract::eventually("CPU time of the loop", async || {
        let used = totals(figures, &handle).await.cpu?.checked_sub(before.cpu?)?;
        (used > Duration::from_secs(2)).then_some(())
    })
    .await;
    let write = "dd if=/dev/zero of=/dev/vda bs=64k count=64 && sync";
    let done = run_in(agent, &handle, &["/bin/sh", "-c", write]).await;
    assert_eq!(done.exit_code, 0, "{}", String::from_utf8_lossy(&done.stderr));
    contract::eventually("what was written", async || {
        let (after, before) = (totals(figures, &handle).await.disk?, before.disk?);
        let (bytes, writes) = (after.written - before.written, after.writes - before.writes);
        (bytes >= 4 << 20 && writes > 0).then_some(())
    })
    .await;
    contract::end(&*driver, &handle).await;
}

async fn totals(figures: &dyn Figures, handle: &Handle) -> Totals {
    figures.totals(handle).await.unwrap().expect("the guest runs")
}
