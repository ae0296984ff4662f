//! NICs: their networks, and the ports of the host that lead into the guest.

use novacron_model::network::NetworkKind;
use novacron_model::vm::{Nic, PortForward, Protocol};
use novacron_model::{Error, Name, Result, network};
use novacron_store::{Precondition, Snapshot, Txn};

use crate::admission::{Home, named};
use crate::index::{self, Row, row};
use crate::reference;

const NICS_MAX: usize = 8;
const PORTS_MAX: usize = 64;

/// Fills in networks, checks ports against each other and against all other VMs, and returns the
/// NICs' index rows. `own`: key of the VM, when it exists already.
pub(super) fn settle(
    at: &Snapshot,
    txn: &mut Txn,
    home: &Home,
    nics: &mut [Nic],
    own: Option<&str>,
) -> Result<Vec<Row>> {
    if nics.len() > NICS_MAX {
        return Err(Error::invalid("spec.nics", format!("a VM has at most {NICS_MAX} NICs")));
    }
    let mut rows: Vec<Row> = Vec::new();
    for (n, nic) in nics.iter_mut().enumerate() {
        let network = match nic.network.take() {
            Some(network) => network,
            None => Name::new(network::DEFAULT)?,
        };
        let found =
            reference::network(at, txn, home, &network, &format!("spec.nics[{n}].network"))?;
        nic.network = Some(network);
        add(&mut rows, row(index::NETWORK, &found.meta.uid));
        if found.spec.kind == NetworkKind::Bridge && !nic.ports.is_empty() {
            let message = format!("network \"{}\" is a bridge: it forwards no ports", found.name());
            return Err(Error::invalid(format!("spec.nics[{n}].ports"), message)
                .hint("leave them out; the guest is reached at its own address"));
        }
        if nic.ports.len() > PORTS_MAX {
            let message = format!("a NIC has at most {PORTS_MAX} ports");
            return Err(Error::invalid(format!("spec.nics[{n}].ports"), message));
        }
        for (p, port) in nic.ports.iter().enumerate() {
            claim(at, txn, port, &mut rows, own).map_err(|error| {
                let field = error.field.clone().unwrap_or_default();
                error.at(format!("spec.nics[{n}].ports[{p}]{field}"))
            })?;
        }
    }
    Ok(rows)
}

fn claim(
    at: &Snapshot,
    txn: &mut Txn,
    port: &PortForward,
    rows: &mut Vec<Row>,
    own: Option<&str>,
) -> Result<()> {
    if port.host == 0 || port.guest == 0 {
        let field = if port.host == 0 { ".host" } else { ".guest" };
        return Err(Error::invalid(field, "a port lies between 1 and 65535"));
    }
    let (host, address) = (port.host, port.address);
    for rival in rivals(port) {
        if rows.contains(&rival) {
            let message = format!("port {host} on {address} is forwarded twice");
            return Err(Error::invalid("", message));
        }
        let (name, value) = rival.clone();
        let mut holders = at.indexed(&name, &value, "");
        holders.retain(|holder| Some(holder.as_str()) != own);
        if !holders.is_empty() {
            let list = named(&holders);
            let message = format!("port {host} on {address} is used by {list}");
            return Err(Error::conflict(message).at("").hint("choose another port of the host"));
        }
        txn.preconditions.push(match own {
            None => Precondition::NoIndex(name, value),
            Some(family) => Precondition::NoIndexBeside(name, value, family.into()),
        });
    }
    for mine in carried(port) {
        add(rows, mine);
    }
    Ok(())
}

/// The rows by which others find that this port is taken.
fn carried(port: &PortForward) -> [Row; 2] {
    let address =
        if port.address.is_unspecified() { "*".to_owned() } else { port.address.to_string() };
    [port_row(&address, port), port_row("any", port)]
}

/// Rows that must not be there: a wildcard meets every address, an address meets itself and the
/// wildcard.
fn rivals(port: &PortForward) -> Vec<Row> {
    if port.address.is_unspecified() {
        return vec![port_row("any", port)];
    }
    vec![port_row(&port.address.to_string(), port), port_row("*", port)]
}

fn port_row(address: &str, port: &PortForward) -> Row {
    let protocol = match port.protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    row(index::PORT, &format!("{address}:{}/{protocol}", port.host))
}

fn add(rows: &mut Vec<Row>, row: Row) {
    if !rows.contains(&row) {
        rows.push(row);
    }
}
