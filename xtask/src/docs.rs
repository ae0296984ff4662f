//! References that are generated from code: written by `cargo xtask docs`, compared by `--check`.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::tidy::root;

#[derive(clap::Args)]
pub struct Args {
    /// Writes nothing; fails if a reference is out of date.
    #[arg(long)]
    check: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let root = root();
    let openapi = printed(&root, &["--package", "novacron-api", "--example", "openapi"])?;
    let references = [
        ("docs/reference/openapi.json", openapi.clone()),
        ("docs/reference/api.md", api_table(&openapi)?),
        ("docs/reference/cli.md", printed(&root, &["--package", "novacron", "--", "reference"])?),
        ("docs/reference/settings.md", settings(&root)?),
    ];
    let mut stale = Vec::new();
    for (path, wanted) in references {
        let file = root.join(path);
        if fs::read_to_string(&file).is_ok_and(|stands| stands == wanted) {
            continue;
        }
        stale.push(path);
        if !args.check {
            fs::create_dir_all(file.parent().unwrap_or(&root))?;
            fs::write(&file, wanted).with_context(|| path.to_owned())?;
        }
    }
    match (stale.as_slice(), args.check) {
        ([], _) => println!("docs: the references are up to date"),
        (_, false) => println!("docs: wrote {}", stale.join(", ")),
        (_, true) => bail!("out of date, run `make docs`: {}", stale.join(", ")),
    }
    Ok(())
}

/// What a program of the workspace prints.
fn printed(root: &Path, args: &[&str]) -> Result<String> {
    let cargo = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--offline", "--locked"])
        .args(args)
        .current_dir(root)
        .output()?;
    if !cargo.status.success() {
        bail!("cargo run {args:?}: {}", String::from_utf8_lossy(&cargo.stderr));
    }
    Ok(String::from_utf8(cargo.stdout)?)
}

/// Every path and method of the OpenAPI document with its summary.
fn api_table(openapi: &str) -> Result<String> {
    let document: Value = serde_json::from_str(openapi)?;
    let mut text = String::from(
        "# The REST API\n\nGenerated from the code. The whole document, with every schema, is \
         [openapi.json](openapi.json); a running node serves it at `/v1/openapi.json`.\n\n\
         | method | path | what it does |\n|---|---|---|\n",
    );
    let paths = document["paths"].as_object().context("the document has no paths")?;
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let Some(summary) = operation["summary"].as_str() else { continue };
            let method = method.to_uppercase();
            writeln!(text, "| {method} | `{path}` | {summary} |")?;
        }
    }
    Ok(text)
}

fn settings(root: &Path) -> Result<String> {
    let defaults = fs::read_to_string(root.join("crates/novacron/src/defaults.toml"))?;
    Ok(format!(
        "# Settings\n\nWhat `novacron config show --defaults` prints. `novacron server --config \
         FILE` reads a file of this form.\n\n```toml\n{defaults}```\n"
    ))
}
