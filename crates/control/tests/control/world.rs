//! A cluster in memory: a state, a clock that stands still, and whoever acts on it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use novacron_control::{self as control, Admitted, DeleteOptions, Request, Resource};
use novacron_model::node::{HypervisorReport, NodeReport, NodeSpec};
use novacron_model::request::{Draft, DraftMeta};
use novacron_model::{
    Bytes, Error, Event, Image, Kind, Meta, Name, Node, Object, Project, Result, Secret, Snapshot,
    Task, Time, Vm, Volume, event, key,
};
use novacron_store::{CommitError, Key, Snapshot as At, State, Txn, object};
use serde_json::{Value, json};
use uuid::Uuid;

pub const ACTOR: &str = "ana";

pub struct World {
    state: Arc<State>,
    pub now: Time,
    /// The project that requests name.
    pub home: &'static str,
    /// An older state that requests and planners are made to look at.
    pub behind: Option<At>,
    /// Families changed since [`World::drive`] has looked.
    touched: BTreeSet<Key>,
    uids: u128,
}

impl World {
    /// Nodes by name, CPUs and memory in GiB.
    pub fn new(nodes: &[(&str, u32, u64)]) -> Self {
        let state = Arc::new(State::default());
        let mut world = Self {
            state,
            now: Time(1_800_000_000_000),
            home: "default",
            behind: None,
            touched: BTreeSet::new(),
            uids: 0,
        };
        let (at, now) = (world.at(), world.now);
        let txn = control::bootstrap(&at, now, &mut || world.fresh_uid()).unwrap();
        world.commit(&txn).unwrap();
        for (name, cpus, memory) in nodes {
            world.add_node(name, *cpus, Bytes::gib(*memory));
        }
        world
    }

    /// One roomy node.
    pub fn single() -> Self {
        Self::new(&[("n1", 8, 64)])
    }

    pub fn add_node(&mut self, name: &str, cpus: u32, memory: Bytes) {
        let uid = self.fresh_uid();
        let name = Name::new(name).unwrap();
        let spec = NodeSpec::default();
        let txn = control::node::register(&self.at(), self.now, uid, &name, spec).unwrap();
        self.commit(&txn).unwrap();
        let driver = HypervisorReport {
            driver: "sim".into(),
            version: "1".into(),
            accelerator: "sim".into(),
            reason: String::new(),
            powers: vec!["snapshots".into()],
        };
        let report = NodeReport {
            version: "0".into(),
            hostname: name.to_string(),
            boot_id: "b".into(),
            started: self.now,
            cpus,
            cpu_model: "sim".into(),
            memory,
            hypervisors: vec![driver],
            remarks: vec![],
            simulated: true,
        };
        let family = key::object::<Node>(None, name.as_str());
        self.report(&family, "report", &report);
    }

    pub fn at(&self) -> At {
        self.behind.clone().unwrap_or_else(|| At::new(self.state.clone()))
    }

