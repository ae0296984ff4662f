//! The stage that the stories play on: a store that can fill up, planners, one machine, its agent.
//! Time is paused and jumps, so nothing here takes as long as it says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use novacron_agent::{Agent, AgentConfig, AgentHandle, Clock, Timing};
use novacron_control::node::register;
use novacron_control::vm;
use novacron_model::node::NodeSpec;
use novacron_model::request::StopRequest;
use novacron_model::task::TaskState;
use novacron_model::vm::{Disk, RestartPolicy, Run, Runtime, VmSpec, VmState};
use novacron_model::{Bytes, DataKey, Kind, Name, Object, Seconds, Task, Time, Vm};
use novacron_sim::{Hand, Options, SimNode, run_planners};
use novacron_store::{CommitError, MemStore, Revision, Selection, Snapshot, Store, Txn, Watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::witness::Witness;

/// Virtual: a loop that waits in vain ends in a moment.
const PATIENCE: Duration = Duration::from_mins(15);

pub struct Stage {
    pub store: Arc<FullStore>,
    pub hand: Hand,
    pub machine: SimNode,
    pub witness: Arc<Witness>,
    pub agent: Option<AgentHandle>,
    planners: JoinHandle<()>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.planners.abort();
    }
}

impl Stage {
    pub async fn new() -> Self {
        Self::with(|_| ()).await
    }

    pub async fn with(prepare: impl FnOnce(&mut Witness)) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(VirtualClock { born: Instant::now() });
        let timing = Timing { observe: Duration::from_secs(5), ..Timing::default() };
        let options = Options { clock: clock.clone(), data_key: DataKey::new([7; 32]), timing };
        let machine = SimNode::new(Name::new("n1").unwrap(), options);
        let store = Arc::new(FullStore::default());
        let everyone: Arc<dyn Store> = store.clone();
        let planners = tokio::spawn(run_planners(everyone.clone(), clock.clone()));
        let at = store.snapshot();
        let uid = Uuid::now_v7();
        let txn = register(&at, clock.now(), uid, &machine.name, NodeSpec::default()).unwrap();
        store.commit(txn).await.unwrap();
        let mut witness = Witness::new(machine.world.clone(), machine.pools.clone());
        prepare(&mut witness);
        let hand = Hand { store: everyone, clock };
        let witness = Arc::new(witness);
        let mut stage = Self { store, hand, machine, witness, agent: None, planners };
        stage.start_agent();
        stage.wait_until("the project", |stage| stage.hand.get::<Vm>("x").is_ok()).await;
        stage
    }

    pub fn start_agent(&mut self) {
        assert!(self.agent.is_none(), "one agent at a time");
        let config = AgentConfig { hypervisor: self.witness.clone(), ..self.machine.config() };
        self.agent = Some(Agent::start(config, self.hand.store.clone()));
    }

    /// The daemon dies where it stands.
    pub async fn kill_agent(&mut self) {
        if let Some(agent) = self.agent.take() {
            agent.kill().await;
        }
    }

    pub fn kill_planners(&self) {
        self.planners.abort();
    }

    pub fn restart_planners(&mut self) {
        self.kill_planners();
        let everyone: Arc<dyn Store> = self.store.clone();
        self.planners = tokio::spawn(run_planners(everyone, self.hand.clock.clone()));
    }

    pub async fn launch(&self, name: &str, policy: RestartPolicy) -> Uuid {
        let spec = VmSpec { restart: policy, ..spec() };
        let task = self.hand.create::<Vm>(name, spec).await.unwrap().unwrap();
        self.wait_state(name, VmState::Running).await;
        assert_eq!(self.outcome(task).await, TaskState::Succeeded);
        self.vm(name).meta.uid
    }

    pub fn vm(&self, name: &str) -> Object<Vm> {
        self.hand.get::<Vm>(name).unwrap().unwrap()
    }

    pub fn runtime(&self, name: &str) -> Runtime {
        self.vm(name).status.runtime.unwrap_or_default()
    }

    pub fn pid(&self, name: &str) -> u32 {
        self.runtime(name).pid.unwrap()
    }

    pub async fn start(&self, name: &str) -> Uuid {
        self.hand.act::<Vm>(name, vm::start).await.unwrap().unwrap()
    }

    pub async fn stop(&self, name: &str, timeout: u64, force: bool) -> Uuid {
        let body = StopRequest { timeout: Some(Seconds(timeout)), force };
        let stop = |request: &mut novacron_control::Request<'_>, vm: &Object<Vm>| {
            vm::stop(request, vm, &body)
        };
        self.hand.act::<Vm>(name, stop).await.unwrap().unwrap()
    }

    /// How a task ended.
    pub async fn outcome(&self, task: Uuid) -> TaskState {
        let name = task.to_string();
        let find = || self.hand.get::<Task>(&name).unwrap().map(|task| task.status.state);
        self.wait_until("the task's end", |_| {
            find().is_some_and(|state| state != TaskState::Running)
        })
        .await;
        find().unwrap()
    }

    /// What the agent has left in a task's log.
    pub fn log(&self, task: Uuid) -> Vec<String> {
        let task = self.hand.get::<Task>(&task.to_string()).unwrap().unwrap();
        task.status.log.into_iter().map(|line| line.text).collect()
    }

    pub async fn wait_state(&self, name: &str, state: VmState) {
        self.wait_until(&format!("{name} to be {state:?}"), |stage| {
            let vm = stage.vm(name);
            let followed = vm
                .status
                .runtime
                .as_ref()
                .is_some_and(|runtime| runtime.observed_generation >= vm.meta.generation);
            vm.status.state == state && followed
        })
        .await;
    }

    pub async fn wait_gone<K: Kind>(&self, name: &str) {
        let what = format!("{} {name} to be gone", K::KIND);
        self.wait_until(&what, |stage| stage.hand.get::<K>(name).unwrap().is_none()).await;
    }

    pub async fn wait_until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            if begun.elapsed() > PATIENCE {
                self.print();
                panic!("waited in vain for {what}");
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn print(&self) {
        let at = self.store.snapshot();
        for record in at.scan("", "") {
            eprintln!("{} @{} {}", record.key, record.revision, record.value.get());
        }
    }
}

