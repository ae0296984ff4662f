//! The few commands that simulated guests understand, on the serial line and through the agent.

use std::path::Path;

use super::world::Files;

pub(super) const PROMPT: &str = "sim# ";

/// How a command ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub exit_code: i32,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// What a command sees of its guest.
pub(super) struct Context<'a> {
    pub hostname: &'a str,
    pub env: &'a [String],
    pub stdin: &'a [u8],
    pub files: &'a Files,
}

/// Runs one command; `None` when there is no such program.
pub(super) fn run(argv: &[String], context: &Context<'_>) -> Option<Outcome> {
    let (program, words) = argv.split_first()?;
    let name = Path::new(program).file_name()?.to_str()?;
    let said = |text: String| Some(Outcome::of(0, text.into_bytes()));
    match name {
        "true" => Some(Outcome::of(0, Vec::new())),
        "false" => Some(Outcome::of(1, Vec::new())),
        "echo" => said(format!("{}\n", words.join(" "))),
        "uname" => said(uname(words, context.hostname)),
        "hostname" => said(format!("{}\n", context.hostname)),
        "id" => said("uid=0(root) gid=0(root) groups=0(root)\n".to_owned()),
        "env" => said(context.env.iter().flat_map(|line| [line.as_str(), "\n"]).collect()),
        "ls" => said(list(context.files)),
        "cat" => Some(cat(words, context)),
        "sh" | "bash" => shell(words, context),
        _ => None,
    }
}

fn list(files: &Files) -> String {
    files.keys().flat_map(|path| [path.to_string_lossy(), "\n".into()]).collect()
}

fn uname(args: &[String], hostname: &str) -> String {
    if args.iter().any(|arg| arg == "-a") {
        format!("Linux {hostname} 6.1.0-sim #1 SMP NovaCron x86_64 GNU/Linux\n")
    } else {
        "Linux\n".to_owned()
    }
}

fn cat(args: &[String], context: &Context<'_>) -> Outcome {
    if args.is_empty() {
        return Outcome::of(0, context.stdin.to_vec());
    }
    let mut outcome = Outcome::of(0, Vec::new());
    for path in args {
        let Some(bytes) = context.files.get(Path::new(path)) else {
            outcome.exit_code = 1;
            let line = format!("cat: {path}: No such file or directory\n");
            outcome.stderr.extend_from_slice(line.as_bytes());
            continue;
        };
        outcome.stdout.extend_from_slice(bytes);
    }
    outcome
}

/// `sh -c SCRIPT`: commands split at `;`, words at blanks, and `exit N`.
fn shell(args: &[String], context: &Context<'_>) -> Option<Outcome> {
    let [flag, script, ..] = args else { return Some(Outcome::of(0, Vec::new())) };
    if flag != "-c" {
        return None;
    }
    let mut whole = Outcome::of(0, Vec::new());
    for command in script.split(';') {
        let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        match words.first().map(String::as_str) {
            None => {}
            Some("exit") => {
                let code = words.get(1).and_then(|code| code.parse().ok());
                whole.exit_code = code.unwrap_or(whole.exit_code);
                break;
            }
            Some(name) => match run(&words, context) {
                Some(outcome) => whole.append(outcome),
                None => whole.append(not_found(name)),
            },
        }
    }
    Some(whole)
}

pub(super) fn not_found(name: &str) -> Outcome {
    let stderr = format!("sh: {name}: not found\n").into_bytes();
    Outcome { exit_code: 127, stdout: Vec::new(), stderr }
}

impl Outcome {
    fn of(exit_code: i32, stdout: Vec<u8>) -> Self {
        Self { exit_code, stdout, stderr: Vec::new() }
    }

    fn append(&mut self, mut other: Self) {
        self.exit_code = other.exit_code;
        self.stdout.append(&mut other.stdout);
        self.stderr.append(&mut other.stderr);
    }
}
