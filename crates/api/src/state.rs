//! What all handlers share.

use std::sync::Arc;

use novacron_store::Store;
use tokio_util::sync::CancellationToken;

use crate::auth::tickets::Tickets;
use crate::config::ApiConfig;
use crate::gateway::Gateway;
use crate::server::tls::Authority;

/// The API behind every listener.
pub struct Api {
    pub store: Arc<dyn Store>,
    pub gateway: Arc<dyn Gateway>,
    pub config: ApiConfig,
    pub tickets: Tickets,
    /// The own CA, where TLS is served with it.
    pub authority: Option<Authority>,
    /// Where browsers find this server: `http://127.0.0.1:7600`.
    pub base_url: String,
    /// Names of this machine that a `Host` header may carry beside addresses.
    pub names: Vec<String>,
    /// Cancelled when the server shuts down; ends every stream.
    pub closing: CancellationToken,
}
