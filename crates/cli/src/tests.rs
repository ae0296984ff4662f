//! What people type, and that the description of it holds together.

use clap::Parser;
use clap::error::ErrorKind;

use super::*;

fn parse(line: &str) -> std::result::Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("novacron").chain(line.split_whitespace()))
}

#[test]
fn the_description_holds_together() {
    command().debug_assert();
}

#[test]
fn every_command_and_argument_says_what_it_is() {
    fn check(command: &clap::Command) {
        let name = command.get_name();
        assert!(command.get_about().is_some(), "{name}");
        for argument in command.get_arguments() {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!help.is_empty(), "{name} {}", argument.get_id());
            assert!(!help.ends_with('.'), "{name}: {help}");
        }
        command.get_subcommands().for_each(check);
    }
    check(&command());
}

#[test]
fn the_noun_vm_may_be_left_out() {
    for line in [
        "launch debian web --cpus 2 --memory 4GiB --disk 20GiB --port 8080:80",
        "create win --disk 64GiB",
        "list -o json",
        "info web",
        "show web",
        "set web --memory 8GiB --label a=b --label c-",
        "edit web",
        "delete web db --yes --force",
        "start web db --no-wait",
        "stop web --timeout 60s --force",
        "restart web",
        "reset web",
        "pause web",
        "resume web --timeout 5m",
        "console web",
        "screen web",
        "exec web -- uname -a",
        "logs web --follow",
        "export web web.tar --snapshot before",
        "import web.tar web2 --start",
        "file push ./a web:/etc/a",
        "file pull web:/etc/a",
    ] {
        assert!(matches!(parse(line).unwrap().command, Command::Bare(_)), "{line}");
        assert!(matches!(parse(&format!("vm {line}")).unwrap().command, Command::Vm(_)), "{line}");
    }
}

#[test]
fn every_noun_understands_its_verbs() {
    for line in [
        "volume create data --size 20GiB",
        "volume create copy --image debian",
        "volume resize data 40GiB",
        "volume clone data data2 --snapshot before --size 40GiB",
        "clone web web2 --snapshot before --start",
        "volume attach data web",
        "volume detach data web",
        "volume list --label a=b --sort -created",
        "image import disk.qcow2 --name legacy",
        "image import https://example.org/x.img --sha256 00",
        "network create lan",
        "network create lan --bridge br0",
        "snapshot create web before",
        "snapshot restore web before --yes",
        "snapshot list web",
        "snapshot delete web before",
        "pool create fast --path /srv",
        "node show n1",
        "node logs n1 --follow --tail 1MiB",
        "node stop-guests --timeout 90s --force --yes",
        "node start-guests n1",
        "node set n1 --zone z1",
        "cluster status",
        "cluster members -o json",
        "cluster token create --ttl 2h --role witness --loopback --description x",
        "cluster token list",
        "cluster token delete join-1 --yes",
        "cluster promote a b",
        "cluster demote a",
        "cluster remove a --yes --force",
        "project create team --description x",
        "state backup nova.backup",
        "state restore nova.backup --replace",
        "token create ci --expires 30d",
        "token revoke ci",
        "task wait 0190 --timeout 5m",
        "task cancel 0190",
        "events --follow --object vm/web",
        "context add prod https://n1:7600 --fingerprint AA",
        "--project team volume list",
        "volume list --project team",
        "completion zsh",
        "web",
        "version",
    ] {
        if let Err(error) = parse(line) {
            panic!("{line}: {error}");
        }
    }
}

#[test]
fn wrong_use_ends_with_2_and_says_what_is_right() {
    for (line, said) in [
        ("launch debian", "<VM>"),
        ("launch debian web --memory lots", "512MiB"),
        ("launch debian web --port 80", "8080:80"),
        ("volume create data", "--size"),
        ("stop web --timeout soon", "60s"),
        ("file push a web", "web:/etc/hosts"),
        ("set web --label =", "KEY=VALUE"),
        ("list --context a --data-dir b", "cannot be used with"),
        ("cluster token create --role auto", "witness"),
        ("cluster token create --ttl soon", "60s"),
        ("frobnicate", "unrecognized"),
    ] {
        let error = parse(line).unwrap_err();
        assert_ne!(error.kind(), ErrorKind::DisplayHelp);
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(error.to_string().contains(said), "{line}: {error}");
    }
}

#[test]
fn the_reference_names_every_command_once() {
    let text = reference(&command());
    for heading in [
        "## novacron vm\n",
        "### novacron vm launch\n",
        "#### novacron vm file push\n",
        "### novacron snapshot restore\n",
        "## novacron events\n",
    ] {
        assert_eq!(text.matches(&format!("\n{heading}")).count(), 1, "{heading}");
    }
    assert!(!text.contains("## novacron launch"), "bare forms are not described twice");
    assert!(text.contains("| `--port PORTS` |"), "{text}");
    assert!(text.lines().all(|line| !line.contains("||")));
}
