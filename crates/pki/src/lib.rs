//! The cluster's certificates: its own CA, what it signs, and TLS in which both ends are members.
//!
//! ```text
//!  tls/ca.pem, ca.key ─▶ Authority ─┬─▶ the API's certificate, for browsers and the CLI
//!                                   └─▶ a member's certificate: m3.novacron.internal
//!                                          └─▶ Identity ─▶ rustls, both ways
//! ```
//!
//! Who a member is stands in its certificate as a name; whether it still is one, the members' list
//! says. A node that wants to join knows of the cluster only the fingerprint of its CA: `pinned`.

mod authority;
mod files;
mod identity;
mod pinned;

pub use authority::{Authority, Purpose, fingerprint};
pub use identity::{ANY_MEMBER, Identity, MemberKey, PublicKey, member_name, member_of};
pub use pinned::pinned;

use novacron_model::Error;

fn broken(error: impl std::fmt::Display) -> Error {
    Error::internal(format!("certificates: {error}"))
}