/// A VM with one disk.
pub fn spec() -> VmSpec {
    let disk = Disk {
        name: Name::new("root").unwrap(),
        volume: None,
        size: Some(Bytes::gib(1)),
        pool: None,
        image: None,
        owned: true,
        bus: None,
    };
    VmSpec {
        run: Run::Running,
        cpus: 1,
        memory: Bytes::mib(512),
        disks: vec![disk],
        ..VmSpec::default()
    }
}

/// Follows the runtime's paused time.
struct VirtualClock {
    born: Instant,
}

impl Clock for VirtualClock {
    fn now(&self) -> Time {
        let millis = i64::try_from(self.born.elapsed().as_millis()).unwrap();
        Time(1_800_000_000_000 + millis)
    }
}

/// A store whose disk can be full.
#[derive(Default)]
pub struct FullStore {
    inner: MemStore,
    full: AtomicBool,
}

impl FullStore {
    pub fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }
}

impl Store for FullStore {
    fn snapshot(&self) -> Snapshot {
        self.inner.snapshot()
    }

    fn watch(&self, what: Selection, from: Revision) -> Watch {
        self.inner.watch(what, from)
    }

    fn commit(&self, txn: Txn) -> BoxFuture<'_, Result<Revision, CommitError>> {
        async move {
            // A commit takes a moment, in which a daemon can die.
            sleep(Duration::from_millis(1)).await;
            if self.full.load(Ordering::SeqCst) && !txn.only_frees() {
                return Err(CommitError::StorageFull);
            }
            let done = self.inner.commit(txn).await;
            sleep(Duration::from_millis(1)).await;
            done
        }
        .boxed()
    }
}
