//! `image import`: a file is sent with progress, a URL is fetched by the node.
//!
//! Whether the bytes are an image, and the right one (`--sha256`), only the node checks, once.

use std::path::Path;

use clap::Args;
use novacron_model::catalogue::{image_name, is_entry};
use serde_json::{Value, json};

use super::{NOUN, catalogue, upload};
use crate::args::{LabelArgs, WaitArgs, draft, put};
use crate::client::Answer;
use crate::failure::{Failure, NOT_FOUND, Result};
use crate::output;
use crate::session::Session;
use crate::task;

#[derive(Debug, Clone, Default, Args)]
pub struct ImportArgs {
    /// File (qcow2, raw, VMDK, VHDX, ISO, or a bundle), http(s) URL, or a name of the
    /// catalogue (debian/12)
    #[arg(value_name = "PATH|URL|NAME")]
    source: String,
    /// Name of the image; from the source unless said
    #[arg(long, value_name = "IMAGE")]
    name: Option<String>,
    /// SHA-256 that the source must have (hex)
    #[arg(long, value_name = "HEX")]
    sha256: Option<String>,
    /// What is in it, such as "Debian 12"
    #[arg(long, value_name = "TEXT")]
    os: Option<String>,
    /// Pool that it lies on
    #[arg(long)]
    pool: Option<String>,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

pub async fn import(session: &Session, args: &ImportArgs) -> Result<()> {
    let name = args.name.clone().map_or_else(|| name_from(&args.source), Ok)?;
    let answer = begin(session, args, &name).await?;
    let sentence = format!("{} is ready", NOUN.called(&name));
    task::conclude(session, answer, &args.wait, &sentence, Some((&NOUN, &name))).await
}

/// The name of the image that a file or URL makes, imported now unless it is there already.
pub async fn bring(session: &Session, source: &str) -> Result<String> {
    let name = name_from(source)?;
    match session.read(&NOUN, &name).await {
        Ok(_) => output::note(format!("taking {}, which is there already", NOUN.called(&name))),
        Err(failure) if failure.exit == NOT_FOUND => {
            let args = ImportArgs { source: source.to_owned(), ..ImportArgs::default() };
            let answer = begin(session, &args, &name).await?;
            task::finish(session, answer).await?;
        }
        Err(failure) => return Err(failure),
    }
    Ok(name)
}

/// Imports the file of an exported VM as an image, whose name it gives; with that the machine in it.
pub async fn bring_vm(
    session: &Session,
    source: &str,
    name: Option<&str>,
    pool: Option<&str>,
) -> Result<(String, Value)> {
    let name = name.map_or_else(|| name_from(source), |name| Ok(name.to_owned()))?;
    let pool = pool.map(str::to_owned);
    let args = ImportArgs { source: source.to_owned(), pool, ..ImportArgs::default() };
    let answer = begin(session, &args, &name).await?;
    task::finish(session, answer).await?;
    let image = session.read(&NOUN, &name).await?;
    let Some(machine) = image.pointer("/status/content/machine") else {
        let message = format!("{source} holds no VM; it is {} now", NOUN.called(&name));
        let hint = format!("`novacron launch {name} VM` makes one from it");
        return Err(Failure::failed(message).hint(hint));
    };
    Ok((name, machine.clone()))
}

async fn begin(session: &Session, args: &ImportArgs, name: &str) -> Result<Answer> {
    let mut spec = json!({});
    put(&mut spec, "sha256", args.sha256.as_ref().map(|hex| hex.trim().to_ascii_lowercase()));
    put(&mut spec, "os", args.os.as_deref());
    put(&mut spec, "pool", args.pool.as_deref());
    if is_published(&args.source) {
        return catalogue::begin(session, &args.source, name, spec, &args.labels).await;
    }
    if is_url(&args.source) {
        spec["source"] = json!({"url": args.source});
        return session.create(&NOUN, &draft(name, &args.labels, &spec)).await;
    }
    spec["source"] = json!({"upload": {}});
    let draft = draft(name, &args.labels, &spec);
    upload::send(session, name, Path::new(&args.source), &draft).await
}

/// A file of that name comes first.
fn is_published(source: &str) -> bool {
    is_entry(source) && !Path::new(source).exists()
}

fn is_url(source: &str) -> bool {
    source.starts_with("http://") || source.starts_with("https://")
}

/// `https://x/debian-12.qcow2?y` and `./Debian_12.qcow2` are both `debian-12`.
fn name_from(source: &str) -> Result<String> {
    if is_published(source) {
        return Ok(image_name(source));
    }
    let plain =
        if is_url(source) { source.split(['?', '#']).next().unwrap_or(source) } else { source };
    let file = plain.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let stem = [".gz", ".xz", ".zst", ".tar", ".qcow2", ".raw", ".img", ".iso", ".vmdk", ".vhdx"]
        .iter()
        .fold(file.to_ascii_lowercase(), |stem, end| {
            stem.strip_suffix(end).map(str::to_owned).unwrap_or(stem)
        });
    let label: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let label: String = label.trim_matches('-').chars().take(63).collect();
    if label.is_empty() {
        return Err(Failure::usage(format!("\"{source}\" gives no name")).hint("say --name NAME"));
    }
    Ok(label.trim_end_matches('-').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_named_after_its_source() {
        let name = |source: &str| name_from(source).unwrap();
        assert_eq!(name("https://example.org/a/debian-12.qcow2?x=1"), "debian-12");
        assert_eq!(name("./My Disk_2.img"), "my-disk-2");
        assert_eq!(name("micro.tar.gz"), "micro");
        assert_eq!(name("micro.tar"), "micro");
        assert_eq!(name("ubuntu/24.04"), "ubuntu-24-04");
        assert_eq!(name("Win11.ISO"), "win11");
        assert_eq!(name_from("/").unwrap_err().exit, 2);
    }
}
