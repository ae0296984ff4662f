//! The command line's reference as Markdown, made from clap's own description.

use std::fmt::Write;

use clap::{Arg, Command};

/// Describes `root` and all its commands. The bare forms of VM commands are named once, not
/// described twice.
pub fn reference(root: &Command) -> String {
    let mut root = root.clone();
    root.build();
    let mut text = format!("# {}\n\n", root.get_name());
    if let Some(about) = about(&root) {
        let _ = writeln!(text, "{about}\n");
    }
    text.push_str("The noun `vm` may be left out: `novacron list` is `novacron vm list`.\n\n");
    options(
        &mut text,
        "Options of every command",
        root.get_arguments().filter(|arg| arg.is_global_set()),
    );
    exit_codes(&mut text);
    let vm = root.find_subcommand("vm").cloned();
    let bare = |command: &Command| {
        vm.as_ref().is_some_and(|vm| vm.find_subcommand(command.get_name()).is_some())
    };
    for command in shown(&root).filter(|command| !bare(command)) {
        section(&mut text, root.get_name(), command, 2);
    }
    text
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
}

fn section(text: &mut String, parent: &str, command: &Command, level: usize) {
    let path = format!("{parent} {}", command.get_name());
    let _ = writeln!(text, "{} {path}\n", "#".repeat(level));
    if let Some(about) = about(command) {
        let _ = writeln!(text, "{about}.\n");
    }
    let aliases: Vec<&str> = command.get_visible_aliases().collect();
    if !aliases.is_empty() {
        let _ = writeln!(text, "Also: `{}`.\n", aliases.join("`, `"));
    }
    if command.get_subcommands().next().is_none() {
        let usage = command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage:").trim();
        let _ = writeln!(text, "```\n{usage}\n```\n");
        let own = |arg: &&Arg| !arg.is_global_set();
        options(text, "", command.get_arguments().filter(own));
    }
    for sub in shown(command) {
        section(text, &path, sub, level + 1);
    }
}

fn about(command: &Command) -> Option<String> {
    let about = command.get_long_about().or_else(|| command.get_about())?;
    Some(about.to_string().trim_end_matches('.').to_owned())
}

fn options<'a>(text: &mut String, title: &str, arguments: impl Iterator<Item = &'a Arg>) {
    let arguments: Vec<&Arg> =
        arguments.filter(|arg| !arg.is_hide_set() && arg.get_id() != "help").collect();
    if arguments.is_empty() {
        return;
    }
    if !title.is_empty() {
        let _ = writeln!(text, "{title}:\n");
    }
    text.push_str("| argument | meaning |\n|---|---|\n");
    for argument in arguments {
        let _ = writeln!(text, "| `{}` | {} |", written(argument), meaning(argument));
    }
    text.push('\n');
}

/// `-o, --output <FORMAT>`
fn written(argument: &Arg) -> String {
    let names: Vec<String> = argument
        .get_short()
        .map(|short| format!("-{short}"))
        .into_iter()
        .chain(argument.get_long().map(|long| format!("--{long}")))
        .collect();
    let takes = argument.get_action().takes_values();
    let value = argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    let value = value.unwrap_or_else(|| argument.get_id().as_str().to_uppercase());
    match (names.is_empty(), takes) {
        (true, _) => value,
        (false, true) => format!("{} {value}", names.join(", ")),
        (false, false) => names.join(", "),
    }
}

fn meaning(argument: &Arg) -> String {
    let mut text = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if argument.get_action().takes_values() && !values.is_empty() {
        let _ = write!(text, "{}one of {}", separator(&text), values.join(", "));
    }
    let defaults: Vec<String> = argument
        .get_default_values()
        .iter()
        .map(|value| format!("`{}`", value.to_string_lossy()))
        .collect();
    if argument.get_action().takes_values() && !defaults.is_empty() {
        let _ = write!(text, "{}default {}", separator(&text), defaults.join(", "));
    }
    text.replace('|', "\\|").replace('\n', " ")
}

fn separator(text: &str) -> &'static str {
    if text.is_empty() { "" } else { "; " }
}

fn exit_codes(text: &mut String) {
    text.push_str(
        "Exit codes: 0 done, 1 failed, 2 wrong use, 3 not found, 4 conflict or quota, 5 not \
         allowed, 6 unreachable or not ready, 124 timeout, 130 left with Ctrl-C. `exec` ends with \
         the code of the guest's program.\n\n",
    );
}
