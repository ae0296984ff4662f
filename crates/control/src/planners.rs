//! Which planner looks at what, and who else is to be looked at when something changes.

use novacron_model::{
    Image, JoinToken, Kind, Level, Node, Result, Seconds, Snapshot, Task, Time, Token, Vm, Volume,
    key,
};
use novacron_store::{Key, Precondition, Snapshot as At, Txn, object};

use crate::admission::Home;
use crate::index::{self, OPEN};
use crate::journal::{self, CONTROL, Note};
use crate::placing::{self, LOCATION};
use crate::plan::Plan;
use crate::{capacity, image, join_token, snapshot, task, token, vm, volume};

/// Pending VMs that are woken at once when room is made; the others look again by themselves.
const WOKEN: usize = 64;
const AUDIT_EVERY: Seconds = Seconds(3600);

/// All families, for the first round after a start.
pub fn families(at: &At) -> Vec<Key> {
    let mut families: Vec<Key> = Vec::new();
    for record in at.scan("", "") {
        let family = record.key.family();
        if families.last().is_none_or(|last| last.as_str() != family) {
            families.push(Key::new(family));
        }
    }
    families
}

/// One look at one family. Committing the plan's transaction and looking again ends, after a few
/// rounds, in a plan without a transaction.
pub fn plan_all(at: &At, family: &Key, now: Time) -> Plan {
    let name = family.as_str();
    if at.get(name).is_none() {
        return orphans(at, family);
    }
    let plan = match kind(name) {
        Vm::KIND => vm::plan(at, name, now),
        Volume::KIND => volume::plan(at, name),
        Image::KIND => image::plan(at, name),
        Snapshot::KIND => snapshot::plan(at, name, now),
        Task::KIND => task::plan(at, name, now),
        Token::KIND => object::by_key::<Token>(at, name)
            .map(|token| token.map(|token| token::plan(at, &token, now)).unwrap_or_default()),
        JoinToken::KIND => object::by_key::<JoinToken>(at, name)
            .map(|token| token.map(|it| join_token::plan(at, &it, now)).unwrap_or_default()),
        _ => Ok(Plan::default()),
    };
    Plan::or_idle(name, plan)
}

/// Families to look at, beside itself, when a family has changed or gone.
pub fn related(at: &At, family: &Key) -> Vec<Key> {
    let name = family.as_str();
    let mut related = at.indexed(index::WAITS_ON, name, "");
    let copies = related.iter().filter(|waiting| kind(waiting.as_str()) == Volume::KIND);
    let around: Vec<Key> = copies.flat_map(|copy| around(at, copy.as_str())).collect();
    related.extend(around);
    match kind(name) {
        // What was to be cleaned up there need not be any more.
        Node::KIND if at.get(name).is_none() => {
            let node = name.rsplit('/').next().unwrap_or_default();
            related.extend(at.indexed(index::NODE, node, ""));
        }
        Node::KIND => {
            related.extend(at.indexed(index::PENDING, OPEN, ""));
            related.extend(placing::families_without::<Vm>(at, vm::PLACEMENT));
            related.extend(placing::families_without::<Volume>(at, LOCATION));
            related.extend(placing::families_without::<Image>(at, LOCATION));
        }
        Task::KIND => related.extend(task::oldest(at, name)),
        Volume::KIND => related.extend(waiting_vm(at, name)),
        // Whoever waits for an image, and the tasks that wait for them.
        Image::KIND => {
            let image = object::by_key::<Image>(at, name).ok().flatten();
            let users =
                image.map(|image| at.indexed(index::IMAGE, &image.meta.uid.to_string(), ""));
            for user in users.into_iter().flatten() {
                related.extend(at.indexed(index::WAITS_ON, user.as_str(), ""));
                related.push(user);
            }
        }
        // A schedule waits for it.
        Snapshot::KIND => related.extend(snapshot::vm_of(name)),
        Vm::KIND if at.get(name).is_none() => {
            related.extend(at.indexed(index::PENDING, OPEN, "").into_iter().take(WOKEN));
        }
        _ => {}
    }
    related
}

/// Whom it concerns that a copy need not wait any more, or waits in vain: its VM and its tasks.
fn around(at: &At, copy: &str) -> Vec<Key> {
    let mut around = at.indexed(index::WAITS_ON, copy, "");
    around.extend(waiting_vm(at, copy));
    around
}

/// The VM that waits for a volume which has no node.
fn waiting_vm(at: &At, family: &str) -> Option<Key> {
    let volume = object::by_key::<Volume>(at, family).ok()??;
    let attachment = volume.status.attachment.as_ref().filter(|_| volume.status.location.is_none());
    let home = Home::of(at, &volume).ok()?;
    Some(Key::from(key::object::<Vm>(Some(home.uid), attachment?.vm.as_str())))
}

/// Compares every node's counters with what its VMs hold and reports differences as events. To be
/// run on start and when its `wake` has come.
pub fn audit(at: &At, now: Time) -> Plan {
    let mut txn = Txn::new();
    let noted: Result<()> = object::list::<Node>(at, None).iter().try_for_each(|node| {
        capacity::recount(at, node.name()).into_iter().try_for_each(|(name, counted, held)| {
            let text = format!("counter {name} says {counted}, but VMs hold {held}");
            let (level, kind, object) = (Level::Error, "node.miscounted", Some(node.reference()));
            journal::note(&mut txn, now, Note { actor: CONTROL, level, kind, object, text })
        })
    });
    let plan = Plan::or_idle("", noted.map(|()| Plan::commit(txn)));
    Plan { wake: Some(now.plus(AUDIT_EVERY)), ..plan }
}

/// Sections that were written after their object had gone.
fn orphans(at: &At, family: &Key) -> Plan {
    let left = at.family(family.as_str());
    let mut txn = Txn { frees: true, ..Txn::new() };
    txn.deletes.extend(left.into_iter().map(|record| record.key.clone()));
    txn.preconditions.push(Precondition::Absent(family.clone()));
    Plan::commit(txn)
}

fn kind(family: &str) -> &str {
    family.split_once('/').map_or("", |(kind, _)| kind)
}
