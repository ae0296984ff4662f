//! `novacron vm …`, whose noun may be left out.

use clap::Subcommand;
use novacron_model::Vm;
use serde_json::Value;

use crate::failure::Result;
use crate::figures::{self, TopArgs};
use crate::noun::Noun;
use crate::session::Session;
use crate::table::{Column, NONE, age, joined, labels, size, text};
use crate::verbs::{DeleteArgs, ListArgs, delete, edit, list};

mod clone;
mod console;
mod create;
mod exec;
mod file;
mod hardware;
mod lifecycle;
mod logs;
mod peer;
mod screen;
mod set;
mod ssh_keys;
pub mod terminal;
mod transfer;

pub use hardware::pending;

pub const NOUN: Noun = Noun::of::<Vm>(&[
    Column::new("Name", |vm, _| text(vm, "/meta/name")),
    Column::new("State", |vm, _| text(vm, "/status/state")),
    Column::detail("Reason", |vm, _| text(vm, "/status/reason")),
    Column::new("CPUs", |vm, _| text(vm, "/spec/cpus")).right(),
    Column::new("Memory", |vm, _| size(vm, "/spec/memory")).right(),
    Column::new("Address", |vm, _| addresses(vm)),
    Column::new("Ports", |vm, _| ports(vm)),
    Column::new("Image", |vm, _| text(vm, "/spec/image")),
    Column::new("Node", |vm, _| text(vm, "/status/placement/node")),
    Column::new("Age", |vm, now| age(vm, "/meta/created", now)).right(),
    Column::detail("Pending", |vm, _| hardware::pending(vm)),
    Column::detail("Disks", |vm, _| disks(vm)),
    Column::detail("NICs", |vm, _| nics(vm)),
    Column::detail("CD-ROM", |vm, _| cdroms(vm)),
    Column::detail("Preset", |vm, _| text(vm, "/spec/preset")),
    Column::detail("Firmware", |vm, _| firmware(vm)),
    Column::detail("TPM", |vm, _| tpm(vm)),
    Column::detail("Boot order", |vm, _| joined(vm, "/spec/boot")),
    Column::detail("Protected", |vm, _| text(vm, "/spec/protected")),
    Column::detail("Snapshots", |vm, _| crate::snapshot::facts(vm)),
    Column::detail("Notes", |vm, _| text(vm, "/spec/notes")),
    Column::detail("Restart", |vm, _| text(vm, "/spec/restart")),
    Column::detail("Restarts", |vm, _| restarts(vm)),
    Column::detail("Last end", |vm, _| text(vm, "/status/runtime/exit/cause")),
    Column::detail("Last words", |vm, _| text(vm, "/status/runtime/exit/detail")),
    Column::detail("Guest", |vm, _| text(vm, "/status/runtime/agent/os")),
    Column::detail("Hostname", |vm, _| text(vm, "/status/runtime/agent/hostname")),
    Column::detail("Process", |vm, _| text(vm, "/status/runtime/pid")),
    Column::detail("Labels", |vm, _| labels(vm)),
    Column::detail("Owner", |vm, _| text(vm, "/meta/owner")),
    Column::detail("UID", |vm, _| text(vm, "/meta/uid")),
]);

#[derive(Debug, Clone, Subcommand)]
pub enum VmCommand {
    /// Create a VM from an image and start it
    Launch(Box<create::LaunchArgs>),
    /// Create a VM without starting it
    Create(Box<create::CreateArgs>),
    /// Create a VM like another one, with copies of its disks
    Clone(clone::CloneArgs),
    /// List VMs
    List(ListArgs),
    /// Show one VM
    #[command(visible_alias = "info")]
    Show {
        /// Name of the VM
        #[arg(value_name = "VM")]
        name: String,
    },
    /// Show what VMs use now, the busiest first
    Top(TopArgs),
    /// Show what a VM has used in the last hour
    Figures {
        /// Name of the VM
        #[arg(value_name = "VM")]
        name: String,
    },
    /// Change a VM; what a running guest cannot take waits for its restart
    Set(Box<set::SetArgs>),
    /// Take back the changes that wait for a restart
    Revert {
        /// Name of the VM
        #[arg(value_name = "VM")]
        name: String,
    },
    /// Change a VM in your editor
    Edit {
        /// Name of the VM
        #[arg(value_name = "VM")]
        name: String,
    },
    /// Delete VMs and the volumes that were made with them
    Delete(DeleteArgs),
    /// Start VMs
    Start(lifecycle::Names),
    /// Press the power button; with --force cut the power when the time is up
    Stop(lifecycle::Stop),
    /// Stop and start VMs
    Restart(lifecycle::Stop),
    /// Press the reset button
    Reset(lifecycle::Reset),
    /// Halt the CPUs of VMs
    Pause(lifecycle::Names),
    /// Let paused VMs go on
    Resume(lifecycle::Names),
    /// Open the serial console; Ctrl-] leaves
    Console(console::ConsoleArgs),
    /// Offer the screen to a VNC viewer on this machine
    Screen(screen::ScreenArgs),
    /// Run a program in the guest and exit with its code
    Exec(exec::ExecArgs),
    /// Print what the serial line or QEMU wrote
    Logs(logs::LogsArgs),
    /// Save a stopped VM, or a snapshot of it, as one file that `import` takes
    Export(transfer::ExportArgs),
    /// Make a VM from a file that `export` has saved
    Import(Box<transfer::ImportArgs>),
    /// Copy files into and out of the guest
    #[command(subcommand)]
    File(file::FileCommand),
}

