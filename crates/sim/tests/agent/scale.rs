//! VMs at rest cost their agent nothing.

use std::time::Duration;

use novacron_model::vm::{Run, VmSpec, VmState};
use novacron_model::{Bytes, Vm};
use tokio::time::sleep;

use crate::stage::{Stage, spec};

const MANY: usize = 300;

#[tokio::test(start_paused = true)]
async fn vms_at_rest_have_no_actors() {
    let mut stage = Stage::new().await;
    for n in 0..MANY {
        let spec = VmSpec {
            run: Run::Stopped,
            memory: Bytes::mib(16),
            cpus: 1,
            disks: Vec::new(),
            ..spec()
        };
        // More than one machine's CPUs: the rest waits for room and is no work either.
        stage.hand.create::<Vm>(&format!("vm-{n}"), spec).await.unwrap();
    }
    let stopped = |stage: &Stage| {
        let vms = novacron_store::object::list::<Vm>(
            &novacron_store::Store::snapshot(&*stage.store),
            None,
        );
        vms.iter().filter(|vm| vm.status.state == VmState::Stopped).count()
    };
    stage.wait_until("room to be used up", |stage| stopped(stage) >= 16 * 4).await;
    let agent = stage.agent.clone().unwrap();
    stage.wait_until("rest", |_| agent.busy() == 0).await;
    // A new daemon looks at all of them and finds nothing to do.
    stage.kill_agent().await;
    stage.start_agent();
    let agent = stage.agent.clone().unwrap();
    for _ in 0..100 {
        sleep(Duration::from_millis(5)).await;
        assert_eq!(agent.busy(), 0);
    }
}
