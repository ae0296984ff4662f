//! `exec`: a program in the guest, with its output and exit code as our own.

use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::FileTypeExt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use novacron_model::Seconds;
use novacron_model::request::{ExecRequest, ExecResult};
use serde_json::json;

use super::NOUN;
use crate::args::typed;
use crate::client::Call;
use crate::failure::{Failure, Result};
use crate::output;
use crate::session::Session;

#[derive(Debug, Clone, Args)]
pub struct ExecArgs {
    /// Name of the VM
    #[arg(value_name = "VM")]
    name: String,
    /// Environment variable in the guest; may be repeated
    #[arg(long = "env", value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// How long the program may take; 60s unless said
    #[arg(long, value_name = "DURATION", value_parser = typed::<Seconds>)]
    timeout: Option<Seconds>,
    /// Do not read stdin, even where it is a pipe or a file
    #[arg(short, long)]
    no_stdin: bool,
    /// Program and arguments, after --; no shell reads them
    #[arg(required = true, last = true, value_name = "PROGRAM")]
    argv: Vec<String>,
}

pub async fn exec(session: &Session, args: &ExecArgs) -> Result<()> {
    let request = ExecRequest {
        argv: args.argv.clone(),
        env: args.env.clone(),
        stdin: if args.no_stdin { None } else { stdin()?.map(|bytes| STANDARD.encode(bytes)) },
        timeout: args.timeout,
    };
    let path = NOUN.path(&session.project, &args.name) + "/exec";
    let answer = session.client.call(Call::post(path, &json!(request))).await?;
    let result: ExecResult = serde_json::from_value(answer.value.clone()).map_err(|error| {
        Failure::failed(format!("the server's answer is not a result: {error}"))
    })?;
    if session.is_table() {
        output::bytes(&decoded(&result.stdout)?)?;
        io::stderr().lock().write_all(&decoded(&result.stderr)?)?;
    } else {
        output::value(session.format, &answer.value, String::new)?;
    }
    if result.truncated {
        output::note("the guest agent kept only a part of the output");
    }
    // Codes beyond a byte cannot be an exit code here.
    match u8::try_from(result.exit_code) {
        Ok(0) => Ok(()),
        Ok(code) => Err(Failure::silent(code)),
        Err(_) => Err(Failure::silent(u8::MAX)),
    }
}

/// A pipe or file is the program's input; a terminal or device is not.
fn stdin() -> Result<Option<Vec<u8>>> {
    let input = io::stdin();
    if input.is_terminal() {
        return Ok(None);
    }
    let kind = std::fs::metadata("/proc/self/fd/0").map(|metadata| metadata.file_type());
    if kind.map_or(true, |kind| kind.is_char_device()) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    input.lock().read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

fn decoded(text: &str) -> Result<Vec<u8>> {
    STANDARD
        .decode(text)
        .map_err(|error| Failure::failed(format!("the program's output is spoilt: {error}")))
}
