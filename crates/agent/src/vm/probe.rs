//! Asks the guest agent now and then, beside the actor: an agent that hangs delays nobody.

use std::sync::Arc;
use std::time::Duration;

use novacron_host::Handle;
use novacron_model::vm::GuestAgent;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use crate::node::Node;

const ANSWER: Duration = Duration::from_secs(5);
const FIRST: Duration = Duration::from_secs(2);

/// When to ask, and the question that is out.
#[derive(Default)]
pub(super) struct Probe {
    /// The process that is asked.
    handle: Option<Handle>,
    next: Option<Instant>,
    pause: Duration,
    asked: Option<oneshot::Receiver<Option<GuestAgent>>>,
}

impl Probe {
    /// Follows the guest: a new process is asked soon, none is asked any more. Whether this is
    /// another than before.
    pub fn follow(&mut self, handle: Option<&Handle>) -> bool {
        if self.handle.as_ref() == handle {
            return false;
        }
        *self = Self { handle: handle.cloned(), ..Self::default() };
        if self.handle.is_some() {
            self.pause = FIRST;
            self.next = Some(Instant::now() + FIRST);
        }
        true
    }

    /// What the agent answered. Asks when it is time; never returns while there is nobody to ask.
    pub async fn answer(&mut self, node: &Arc<Node>) -> GuestAgent {
        loop {
            if let Some(asked) = &mut self.asked {
                let answer = asked.await.ok().flatten();
                self.asked = None;
                let steady = node.config.timing.guest_agent;
                // One without an address waits for DHCP, mostly.
                let settled = answer.as_ref().is_some_and(|agent| !agent.addresses.is_empty());
                self.pause = if settled { steady } else { (self.pause * 2).min(steady) };
                self.next = Some(Instant::now() + self.pause);
                if let Some(answer) = answer {
                    return answer;
                }
            }
            let (Some(handle), Some(next)) = (self.handle.clone(), self.next) else {
                return std::future::pending().await;
            };
            sleep_until(next).await;
            self.asked = Some(ask(node, handle));
        }
    }
}

fn ask(node: &Arc<Node>, handle: Handle) -> oneshot::Receiver<Option<GuestAgent>> {
    let (tell, asked) = oneshot::channel();
    let hypervisor = node.config.hypervisor.clone();
    node.spawn(async move {
        let Some(agent) = hypervisor.guest_agent() else { return };
        let answer = timeout(ANSWER, agent.info(&handle)).await;
        // The actor may have moved on.
        let _ = tell.send(answer.ok().and_then(novacron_model::Result::ok));
    });
    asked
}
