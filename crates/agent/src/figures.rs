//! Measures what guests and the node use, and keeps an hour of it in memory. Nothing of it is
//! stored: after a restart of the agent the hour begins anew, and charts show the gap.
//!
//! ```text
//!  actors ── who runs ──▶ Meter ◀── every few seconds ── run ── totals ──▶ hypervisor, host
//!                           │ differences become rates, rates become means of a step
//!                           └──▶ AgentHandle: Hour, Reading
//! ```

mod history;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use novacron_host::Handle;
use novacron_model::Time;
use novacron_model::figures::{Figure, Hour, Reading, TREND, Totals};
use tokio::time::{Instant, MissedTickBehavior, interval};
use uuid::Uuid;

use crate::node::Node;
use history::{History, Values};

/// Guests that are asked at the same time; one whose disks hang holds up no other.
const AT_ONCE: usize = 16;
/// The node itself among the guests: no VM has this uid.
const HOST: Uuid = Uuid::nil();

/// What is known of all guests of this agent, and of its node.
#[derive(Default)]
pub(crate) struct Meter {
    subjects: Mutex<HashMap<Uuid, Subject>>,
}

/// A guest, or the node.
#[derive(Default)]
struct Subject {
    /// The process that is measured now.
    handle: Option<Handle>,
    last: Option<Last>,
    history: History,
}

/// The newest measurement of what runs now.
struct Last {
    at: Instant,
    totals: Totals,
    figure: Figure,
}

impl Meter {
    /// From now on this process is measured; none: nothing runs.
    pub fn follow(&self, uid: Uuid, handle: Option<&Handle>) {
        let mut subjects = self.lock();
        match (subjects.get_mut(&uid), handle) {
            (Some(subject), _) if subject.handle.as_ref() == handle => {}
            (Some(subject), _) => {
                subject.handle = handle.cloned();
                subject.last = None;
            }
            (None, Some(handle)) => {
                let subject = Subject { handle: Some(handle.clone()), ..Subject::default() };
                subjects.insert(uid, subject);
            }
            (None, None) => {}
        }
    }

    /// The VM is gone.
    pub fn forget(&self, uid: Uuid) {
        self.lock().remove(&uid);
    }

    /// The points since `from`.
    pub fn hour(&self, uid: Uuid, from: Time) -> Hour {
        let subjects = self.lock();
        let Some(subject) = subjects.get(&uid) else { return Hour::default() };
        Hour { now: subject.now(), points: subject.history.since(from) }
    }

    pub fn reading(&self, uid: Uuid, now: Time) -> Reading {
        let subjects = self.lock();
        let Some(subject) = subjects.get(&uid) else { return Reading::default() };
        Reading {
            now: subject.now(),
            totals: subject.last.as_ref().map(|last| last.totals).unwrap_or_default(),
            trend: subject.history.trend(now, TREND),
        }
    }

    fn guests(&self) -> Vec<Handle> {
        self.lock().values().filter_map(|subject| subject.handle.clone()).collect()
    }

    /// Takes a measurement of a guest, unless another process has its place by now.
    fn take_guest(&self, handle: &Handle, totals: Option<Totals>, at: Instant, now: Time) {
        let mut subjects = self.lock();
        let subject = subjects.get_mut(&handle.uid);
        let Some(subject) = subject.filter(|known| known.handle.as_ref() == Some(handle)) else {
            return;
        };
        let Some(totals) = totals else {
            // Whoever runs it will say what comes next.
            (subject.handle, subject.last) = (None, None);
            return;
        };
        subject.take(totals, at, now);
    }

    fn take_host(&self, totals: Totals, at: Instant, now: Time) {
        self.lock().entry(HOST).or_default().take(totals, at, now);
    }

