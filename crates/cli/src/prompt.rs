//! Asking the user, where there is one.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::failure::{Failure, Result, USAGE};

/// Before something that costs little to repeat, but may surprise: asks whoever sits there, and
/// lets scripts pass.
pub fn confirm_on_terminal(question: &str, yes: bool) -> Result<()> {
    let nobody = !io::stdin().is_terminal() || !io::stderr().is_terminal();
    confirm(question, yes || nobody)
}

/// Goes on only after a yes. Without a terminal nobody can be asked: then `--yes` must be given.
pub fn confirm(question: &str, yes: bool) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::new(USAGE, "there is no terminal to ask on")
            .hint("add --yes to go on without being asked"));
    }
    let answer = ask(&format!("{question} [y/N] "))?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Failure::failed("nothing was done"))
}

fn ask(question: &str) -> Result<String> {
    let mut err = io::stderr();
    err.write_all(question.as_bytes())?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer)
}

/// The first line of stdin: a password or token that must not stand in the process list.
pub fn secret_from_stdin(what: &str) -> Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let secret = line.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(Failure::usage(format!("no {what} came on stdin")));
    }
    Ok(secret.to_owned())
}

/// Asks for a secret without showing what is typed; none without a terminal or an answer.
pub fn secret(question: &str) -> Result<Option<String>> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(None);
    }
    let quiet = crate::vm::terminal::Quiet::enter()?;
    let answer = ask(question);
    drop(quiet);
    crate::output::note("");
    Ok(Some(answer?.trim().to_owned()).filter(|answer| !answer.is_empty()))
}
