//! Index rows that admission and planners write, and what they are for.
//!
//! | row | on | finds |
//! |---|---|---|
//! | `label:KEY` = value | every spec record | objects by label |
//! | [`NODE`] = node name | `vm#placement`, `volume#location`, `image#location` | an agent's share |
//! | [`PROJECT`] = project uid | spec of VMs, volumes, images, snapshots, own networks | what keeps a project |
//! | [`POOL`] = pool name | spec of volumes, images | what keeps a pool |
//! | [`NETWORK`] = network uid | spec of VMs | what keeps a network |
//! | [`IMAGE`] = image uid | spec of VMs, volumes | what keeps an image |
//! | [`COPIES`] = uid of a volume or snapshot | `volume#copying` | what is being copied from it |
//! | [`VM`] = VM uid | spec of snapshots | a VM's snapshots, also for its schedule |
//! | [`LEAVING`] = VM uid | `volume#attachment` | volumes that a VM is giving up |
//! | [`PORT`] = see [`crate::vm`] | spec of VMs | who holds a port of the host |
//! | [`TARGET`] = uid | spec of tasks | tasks about an object, also past ones |
//! | [`TASK`] = [`OPEN`] | `task#open` | tasks that have not ended |
//! | [`WAITS_ON`] = family key | `task#open`, `vm#releasing`, `volume#copying`, `snapshot#taken_for` | whom to wake when that family changes |
//! | [`PENDING`] = [`OPEN`] | `vm#placement` | VMs that wait for a node |
//! | [`novacron_model::token::HASH_INDEX`] = hex SHA-256 | spec of tokens | the token of a secret |
//! | [`novacron_model::join_token::JOIN_HASH_INDEX`] = hex SHA-256 | spec of join tokens | the join token of a secret |

pub const NODE: &str = novacron_model::key::NODE_INDEX;
pub const PROJECT: &str = "project";
pub const POOL: &str = "pool";
pub const NETWORK: &str = "network";
pub const IMAGE: &str = "image";
pub const COPIES: &str = novacron_model::key::COPIES_INDEX;
pub const VM: &str = "vm";
pub const LEAVING: &str = "leaving";
pub const PORT: &str = "port";
pub const TARGET: &str = "target";
pub const TASK: &str = "task";
pub const WAITS_ON: &str = novacron_model::key::WAITS_ON;
pub const PENDING: &str = "pending";

/// The value of [`TASK`] and [`PENDING`].
pub const OPEN: &str = "open";

/// One index row.
pub type Row = (String, String);

pub(crate) fn row(name: &str, value: &(impl ToString + ?Sized)) -> Row {
    (name.to_owned(), value.to_string())
}