    pub fn fresh_uid(&mut self) -> Uuid {
        self.uids += 1;
        Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + self.uids)
    }

    /// Applies a transaction, and holds it to the promise that a second time changes nothing.
    pub fn commit(&mut self, txn: &Txn) -> Result<(), CommitError> {
        let mut next = State::clone(&self.state);
        let touched = next.apply(txn)?;
        self.touched.extend(touched.families.into_iter().map(|change| change.family));
        let mut again = next.clone();
        if again.apply(txn).is_ok() {
            assert_eq!(contents(&again), contents(&next), "applied twice: {txn:?}");
        }
        self.state = Arc::new(next);
        Ok(())
    }

    /// Commits a status section, as an agent does.
    pub fn report<T: serde::Serialize + serde::de::DeserializeOwned>(
        &mut self,
        family: &str,
        section: &str,
        value: &T,
    ) {
        let mut txn = Txn::new();
        object::put_section(&mut txn, &self.at(), family, section, value, vec![]).unwrap();
        self.commit(&txn).unwrap();
    }

    pub fn project(&self) -> Object<Project> {
        object::expect(&self.at(), None, self.home).unwrap()
    }

    fn scope<K: Kind>(&self) -> Option<Uuid> {
        matches!(K::SCOPE, novacron_model::Scope::Project).then(|| self.project().meta.uid)
    }

    pub fn get<K: Kind>(&self, name: &str) -> Object<K> {
        self.find(name).unwrap_or_else(|| panic!("no {} {name}", K::KIND))
    }

    pub fn find<K: Kind>(&self, name: &str) -> Option<Object<K>> {
        object::get(&self.at(), self.scope::<K>(), name).unwrap()
    }

    pub fn list<K: Kind>(&self) -> Vec<Object<K>> {
        object::list(&self.at(), self.scope::<K>())
    }

    pub fn key<K: Kind>(&self, name: &str) -> String {
        key::object::<K>(self.scope::<K>(), name)
    }

    /// Admits and commits a request; the task's uid, if it made one.
    pub fn ask(
        &mut self,
        admit: impl FnOnce(&mut Request<'_>) -> Result<Admitted>,
    ) -> Result<Option<Uuid>> {
        let admitted = self.admit(admit)?;
        self.commit(&admitted.txn).map_err(|error| control::refusal(&error))?;
        Ok(admitted.task)
    }

    /// Admits without committing.
    pub fn admit(
        &mut self,
        admit: impl FnOnce(&mut Request<'_>) -> Result<Admitted>,
    ) -> Result<Admitted> {
        let (at, now, project) = (self.at(), self.now, self.project());
        let seal = |secret: &Secret| match secret {
            Secret::Plain(plain) => Ok(Secret::Sealed { sealed: format!("sealed {plain}") }),
            other => Ok(other.clone()),
        };
        let mut request = Request {
            at: &at,
            now,
            actor: ACTOR,
            fresh_uid: &mut || self.fresh_uid(),
            seal: &seal,
            project: Some(&project),
            published: control::published::Published::default(),
        };
        admit(&mut request)
    }

    pub fn create<K: Resource>(&mut self, name: &str, spec: Value) -> Result<Option<Uuid>> {
        let spec =
            serde_json::from_value(spec).map_err(|error| Error::internal(error.to_string()))?;
        let meta = DraftMeta { name: name.to_owned(), ..DraftMeta::default() };
        self.ask(|request| K::create(request, Draft { meta, spec }))
    }

    /// Changes an object by merging `change` into its spec.
    pub fn set<K: Resource>(&mut self, name: &str, change: &Value) -> Result<()> {
        let old = self.get::<K>(name);
        let mut new = old.clone();
        let mut spec = serde_json::to_value(&old.spec).unwrap();
        for (field, value) in change.as_object().unwrap() {
            spec[field] = value.clone();
        }
        new.spec = serde_json::from_value(spec).unwrap();
        self.ask(|request| K::update(request, &old, new)).map(drop)
    }

    pub fn delete<K: Resource>(&mut self, name: &str, force: bool) -> Result<Option<Uuid>> {
        self.delete_with::<K>(name, DeleteOptions { force, ..DeleteOptions::default() })
    }

    pub fn delete_with<K: Resource>(
        &mut self,
        name: &str,
        options: DeleteOptions,
    ) -> Result<Option<Uuid>> {
        let old = self.get::<K>(name);
        self.ask(|request| K::delete(request, &old, options))
    }

    /// A verb of a VM.
    pub fn verb(
        &mut self,
        name: &str,
        verb: impl FnOnce(&mut Request<'_>, &Object<Vm>) -> Result<Admitted>,
    ) -> Result<Option<Uuid>> {
        let vm = self.get::<Vm>(name);
        self.ask(|request| verb(request, &vm))
    }

    /// An image with a disk of this many GiB (none: a bundle without disk), imported.
    pub fn image(&mut self, name: &str, gib: Option<u64>) {
        let kind = if gib.is_some() { "disk" } else { "bundle" };
        self.image_of_kind(name, kind, Bytes::gib(gib.unwrap_or(0)));
    }

    /// Any image, imported.
    pub fn image_of_kind(&mut self, name: &str, kind: &str, virtual_size: Bytes) {
        self.create::<Image>(name, json!({"source": {"upload": {}}})).unwrap();
        self.settle();
        let ready = self.now.to_string();
        let content = json!({"kind": kind, "ready": ready, "virtual_size": virtual_size});
        self.report(&self.key::<Image>(name), "content", &content);
        self.run();
    }

    /// One planner's look at one family; whether it changed anything.
    pub fn plan(&mut self, family: &Key) -> bool {
        match control::plan_all(&self.at(), family, self.now).txn {
            None => false,
            Some(txn) => {
                let committed = self.commit(&txn);
                assert!(committed.is_ok() || self.behind.is_some(), "{family}: {committed:?}");
                true
            }
        }
    }

    /// All planners look at one state; those that come too late with their plans are refused.
    pub fn plan_together(&mut self) {
        self.behind = Some(self.at());
        for family in control::families(&self.at()) {
            self.plan(&family);
        }
        self.behind = None;
    }

    /// Planners until none of them wants anything.
    pub fn settle(&mut self) {
        for _ in 0..64 {
            let families = control::families(&self.at());
            if families.iter().filter(|family| self.plan(family)).count() == 0 {
                return;
            }
        }
        panic!("the planners do not come to rest");
    }

    /// Planners as the driver loop calls them: what has changed, and what is related to it.
    pub fn drive(&mut self) {
        for _ in 0..1024 {
            let Some(family) = self.touched.pop_first() else { return };
            for related in control::related(&self.at(), &family) {
                if self.plan(&related) {
                    self.touched.insert(related);
                }
            }
            if self.plan(&family) {
                self.touched.insert(family);
            }
        }
        panic!("the driver does not come to rest");
    }

    /// The driver loop and agents until nothing is left to do.
    pub fn run_driven(&mut self) {
        for _ in 0..64 {
            self.drive();
            if !super::agent::work(self) {
                return;
            }
        }
        panic!("the driven world does not come to rest");
    }

    /// Planners and agents until nothing is left to do.
    pub fn run(&mut self) {
        for _ in 0..64 {
            self.settle();
            if !super::agent::work(self) {
                return;
            }
        }
        panic!("the world does not come to rest");
    }

    pub fn pass(&mut self, seconds: i64) {
        self.now = Time(self.now.0 + seconds * 1000);
    }

    pub fn task(&self, uid: Option<Uuid>) -> Object<Task> {
        self.get(&uid.expect("a task").to_string())
    }

    /// `succeeded`, or `failed: why`.
    pub fn outcome(&self, uid: Option<Uuid>) -> String {
        let Some(outcome) = self.task(uid).status.outcome else { return "running".into() };
        let state = word(outcome.state);
        outcome.error.map_or(state.clone(), |error| format!("{state}: {error}"))
    }

    /// All objects that users care about, and what the nodes' counters say.
    pub fn show(&self) -> String {
        let mut text = String::new();
        for vm in self.list::<Vm>() {
            let place = vm.status.placement.as_ref().and_then(|placement| placement.node.clone());
            let place = place.map_or(String::new(), |node| format!(" on {node}"));
            line(&mut text, &vm, &word(vm.status.state), &place, vm.status.reason.as_deref());
        }
        for volume in self.list::<Volume>() {
            let place = volume.status.location.as_ref();
            let mut place = place.map_or(String::new(), |place| format!(" on {}", place.node));
            if let Some(attachment) = &volume.status.attachment {
                write!(place, " for {}", attachment.vm).unwrap();
            }
            line(&mut text, &volume, &word(volume.status.state), &place, None);
        }
        for image in self.list::<Image>() {
            let place = image.status.location.as_ref();
            let place = place.map_or(String::new(), |place| format!(" on {}", place.node));
            line(&mut text, &image, &word(image.status.state), &place, None);
        }
        for snapshot in self.list::<Snapshot>() {
            line(&mut text, &snapshot, &word(snapshot.status.state), "", None);
        }
        for (name, value) in self.state.counters("").filter(|(name, _)| !name.starts_with("tasks/"))
        {
            writeln!(text, "{name} = {value}").unwrap();
        }
        text
    }

    pub fn events(&self) -> String {
        let mut text = String::new();
        let at = self.at();
        for entry in at.stream(event::STREAM, 0) {
            let event: Event = serde_json::from_str(entry.value.get()).unwrap();
            writeln!(text, "{} {}: {}", event.actor, event.kind, event.text).unwrap();
        }
        text
    }

    pub fn counters(&self) -> Vec<(String, i64)> {
        self.state.counters("").map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

fn line<K: Kind>(
    text: &mut String,
    object: &Object<K>,
    state: &str,
    place: &str,
    why: Option<&str>,
) {
    let Meta { name, .. } = &object.meta;
    let why = why.map_or(String::new(), |why| format!(": {why}"));
    writeln!(text, "{} {name} {state}{place}{why}", K::KIND).unwrap();
}

pub fn word(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

/// Everything but revisions.
fn contents(state: &State) -> String {
    let items = state.dump().map(|item| {
        let mut item = serde_json::to_value(item).unwrap();
        if let Some(record) = item.get_mut("record") {
            record["revision"] = Value::Null;
        }
        item.to_string()
    });
    items.collect::<Vec<_>>().join("\n")
}

/// An error as a user sees it.
pub fn says<T: std::fmt::Debug>(result: Result<T>) -> String {
    let error = result.unwrap_err();
    let field = error.field.map_or(String::new(), |field| format!("{field}: "));
    let hint = error.hint.map_or(String::new(), |hint| format!("; {hint}"));
    format!("{} {field}{}{hint}", word(error.code), error.message)
}