pub async fn run(session: &Session, command: VmCommand) -> Result<()> {
    match command {
        VmCommand::Launch(args) => create::launch(session, &args).await,
        VmCommand::Create(args) => create::create(session, &args).await,
        VmCommand::Clone(args) => clone::clone(session, &args).await,
        VmCommand::List(args) => list::list(session, &NOUN, &args, |_| true).await,
        VmCommand::Show { name } => session.show(&NOUN, &session.read(&NOUN, &name).await?),
        VmCommand::Top(args) => figures::vms(session, &args).await,
        VmCommand::Figures { name } => figures::hour(session, &NOUN, &name).await,
        VmCommand::Set(args) => set::set(session, *args).await,
        VmCommand::Revert { name } => hardware::revert(session, &name).await,
        VmCommand::Edit { name } => edit::edit(session, &NOUN, &name).await,
        VmCommand::Delete(args) => delete::delete(session, &NOUN, &args).await,
        VmCommand::Start(args) => lifecycle::plain(session, "start", "started", &args).await,
        VmCommand::Stop(args) => lifecycle::stop(session, "stop", "stopped", &args).await,
        VmCommand::Restart(args) => lifecycle::stop(session, "restart", "restarted", &args).await,
        VmCommand::Reset(args) => lifecycle::reset(session, &args).await,
        VmCommand::Pause(args) => lifecycle::plain(session, "pause", "paused", &args).await,
        VmCommand::Resume(args) => lifecycle::plain(session, "resume", "resumed", &args).await,
        VmCommand::Console(args) => console::console(session, &args).await,
        VmCommand::Screen(args) => screen::screen(session, &args).await,
        VmCommand::Exec(args) => exec::exec(session, &args).await,
        VmCommand::Logs(args) => logs::logs(session, &args).await,
        VmCommand::Export(args) => transfer::export(session, &args).await,
        VmCommand::Import(args) => transfer::import(session, &args).await,
        VmCommand::File(command) => file::run(session, command).await,
    }
}

/// What the guest agent tells. Without one nobody knows what DHCP gave to a guest on a bridge.
fn addresses(vm: &Value) -> String {
    let nics = vm.pointer("/status/runtime/nics").and_then(Value::as_array);
    let bridged = nics.into_iter().flatten().any(|nic| nic["bridge"].is_string());
    let agent = vm.pointer("/status/runtime/agent").is_some_and(|agent| !agent.is_null());
    if bridged && !agent {
        return "unknown (no guest agent)".to_owned();
    }
    joined(vm, "/status/runtime/agent/addresses")
}

/// Network and MAC of each NIC, a line for each, and what a bridge lacks.
fn nics(vm: &Value) -> String {
    let list = |pointer| vm.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice);
    let states = list("/status/runtime/nics").unwrap_or_default();
    let row = |(n, nic): (usize, &Value)| {
        let mut words = vec![text(nic, "/network")];
        words.extend(nic["model"].as_str().map(str::to_owned));
        if let Some(state) = states.get(n) {
            words.push(text(state, "/mac"));
            let why = state["unplugged"].as_str();
            words.extend(why.map(|why| format!("unplugged: {why}")));
        }
        words.join(", ")
    };
    let nics = list("/spec/nics").unwrap_or_default();
    nics.iter().enumerate().map(row).collect::<Vec<_>>().join("\n")
}

/// `8080:80, 0.0.0.0:53:53/udp`, as they are typed.
fn ports(vm: &Value) -> String {
    let nics = vm.pointer("/spec/nics").and_then(Value::as_array);
    let ports = nics.into_iter().flatten().filter_map(|nic| nic.get("ports")?.as_array()).flatten();
    let shown: Vec<String> = ports.map(port).collect();
    if shown.is_empty() { NONE.to_owned() } else { shown.join(", ") }
}

fn port(port: &Value) -> String {
    let address = match text(port, "/address").as_str() {
        "127.0.0.1" | NONE => String::new(),
        v6 if v6.contains(':') => format!("[{v6}]:"),
        address => format!("{address}:"),
    };
    let udp = if text(port, "/protocol") == "udp" { "/udp" } else { "" };
    format!("{address}{}:{}{udp}", text(port, "/host"), text(port, "/guest"))
}

fn disks(vm: &Value) -> String {
    let disks = vm.pointer("/spec/disks").and_then(Value::as_array);
    let shown: Vec<String> = disks
        .into_iter()
        .flatten()
        .map(|disk| {
            let bus = disk["bus"].as_str().map(|bus| format!(", {bus}")).unwrap_or_default();
            let goes = if disk["owned"] == true { ", goes with the VM" } else { "" };
            format!("{} (volume {}{bus}{goes})", text(disk, "/name"), text(disk, "/volume"))
        })
        .collect();
    shown.join("\n")
}

