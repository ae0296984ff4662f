//! `set`: changes fields and labels by a merge patch.

use serde_json::{Value, json};

use crate::args::LabelArgs;
use crate::client::Call;
use crate::failure::{Failure, Result};
use crate::noun::Noun;
use crate::output;
use crate::session::Session;

/// Patches `spec` (an object with only the fields that were given) and labels.
pub async fn set(
    session: &Session,
    noun: &Noun,
    name: &str,
    labels: &LabelArgs,
    spec: Value,
) -> Result<()> {
    let mut patch = json!({});
    if let Some(labels) = labels.patch() {
        patch["meta"] = json!({"labels": labels});
    }
    if spec.as_object().is_some_and(|spec| !spec.is_empty()) {
        patch["spec"] = spec;
    }
    if patch == json!({}) {
        return Err(Failure::usage("nothing to set").hint("say what, such as --label KEY=VALUE"));
    }
    let call = Call::patch(noun.path(&session.project, name), &patch);
    let answer = session.client.call(call).await?;
    session.report(&format!("{} changed", noun.called(name)), &answer.value)?;
    tell_pending(session, &answer.value);
    Ok(())
}

/// Says what of a change waits for a restart of the guest.
pub fn tell_pending(session: &Session, object: &Value) {
    let pending = crate::vm::pending(object);
    if session.is_table() && !pending.is_empty() {
        output::note(pending);
    }
}
