//! `launch` and `create`: from flags to a new VM.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use novacron_model::Bytes;
use novacron_model::request::PortText;
use serde_json::{Value, json};

use super::hardware::{self, HardwareArgs};
use super::{NOUN, ssh_keys};
use crate::args::{LabelArgs, WaitArgs, draft, put, typed};
use crate::failure::{Failure, Result};
use crate::globals::home;
use crate::output;
use crate::prompt;
use crate::session::Session;
use crate::task;

#[derive(Debug, Clone, Args)]
pub struct LaunchArgs {
    /// Image to start from, or a name of the catalogue such as debian/12
    image: String,
    /// Name of the new VM
    #[arg(value_name = "VM")]
    name: String,
    #[command(flatten)]
    spec: SpecArgs,
}

#[derive(Debug, Clone, Args)]
pub struct CreateArgs {
    /// Name of the new VM
    #[arg(value_name = "VM")]
    name: String,
    /// Image to start from
    #[arg(long)]
    image: Option<String>,
    #[command(flatten)]
    spec: SpecArgs,
}

#[derive(Debug, Clone, Default, Args)]
struct SpecArgs {
    /// Number of virtual CPUs
    #[arg(long, value_name = "N")]
    cpus: Option<u32>,
    /// Memory (512MiB, 4GiB)
    #[arg(long, value_name = "SIZE", value_parser = typed::<Bytes>)]
    memory: Option<Bytes>,
    /// Size of the root disk (20GiB)
    #[arg(long, value_name = "SIZE", value_parser = typed::<Bytes>)]
    disk: Option<Bytes>,
    /// Pool of the root disk
    #[arg(long)]
    pool: Option<String>,
    /// Existing volume to attach; may be repeated
    #[arg(long = "volume", value_name = "VOLUME")]
    volumes: Vec<String>,
    /// Lead a port of the host into the guest ([ADDR:]HOST:GUEST[/udp]); may be repeated
    #[arg(long = "port", value_name = "PORTS", value_parser = typed::<PortText>)]
    ports: Vec<PortText>,
    /// Network to plug into
    #[arg(long)]
    network: Option<String>,
    /// When a guest that ended by itself is started again; always means after a shutdown, too
    #[arg(long, value_enum)]
    restart: Option<Restart>,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    hardware: HardwareArgs,
    #[command(flatten)]
    guest: GuestArgs,
}

