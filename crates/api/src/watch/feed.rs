//! One live view of some kinds of objects, of events and of progress.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use novacron_model::event;
use novacron_model::task::TaskSpec;
use novacron_model::{Kind, Task, key};
use novacron_store::{Change, Compacted, Record, Revision, Selection, Snapshot, Watch};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::listing::Listing;
use super::{Notice, Told};
use crate::problem::Answer;
use crate::resource::{self, Shown, list};
use crate::rest::events;
use crate::state::Api;
use crate::table::Row;

/// What a feed follows.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub rows: Vec<Row>,
    /// For kinds that live in one.
    pub project: Option<String>,
    pub labels: Vec<(String, String)>,
    /// Start after this revision in place of a listing.
    pub from: Option<Revision>,
    pub events: Option<events::Filter>,
    /// Tell the progress of running tasks.
    pub live: bool,
}

/// A kind with the prefix of its keys.
pub(super) struct Part {
    pub row: Row,
    pub prefix: String,
}

/// Progress is told at most this often.
const LIVE_PAUSE: Duration = Duration::from_millis(100);

pub struct Feed {
    api: Arc<Api>,
    parts: Vec<Part>,
    labels: Vec<(String, String)>,
    listing: Option<Listing>,
    objects: Watch,
    events: Option<Watch>,
    /// Which of them are told.
    filter: events::Filter,
    live: Option<watch::Receiver<u64>>,
    live_due: Option<Instant>,
    queue: VecDeque<Told>,
    /// Objects that were told, by family: their uid when they are gone.
    known: BTreeMap<String, Uuid>,
    /// Running tasks that were told: what they work on, and the progress told last.
    running: BTreeMap<String, (TaskSpec, Value)>,
}

impl Feed {
    pub fn open(api: &Arc<Api>, wanted: Wanted) -> Answer<Self> {
        let at = api.store.snapshot();
        let mut parts = Vec::new();
        for row in wanted.rows {
            let scope = match row.scope {
                novacron_model::Scope::Cluster => None,
                novacron_model::Scope::Project => {
                    resource::scope_uid(&at, wanted.project.as_deref())?
                }
            };
            parts.push(Part { row, prefix: row.ops.prefix(scope) });
        }
        // Beyond the present there is nothing to resume: the store was made anew.
        let from = wanted.from.filter(|from| *from <= at.revision());
        let start = from.unwrap_or(at.revision());
        let objects = api.store.watch(selection(&parts, &wanted.labels), start);
        let stream = || Selection::Stream(event::STREAM.to_owned());
        let events = wanted.events.as_ref().map(|_| api.store.watch(stream(), start));
        let mut queue = VecDeque::new();
        if wanted.from.is_some() && from.is_none() {
            queue.push_back(Told { notice: Notice::Reset, id: None });
        }
        Ok(Self {
            api: api.clone(),
            parts,
            labels: wanted.labels,
            listing: from.is_none().then(|| Listing::new(at)),
            objects,
            events,
            filter: wanted.events.unwrap_or_default(),
            live: wanted.live.then(|| api.gateway.live_changes()),
            live_due: None,
            queue,
            known: BTreeMap::new(),
            running: BTreeMap::new(),
        })
    }

