//! Writes events: what users did and what controllers did in their place, in the same
//! transaction as the deed.

use novacron_model::{Event, Level, ObjectRef, Result, Time};
use novacron_store::{Txn, events};

/// The actor of what planners do by themselves.
pub const CONTROL: &str = "control";
pub const SCHEDULER: &str = "scheduler";
/// Takes snapshots by schedule. No user and no token is called so.
pub const SCHEDULE: &str = "schedule";

/// What [`note`] writes beside the time.
pub(crate) struct Note<'a> {
    pub actor: &'a str,
    pub level: Level,
    pub kind: &'a str,
    pub object: Option<ObjectRef>,
    pub text: String,
}

pub(crate) fn note(txn: &mut Txn, now: Time, note: Note<'_>) -> Result<()> {
    let event = Event {
        sequence: 0,
        time: now,
        level: note.level,
        kind: note.kind.to_owned(),
        object: note.object,
        text: note.text,
        actor: note.actor.to_owned(),
    };
    events::append(txn, &event)
}

/// `VM "web"`: an object as sentences name it.
pub(crate) fn called(object: &ObjectRef) -> String {
    format!("{} \"{}\"", novacron_model::key::display_kind(&object.kind), object.name)
}
