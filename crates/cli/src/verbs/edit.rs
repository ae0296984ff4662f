//! `edit`: an object's labels and spec in the user's editor.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use http::header::IF_MATCH;
use serde_json::{Map, Value, json};

use crate::client::Call;
use crate::failure::{Failure, Result};
use crate::globals::variable;
use crate::noun::Noun;
use crate::output;
use crate::session::Session;
use crate::verbs::set::tell_pending;

/// Opens the editor; what changed is sent as a merge patch, refused when somebody else was faster.
pub async fn edit(session: &Session, noun: &Noun, name: &str) -> Result<()> {
    let path = noun.path(&session.project, name);
    let answer = session.client.call(Call::get(&path)).await?;
    let before = editable(&answer.value);
    let draft = Draft::new(noun, name, &before)?;
    run_editor(&draft.path).await?;
    let after = draft.read()?;
    let change = difference(&before, &after);
    if change == json!({}) {
        output::note("nothing changed");
        return Ok(());
    }
    let mut call = Call::patch(&path, &change);
    if let Some(etag) = answer.etag {
        call = call.header(IF_MATCH, etag);
    }
    let kept = draft.path.display().to_string();
    match session.client.call(call).await {
        Ok(answer) => {
            draft.remove();
            session.report(&format!("{} changed", noun.called(name)), &answer.value)?;
            tell_pending(session, &answer.value);
            Ok(())
        }
        Err(failure) => {
            output::note(format!("your text is kept in {kept}"));
            Err(failure)
        }
    }
}

/// What a user may change.
fn editable(object: &Value) -> Value {
    let part = |name: &str| object["meta"].get(name).cloned().unwrap_or_else(|| json!({}));
    json!({
        "meta": {"labels": part("labels"), "annotations": part("annotations")},
        "spec": object["spec"],
    })
}

struct Draft {
    path: PathBuf,
}

impl Draft {
    fn new(noun: &Noun, name: &str, content: &Value) -> Result<Self> {
        let file = format!("novacron-{}-{}.yaml", noun.kind, uuid::Uuid::new_v4());
        let path = std::env::temp_dir().join(file);
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let head = format!(
            "# {}. Save and leave to apply; leave unchanged to give up.\n",
            noun.called(name)
        );
        file.write_all(head.as_bytes())?;
        file.write_all(output::yaml(content)?.as_bytes())?;
        Ok(Self { path })
    }

    fn read(&self) -> Result<Value> {
        let text = std::fs::read_to_string(&self.path)?;
        serde_norway::from_str(&text).map_err(|error| {
            Failure::usage(format!("this is not YAML: {error}"))
                .hint(format!("your text is kept in {}", self.path.display()))
        })
    }

    fn remove(self) {
        // A leftover in the temporary directory harms nobody.
        let _ = std::fs::remove_file(self.path);
    }
}

async fn run_editor(path: &Path) -> Result<()> {
    let editor = variable("VISUAL").or_else(|| variable("EDITOR")).unwrap_or_else(|| "vi".into());
    // Through a shell, as `EDITOR` may carry arguments.
    let status = tokio::process::Command::new("sh")
        .args(["-c", &format!("{editor} \"$1\""), "sh"])
        .arg(path)
        .status()
        .await?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::failed(format!("the editor {editor} failed; nothing was changed")))
}

/// The merge patch (RFC 7396) that makes `after` of `before`.
fn difference(before: &Value, after: &Value) -> Value {
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        return after.clone();
    };
    let mut patch = Map::new();
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in after {
        match before.get(key) {
            Some(old) if old == value => {}
            Some(old) => drop(patch.insert(key.clone(), difference(old, value))),
            None => drop(patch.insert(key.clone(), value.clone())),
        }
    }
    Value::Object(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_says_only_what_changed() {
        let before = json!({"a": 1, "b": {"c": 2, "d": [1]}, "e": 3});
        let after = json!({"a": 1, "b": {"c": 5, "d": [1, 2]}, "f": {"g": 1}});
        let expected = json!({"b": {"c": 5, "d": [1, 2]}, "e": null, "f": {"g": 1}});
        assert_eq!(difference(&before, &after), expected);
        assert_eq!(difference(&before, &before), json!({}));
    }
}