/// What the guest is told at its first boot.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "First boot")]
struct GuestArgs {
    /// File with cloud-init's user data
    #[arg(long, value_name = "FILE")]
    cloud_init: Option<PathBuf>,
    /// File with additional lines of cloud-init's meta-data
    #[arg(long, value_name = "FILE")]
    meta_data: Option<PathBuf>,
    /// File with cloud-init's network-config
    #[arg(long, value_name = "FILE")]
    network_config: Option<PathBuf>,
    /// Host name in the guest; the VM's name unless said
    #[arg(long)]
    hostname: Option<String>,
    /// File of public keys that may sign in; may be repeated
    #[arg(long = "ssh-key", value_name = "FILE")]
    ssh_keys: Vec<PathBuf>,
    #[arg(long, help = "Do not add your own public keys (~/.ssh/*.pub)")]
    no_ssh_key: bool,
    /// Password of the default user; others on this machine may see it while this command runs
    #[arg(long, conflicts_with = "password_stdin")]
    password: Option<String>,
    /// Read the password of the default user from stdin
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Restart {
    OnFailure,
    Always,
    Never,
}

impl Restart {
    pub fn wire(self) -> &'static str {
        match self {
            Self::OnFailure => "on_failure",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

pub async fn launch(session: &Session, args: &LaunchArgs) -> Result<()> {
    let mut spec = spec(Some(&args.image), &args.spec)?;
    spec["run"] = json!("running");
    make(session, &args.name, &args.spec, spec, "is running").await?;
    if session.is_table() && !args.spec.wait.no_wait {
        output::note(format!("`novacron console {}` opens its serial console", args.name));
    }
    Ok(())
}

pub async fn create(session: &Session, args: &CreateArgs) -> Result<()> {
    let spec = spec(args.image.as_deref(), &args.spec)?;
    make(session, &args.name, &args.spec, spec, "created").await
}

async fn make(
    session: &Session,
    name: &str,
    args: &SpecArgs,
    mut spec: Value,
    done: &str,
) -> Result<()> {
    if !args.hardware.isos.is_empty() {
        let isos = hardware::images(session, &args.hardware.isos).await?;
        spec["cdroms"] = hardware::cdroms(None, &isos);
    }
    let answer = session.create(&NOUN, &draft(name, &args.labels, &spec)).await?;
    let sentence = format!("{} {done}", NOUN.called(name));
    task::conclude(session, answer, &args.wait, &sentence, Some((&NOUN, name))).await
}

/// Only what was said: the rest is the server's to decide.
fn spec(image: Option<&str>, args: &SpecArgs) -> Result<Value> {
    let mut spec = json!({});
    put(&mut spec, "image", image);
    put(&mut spec, "cpus", args.cpus);
    put(&mut spec, "memory", args.memory.map(|memory| memory.0));
    put(&mut spec, "restart", args.restart.map(Restart::wire));
    args.hardware.put(&mut spec);
    put(&mut spec, "disks", disks(args));
    put(&mut spec, "nics", nics(args)?);
    put(&mut spec, "cloud_init", cloud_init(image.is_some(), &args.guest)?);
    Ok(spec)
}

/// The server adds the disk that an image with a disk starts from.
fn disks(args: &SpecArgs) -> Option<Vec<Value>> {
    let mut disks = Vec::new();
    if args.disk.is_some() || args.pool.is_some() {
        let mut root = json!({"name": "root"});
        put(&mut root, "size", args.disk.map(|size| size.0));
        put(&mut root, "pool", args.pool.as_deref());
        disks.push(root);
    }
    disks.extend(args.volumes.iter().map(|volume| json!({"name": volume, "volume": volume})));
    (!disks.is_empty()).then_some(disks)
}

fn nics(args: &SpecArgs) -> Result<Option<Value>> {
    if args.network.is_none() && args.ports.is_empty() {
        return Ok(None);
    }
    let mut nic = json!({"ports": ports(&args.ports)?});
    put(&mut nic, "network", args.network.as_deref());
    Ok(Some(json!([nic])))
}

pub(super) fn ports(ports: &[PortText]) -> Result<Value> {
    let ports: Vec<_> = ports.iter().map(|port| &port.0).collect();
    let unsent = |error| Failure::failed(format!("ports cannot be sent: {error}"));
    serde_json::to_value(ports).map_err(unsent)
}

fn cloud_init(has_image: bool, args: &GuestArgs) -> Result<Option<Value>> {
    let mut cloud_init = json!({});
    let mut keys =
        args.ssh_keys.iter().map(|path| ssh_keys::read(path)).collect::<Result<Vec<_>>>()?.concat();
    if has_image && !args.no_ssh_key {
        let own = ssh_keys::own(&home().join(".ssh"));
        if !own.is_empty() {
            let files: Vec<_> = own.iter().map(|(file, _)| file.as_str()).collect();
            output::note(format!("adding your public keys: {}", files.join(", ")));
        }
        keys.extend(own.into_iter().flat_map(|(_, keys)| keys));
    }
    if !keys.is_empty() {
        keys.sort();
        keys.dedup();
        cloud_init["ssh_keys"] = json!(keys);
    }
    put(&mut cloud_init, "hostname", args.hostname.as_deref());
    put(&mut cloud_init, "password", password(args)?);
    put(&mut cloud_init, "user_data", text(args.cloud_init.as_deref())?);
    put(&mut cloud_init, "meta_data", text(args.meta_data.as_deref())?);
    put(&mut cloud_init, "network_config", text(args.network_config.as_deref())?);
    Ok(Some(cloud_init).filter(|cloud_init| *cloud_init != json!({})))
}

fn password(args: &GuestArgs) -> Result<Option<String>> {
    if args.password_stdin {
        return prompt::secret_from_stdin("password").map(Some);
    }
    Ok(args.password.clone())
}

fn text(path: Option<&Path>) -> Result<Option<String>> {
    let Some(path) = path else { return Ok(None) };
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("{} cannot be read: {error}", path.display())))?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_sent_that_was_not_said() {
        let args = SpecArgs {
            guest: GuestArgs { no_ssh_key: true, ..GuestArgs::default() },
            ..SpecArgs::default()
        };
        assert_eq!(spec(Some("debian"), &args), Ok(json!({"image": "debian"})));
        assert_eq!(spec(None, &args), Ok(json!({})));
    }

    #[test]
    fn flags_become_disks_nics_and_cloud_init() {
        let args = SpecArgs {
            cpus: Some(4),
            memory: Some(Bytes::gib(4)),
            disk: Some(Bytes::gib(20)),
            volumes: vec!["data".into()],
            ports: vec!["8080:80".parse().unwrap()],
            restart: Some(Restart::Always),
            guest: GuestArgs {
                no_ssh_key: true,
                password: Some("x".into()),
                ..GuestArgs::default()
            },
            ..SpecArgs::default()
        };
        let expected = json!({
            "image": "debian", "cpus": 4, "memory": 4_294_967_296_u64, "restart": "always",
            "disks": [{"name": "root", "size": 21_474_836_480_u64},
                {"name": "data", "volume": "data"}],
            "nics": [{"ports": [
                {"address": "127.0.0.1", "host": 8080, "guest": 80, "protocol": "tcp"}]}],
            "cloud_init": {"password": "x"},
        });
        let sent = spec(Some("debian"), &args).unwrap();
        assert_eq!(sent, expected);
        let mut sent = sent;
        sent["run"] = json!("running");
        serde_json::from_value::<novacron_model::vm::VmSpec>(sent).unwrap();
    }
}
