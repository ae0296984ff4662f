//! `delete`: says what goes and what stays, asks, and waits until it is gone.

use std::fmt::Write;

use clap::Args;
use novacron_model::key::display_kind;
use serde_json::Value;

use super::chosen::Chosen;
use super::several::Several;
use crate::args::WaitArgs;
use crate::client::Call;
use crate::failure::Result;
use crate::noun::Noun;
use crate::output;
use crate::prompt;
use crate::session::Session;
use crate::task;

#[derive(Debug, Clone, Default, Args)]
pub struct DeleteArgs {
    #[command(flatten)]
    pub chosen: Chosen,

    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,

    /// Also where it is in use: a running VM loses its power
    #[arg(long)]
    pub force: bool,

    /// Also what is protected against deletion
    #[arg(long)]
    pub unprotect: bool,

    #[command(flatten)]
    pub wait: WaitArgs,
}

pub async fn delete(session: &Session, noun: &Noun, args: &DeleteArgs) -> Result<()> {
    let mut several = Several::default();
    let mut names = Vec::new();
    for name in &args.chosen.names(session, noun).await? {
        if let Some(preview) = several.take(preview(session, noun, name).await)? {
            output::note(described(noun, name, &preview));
            names.push(name.clone());
        }
    }
    if names.is_empty() {
        return several.end();
    }
    prompt::confirm("Delete?", args.yes)?;
    let mut going = Vec::new();
    for name in names {
        let call = Call::delete(path(session, noun, &name, args));
        if let Some(answer) = several.take(session.client.call(call).await)? {
            going.push((name, answer));
        }
    }
    for (name, answer) in going {
        let gone = format!("{} deleted", noun.called(&name));
        several.take(task::conclude(session, answer, &args.wait, &gone, None).await)?;
    }
    several.end()
}

async fn preview(session: &Session, noun: &Noun, name: &str) -> Result<Value> {
    let call = Call::delete(noun.path(&session.project, name) + "?dry_run=true");
    Ok(session.client.call(call).await?.value)
}

fn path(session: &Session, noun: &Noun, name: &str, args: &DeleteArgs) -> String {
    let pairs = [("force", args.force), ("unprotect", args.unprotect)];
    let pairs = pairs.into_iter().filter(|(_, on)| *on).map(|(name, _)| (name, "true"));
    noun.path(&session.project, name) + &crate::client::path::query(pairs)
}

fn described(noun: &Noun, name: &str, preview: &Value) -> String {
    let mut text = format!("{} goes", noun.called(name));
    let others = references(preview, "goes", |kind, other| kind != noun.kind || other != name);
    if !others.is_empty() {
        let _ = write!(text, ", and with it {}", others.join(", "));
    }
    let stays = references(preview, "stays", |_, _| true);
    if !stays.is_empty() {
        let verb = if stays.len() == 1 { "stays" } else { "stay" };
        let _ = write!(text, "; {} {verb}", stays.join(", "));
    }
    text
}

fn references(preview: &Value, list: &str, keep: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let items = preview.get(list).and_then(Value::as_array);
    let pairs = items.into_iter().flatten().filter_map(|item| {
        let kind = item.get("kind")?.as_str()?;
        Some((kind, item.get("name")?.as_str()?))
    });
    pairs
        .filter(|(kind, name)| keep(kind, name))
        .map(|(kind, name)| format!("{} \"{name}\"", display_kind(kind)))
        .collect()
}

#[cfg(test)]
mod tests {
    use novacron_model::Vm;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_goes_and_what_stays_is_said() {
        let noun = Noun::of::<Vm>(&[]);
        let preview = json!({
            "goes": [{"kind": "vm", "name": "web"}, {"kind": "volume", "name": "web-root"}],
            "stays": [{"kind": "volume", "name": "data"}],
        });
        assert_eq!(
            described(&noun, "web", &preview),
            "VM \"web\" goes, and with it volume \"web-root\"; volume \"data\" stays"
        );
        assert_eq!(described(&noun, "web", &Value::Null), "VM \"web\" goes");
    }
}