fn cdroms(vm: &Value) -> String {
    let drives = vm.pointer("/spec/cdroms").and_then(Value::as_array);
    let shown = drives.into_iter().flatten().map(|drive| match text(drive, "/image").as_str() {
        NONE => format!("{} (empty)", text(drive, "/name")),
        image => format!("{} (image {image})", text(drive, "/name")),
    });
    shown.collect::<Vec<_>>().join("\n")
}

/// What it boots with, as people say it.
fn firmware(vm: &Value) -> String {
    match text(vm, "/spec/firmware").as_str() {
        "bios" => "BIOS".to_owned(),
        "uefi" => "UEFI".to_owned(),
        "uefi_secure" => "UEFI with secure boot".to_owned(),
        other => other.to_owned(),
    }
}

fn tpm(vm: &Value) -> String {
    let tpm = vm.pointer("/spec/tpm").and_then(Value::as_bool);
    tpm.map_or(NONE, |has| if has { "2.0" } else { "no" }).to_owned()
}

fn restarts(vm: &Value) -> String {
    match text(vm, "/status/runtime/restarts").as_str() {
        "0" => NONE.to_owned(),
        restarts => restarts.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use novacron_model::Time;
    use serde_json::json;

    use super::*;
    use crate::table;

    #[test]
    fn info_tells_what_the_machine_is_made_of() {
        let mut vm = web();
        vm["spec"]["preset"] = json!("windows");
        vm["spec"]["firmware"] = json!("uefi_secure");
        vm["spec"]["tpm"] = json!(true);
        vm["spec"]["boot"] = json!(["cd0", "root"]);
        vm["spec"]["disks"][1]["bus"] = json!("sata");
        vm["spec"]["nics"][0]["network"] = json!("lan");
        vm["spec"]["nics"][0]["model"] = json!("virtio");
        let shown = table::sheet(NOUN.columns, &vm, Time(3_600_000));
        let machine = shown.lines().skip_while(|line| !line.starts_with("Disks"));
        let machine: Vec<_> = machine.take_while(|line| !line.starts_with("Restart:")).collect();
        expect![[r"
            Disks:       root (volume web-root, goes with the VM)
                         data (volume data, sata)
            NICs:        lan, virtio
            Preset:      windows
            Firmware:    UEFI with secure boot
            TPM:         2.0
            Boot order:  cd0, root"]]
        .assert_eq(&machine.join("\n"));
        (vm["spec"]["firmware"], vm["spec"]["tpm"]) = (json!("bios"), json!(false));
        let shown = table::sheet(NOUN.columns, &vm, Time(3_600_000));
        assert!(shown.contains("Firmware:    BIOS\nTPM:         no\n"), "{shown}");
    }

    fn web() -> Value {
        json!({
            "meta": {"name": "web", "project": "default", "uid": "0190-uid", "owner": "root",
                "created": "1970-01-01T00:00:00Z", "labels": {"tier": "front"}},
            "spec": {"run": "running", "cpus": 2, "memory": 2_147_483_648_u64, "image": "debian",
                "disks": [{"name": "root", "volume": "web-root", "owned": true},
                    {"name": "data", "volume": "data"}],
                "nics": [{"ports": [
                    {"address": "127.0.0.1", "host": 8080, "guest": 80, "protocol": "tcp"},
                    {"address": "::", "host": 53, "guest": 53, "protocol": "udp"}]}],
                "restart": "on_failure", "unknown": true},
            "status": {"state": "running", "placement": {"node": "n1"},
                "runtime": {"pid": 4711, "restarts": 1,
                    "agent": {"os": "Debian\u{1b}[31m 12", "addresses": ["10.0.2.15"]}}},
        })
    }

    #[test]
    fn a_list_shows_what_one_looks_for_first() {
        expect![[r"
            NAME  STATE    CPUS  MEMORY  ADDRESS    PORTS                    IMAGE   NODE  AGE
            web   running     2   2 GiB  10.0.2.15  8080:80, [::]:53:53/udp  debian  n1    60m"]]
        .assert_eq(&table::list(NOUN.columns, &[web()], Time(3_600_000)));
    }

    #[test]
    fn info_tells_the_rest_and_no_guest_writes_to_the_terminal() {
        let shown = table::sheet(NOUN.columns, &web(), Time(3_600_000));
        assert!(!shown.contains('\u{1b}'));
        expect![[r"
            Name:      web
            State:     running
            CPUs:      2
            Memory:    2 GiB
            Address:   10.0.2.15
            Ports:     8080:80, [::]:53:53/udp
            Image:     debian
            Node:      n1
            Age:       60m
            Disks:     root (volume web-root, goes with the VM)
                       data (volume data)
            Restart:   on_failure
            Restarts:  1
            Guest:     Debian [31m 12
            Process:   4711
            Labels:    tier=front
            Owner:     root
            UID:       0190-uid"]]
        .assert_eq(&shown);
    }
}