    /// Those of which nothing is left to tell go.
    fn forget_before(&self, now: Time) {
        self.lock()
            .retain(|_, subject| subject.history.forget_before(now) || subject.handle.is_some());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Subject>> {
        self.subjects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subject {
    fn now(&self) -> Option<Figure> {
        self.last.as_ref().map(|last| last.figure)
    }

    fn take(&mut self, totals: Totals, at: Instant, now: Time) {
        let before = self.last.as_ref().map(|last| (last.totals, at - last.at));
        let values = values(&totals, before);
        self.history.add(now, &values);
        self.last = Some(Last { at, totals, figure: history::figure(now, &values) });
    }
}

/// Rates since the measurement before. A counter that fell has begun anew: its rate is not known.
fn values(totals: &Totals, before: Option<(Totals, Duration)>) -> Values {
    let rate = |count: &dyn Fn(&Totals) -> Option<u64>| {
        let (before, took) = before.as_ref().filter(|(_, took)| !took.is_zero())?;
        let more = count(totals)?.checked_sub(count(before)?)?;
        Some(float(more) / took.as_secs_f64())
    };
    let micros = |cpu: Duration| u64::try_from(cpu.as_micros()).ok();
    [
        // Microseconds of CPU time per second are millionths of a CPU.
        rate(&|totals| micros(totals.cpu?)).map(|millionths| millionths / 1000.0),
        totals.memory.map(|memory| float(memory.0)),
        rate(&|totals| Some(totals.disk?.read)),
        rate(&|totals| Some(totals.disk?.written)),
        rate(&|totals| Some(totals.disk?.reads)),
        rate(&|totals| Some(totals.disk?.writes)),
        rate(&|totals| Some(totals.network?.received)),
        rate(&|totals| Some(totals.network?.sent)),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "differences and sizes are far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

/// Measures until the agent ends.
pub(crate) async fn run(node: Arc<Node>) {
    let mut ticks = interval(node.config.timing.sample);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = node.ending.cancelled() => return,
            _ = ticks.tick() => {}
        }
        tokio::select! {
            () = node.ending.cancelled() => return,
            () = measure(&node) => {}
        }
    }
}

async fn measure(node: &Node) {
    let meter = &node.meter;
    meter.take_host(node.config.load.totals(), Instant::now(), node.now());
    if let Some(power) = node.config.hypervisor.figures() {
        let ask = async |handle: Handle| match power.totals(&handle).await {
            Ok(totals) => meter.take_guest(&handle, totals, Instant::now(), node.now()),
            Err(error) => tracing::debug!(uid = %handle.uid, %error, "a guest is not measured"),
        };
        futures::stream::iter(meter.guests()).for_each_concurrent(AT_ONCE, ask).await;
    }
    meter.forget_before(node.now());
}

impl crate::AgentHandle {
    /// What a VM of this node has used since `from`, within the last hour; nothing is known of
    /// one that did not run here.
    pub fn hour(&self, uid: Uuid, from: Time) -> Hour {
        self.node.meter.hour(uid, from)
    }

    /// What a VM of this node uses.
    pub fn reading(&self, uid: Uuid) -> Reading {
        self.node.meter.reading(uid, self.node.now())
    }

    /// What the node has used since `from`, within the last hour.
    pub fn node_hour(&self, from: Time) -> Hour {
        self.node.meter.hour(HOST, from)
    }

    /// What the node uses.
    pub fn node_reading(&self) -> Reading {
        self.node.meter.reading(HOST, self.node.now())
    }
}

#[cfg(test)]
mod tests {
    use novacron_model::figures::{DiskTotals, NetworkTotals};
    use novacron_model::{Bytes, MilliCpu};

    use super::*;

    fn handle(pid: u32) -> Handle {
        Handle {
            driver: "sim".to_owned(),
            uid: Uuid::from_u128(7),
            epoch: 1,
            pid,
            start_ticks: 1,
            boot_id: "b".to_owned(),
        }
    }

    fn totals(seconds: u64) -> Totals {
        Totals {
            cpu: Some(Duration::from_millis(seconds * 1500)),
            memory: Some(Bytes::mib(100)),
            disk: Some(DiskTotals { written: seconds * 4096, ..DiskTotals::default() }),
            network: None,
        }
    }

    /// What is shown now after two measurements, five seconds apart.
    fn after(first: Totals, second: Totals) -> Figure {
        let meter = Meter::default();
        meter.follow(handle(1).uid, Some(&handle(1)));
        let (begin, noon) = (Instant::now(), 1_800_000_000_000);
        meter.take_guest(&handle(1), Some(first), begin, Time(noon));
        let five = Duration::from_secs(5);
        meter.take_guest(&handle(1), Some(second), begin + five, Time(noon + 5000));
        meter.reading(handle(1).uid, Time(noon + 5000)).now.unwrap()
    }

    #[test]
    fn differences_of_counters_become_rates_and_what_is_not_counted_stays_unknown() {
        let now = after(totals(100), totals(105));
        assert_eq!((now.cpu, now.memory), (Some(MilliCpu(1500)), Some(Bytes::mib(100))));
        assert_eq!((now.disk_read, now.disk_written), (Some(Bytes(0)), Some(Bytes(4096))));
        assert_eq!((now.network_received, now.network_sent), (None, None));
    }

    #[test]
    fn a_counter_that_fell_has_no_rate() {
        let now = after(totals(100), totals(3));
        assert_eq!((now.cpu, now.disk_written), (None, None));
        assert_eq!(now.memory, Some(Bytes::mib(100)));
    }

    #[test]
    fn a_counter_that_comes_late_has_no_rate_yet() {
        let late = NetworkTotals { received: 9_000_000, sent: 9 };
        let now = after(totals(100), Totals { network: Some(late), ..totals(105) });
        assert_eq!(now.network_received, None);
    }

    #[test]
    fn a_new_process_does_not_go_on_where_the_old_one_ended() {
        let meter = Meter::default();
        let (old, new, begin, noon) =
            (handle(1), handle(2), Instant::now(), Time(1_800_000_000_000));
        meter.follow(old.uid, Some(&old));
        meter.take_guest(&old, Some(totals(1)), begin, noon);
        meter.follow(old.uid, Some(&new));
        assert_eq!(meter.reading(old.uid, noon).now, None);
        meter.take_guest(&new, Some(totals(50)), begin + Duration::from_secs(5), noon);
        assert_eq!(meter.reading(old.uid, noon).now.unwrap().cpu, None);
        // An answer about the old one that comes late.
        meter.take_guest(&old, Some(totals(9)), begin + Duration::from_secs(6), noon);
        assert_eq!(meter.reading(old.uid, noon).totals, totals(50));
        meter.follow(old.uid, None);
        assert_eq!(meter.reading(old.uid, noon).now, None);
        assert_eq!(meter.hour(old.uid, noon).points.len(), 1, "what was, was");
        meter.forget_before(Time(noon.0 + 3_700_000));
        assert!(meter.lock().is_empty(), "nothing piles up");
    }
}