    /// What comes next; `None` once the store has shut down. Cancel-safe.
    pub async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some(told) = self.queue.pop_front() {
                return Some(told);
            }
            if self.listing.is_some() {
                self.list();
                continue;
            }
            tokio::select! {
                changes = self.objects.next() => match changes? {
                    Ok(changes) => self.changed(&changes),
                    Err(Compacted { .. }) => self.start_over(),
                },
                entries = next_of(self.events.as_mut()) => match entries? {
                    Ok(entries) => self.happened(&entries),
                    Err(Compacted { .. }) => self.start_over(),
                },
                step = pace(self.live.as_mut(), self.live_due) => match step {
                    Pace::Moved => self.live_due = Some(Instant::now() + LIVE_PAUSE),
                    Pace::Due => {
                        self.live_due = None;
                        self.progressed();
                    }
                    Pace::Over => self.live = None,
                }
            }
        }
    }

    fn list(&mut self) {
        let Some(listing) = &mut self.listing else { return };
        if let Some(objects) = listing.step(&self.api, &self.parts, &self.labels) {
            for (part, family, shown) in objects {
                self.tell(part, family, shown, None);
            }
            return;
        }
        let revision = listing.at.revision();
        self.listing = None;
        self.queue.push_back(Told { notice: Notice::Synced { revision }, id: Some(revision) });
        self.progressed();
    }

    fn start_over(&mut self) {
        let at = self.api.store.snapshot();
        let revision = at.revision();
        self.objects = self.api.store.watch(selection(&self.parts, &self.labels), revision);
        if self.events.is_some() {
            let stream = Selection::Stream(event::STREAM.to_owned());
            self.events = Some(self.api.store.watch(stream, revision));
        }
        self.known.clear();
        self.running.clear();
        self.queue.push_back(Told { notice: Notice::Reset, id: None });
        self.listing = Some(Listing::new(at));
    }

    fn changed(&mut self, changes: &[Change]) {
        let at = self.api.store.snapshot();
        for (index, change) in changes.iter().enumerate() {
            // Only after the last change of a transaction has all of it been told.
            let more = changes.get(index + 1).map(Change::revision);
            let whole = (more != Some(change.revision())).then(|| change.revision());
            let events_seen = self.events.as_ref().map(Watch::seen);
            let id = whole.map(|revision| events_seen.map_or(revision, |seen| seen.min(revision)));
            match change {
                Change::Family { family, records, .. } => {
                    self.family(&at, family.as_str(), records, id);
                }
                Change::Gone { family, .. } => self.gone(family.as_str(), id),
                Change::Entry { .. } => {}
            }
        }
    }

    fn family(&mut self, at: &Snapshot, family: &str, records: &[Record], id: Option<Revision>) {
        let Some(part) = self.part_of(family) else { return };
        let own = records.iter().find(|record| record.key.section().is_none());
        if !own.is_some_and(|own| list::carries(own, &self.labels)) {
            return self.gone(family, id);
        }
        let records: Vec<&Record> = records.iter().collect();
        match self.parts[part].row.ops.show(&self.api, at, &records) {
            Ok(Some(shown)) => self.tell(part, family.to_owned(), shown, id),
            Ok(None) => self.gone(family, id),
            Err(refusal) => tracing::warn!(error = %refusal.error, "object left out of a watch"),
        }
    }

    fn tell(&mut self, part: usize, family: String, shown: Shown, id: Option<Revision>) {
        let row = self.parts[part].row;
        if row.kind == Task::KIND && self.live.is_some() {
            let task = shown.value().unwrap_or_default();
            let over = !task["status"]["outcome"].is_null();
            let spec = serde_json::from_value(task["spec"].clone()).ok();
            match spec.filter(|_| !over) {
                Some(spec) => {
                    let last = task["status"]["live"].clone();
                    self.running.insert(shown.meta.name.clone(), (spec, last));
                }
                None => {
                    self.running.remove(&shown.meta.name);
                }
            }
        }
        self.known.insert(family, shown.meta.uid);
        let notice = Notice::Object { kind: row.kind, object: shown };
        self.queue.push_back(Told { notice, id });
    }

    fn gone(&mut self, family: &str, id: Option<Revision>) {
        let Some(part) = self.part_of(family) else { return };
        let uid = self.known.remove(family);
        let name = family[self.parts[part].prefix.len()..].to_owned();
        self.running.remove(&name);
        let notice = Notice::Gone { kind: self.parts[part].row.kind, name, uid };
        self.queue.push_back(Told { notice, id });
    }

    fn happened(&mut self, entries: &[Change]) {
        for entry in entries {
            if let Change::Entry { entry, .. } = entry
                && let Some(event) = events::read(entry)
                && self.filter.matches(&event)
                && let Ok(event) = serde_json::to_value(event)
            {
                self.queue.push_back(Told { notice: Notice::Event(event), id: None });
            }
        }
    }

    fn progressed(&mut self) {
        for (task, (spec, told)) in &mut self.running {
            let live = resource::live(&self.api, spec);
            let live = live.and_then(|live| serde_json::to_value(live).ok()).unwrap_or_default();
            if !live.is_null() && live != *told {
                told.clone_from(&live);
                let notice = Notice::Live { task: task.clone(), live };
                self.queue.push_back(Told { notice, id: None });
            }
        }
    }

    fn part_of(&self, family: &str) -> Option<usize> {
        self.parts.iter().position(|part| family.starts_with(&part.prefix))
    }
}

/// The narrowest selection of the store that holds all parts.
fn selection(parts: &[Part], labels: &[(String, String)]) -> Selection {
    let prefix = match parts {
        [only] => only.prefix.clone(),
        _ => String::new(),
    };
    match labels.first() {
        None => Selection::Prefix(prefix),
        Some((name, value)) => {
            Selection::Index { prefix, name: key::label_index(name), value: value.clone() }
        }
    }
}

async fn next_of(watch: Option<&mut Watch>) -> Option<Result<Vec<Change>, Compacted>> {
    match watch {
        Some(watch) => watch.next().await,
        None => std::future::pending().await,
    }
}

enum Pace {
    /// Progress was made; it is told after a pause.
    Moved,
    /// The pause is over.
    Due,
    /// No more progress will come.
    Over,
}

async fn pace(live: Option<&mut watch::Receiver<u64>>, due: Option<Instant>) -> Pace {
    match (due, live) {
        (Some(due), _) => {
            tokio::time::sleep_until(due).await;
            Pace::Due
        }
        (None, Some(live)) => live.changed().await.map_or(Pace::Over, |()| Pace::Moved),
        (None, None) => std::future::pending().await,
    }
}
