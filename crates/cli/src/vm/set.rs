//! `novacron set`: changes of a VM. What its guest takes while it runs comes at once, the rest with
//! its next start.

use clap::Args;
use novacron_model::Bytes;
use novacron_model::request::PortText;
use serde_json::{Value, json};

use super::{NOUN, create, hardware};
use crate::args::{LabelArgs, put, typed};
use crate::failure::Result;
use crate::session::Session;
use crate::verbs::set;

#[derive(Debug, Clone, Args)]
pub struct SetArgs {
    /// Name of the VM
    #[arg(value_name = "VM")]
    name: String,
    /// Number of virtual CPUs
    #[arg(long, value_name = "N")]
    cpus: Option<u32>,
    /// Memory (512MiB, 4GiB)
    #[arg(long, value_name = "SIZE", value_parser = typed::<Bytes>)]
    memory: Option<Bytes>,
    /// When a guest that ended by itself is started again; always means after a shutdown, too
    #[arg(long, value_enum)]
    restart: Option<create::Restart>,
    /// Network of the first NIC
    #[arg(long)]
    network: Option<String>,
    /// Ports of the host that lead into the first NIC, instead of those that do now
    /// ([ADDR:]HOST:GUEST[/udp]); may be repeated
    #[arg(long = "port", value_name = "PORTS", value_parser = typed::<PortText>)]
    ports: Vec<PortText>,
    /// No port of the host leads into the first NIC any more
    #[arg(long, conflicts_with = "ports")]
    no_ports: bool,
    #[command(flatten)]
    hardware: hardware::HardwareArgs,
    /// Take the ISOs out of the CD-ROM drives
    #[arg(long, conflicts_with = "isos", help_heading = "Machine")]
    eject: bool,
    #[command(flatten)]
    labels: LabelArgs,
}

pub async fn set(session: &Session, args: SetArgs) -> Result<()> {
    let mut spec = json!({});
    put(&mut spec, "cpus", args.cpus);
    put(&mut spec, "memory", args.memory.map(|memory| memory.0));
    put(&mut spec, "restart", args.restart.map(create::Restart::wire));
    args.hardware.put(&mut spec);
    let media = args.eject || !args.hardware.isos.is_empty();
    let ports = args.no_ports || !args.ports.is_empty();
    if media || ports || args.network.is_some() {
        let isos = hardware::images(session, &args.hardware.isos).await?;
        // Lists are changed whole.
        let vm = session.read(&NOUN, &args.name).await?;
        if media {
            spec["cdroms"] = hardware::cdroms(vm.pointer("/spec/cdroms"), &isos);
        }
        if ports || args.network.is_some() {
            let mut nic = json!({});
            put(&mut nic, "network", args.network.as_deref());
            if ports {
                nic["ports"] = create::ports(&args.ports)?;
            }
            spec["nics"] = nics(vm.pointer("/spec/nics"), nic);
        }
    }
    set::set(session, &NOUN, &args.name, &args.labels, spec).await
}

/// The NICs with these settings of the first of them, which is made if there is none.
fn nics(had: Option<&Value>, settings: Value) -> Value {
    let mut nics = had.and_then(Value::as_array).cloned().unwrap_or_default();
    if nics.is_empty() {
        nics.push(json!({}));
    }
    if let (Some(first), Value::Object(settings)) = (nics[0].as_object_mut(), settings) {
        first.extend(settings);
    }
    Value::Array(nics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_those_of_the_first_nic() {
        let had = json!([{"network": "lan", "ports": [1]}, {"network": "other"}]);
        let expected = json!([{"network": "lan", "ports": [2]}, {"network": "other"}]);
        assert_eq!(nics(Some(&had), json!({"ports": [2]})), expected);
        let expected = json!([{"network": "dmz", "ports": [1]}, {"network": "other"}]);
        assert_eq!(nics(Some(&had), json!({"network": "dmz"})), expected);
        assert_eq!(nics(Some(&json!([])), json!({"ports": []})), json!([{"ports": []}]));
    }
}
