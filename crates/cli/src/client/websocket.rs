//! Web sockets to a guest: serial console and screen.

use http::header::AUTHORIZATION;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, http::HeaderValue};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{Client, problem};
use crate::failure::{Failure, Result};
use crate::transport::Stream;

pub type Socket = WebSocketStream<Box<dyn Stream>>;

impl Client {
    /// Opens a WebSocket; a refusal is told as the problem that it is.
    pub async fn websocket(&self, path: &str) -> Result<Socket> {
        let url = format!("ws://{}{path}", self.endpoint.authority());
        let mut request = url.into_client_request().map_err(failure)?;
        if let Some(token) = &self.token {
            let value = HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| Failure::usage("the context's token is not a token"))?;
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let stream = self.endpoint.dial().await?;
        let (socket, _) = client_async(request, stream).await.map_err(failure)?;
        Ok(socket)
    }
}

/// What a broken or refused WebSocket means.
pub fn failure(error: Error) -> Failure {
    match error {
        Error::Http(response) => {
            let body = response.body().as_deref().unwrap_or_default();
            problem::failure(response.status(), body)
        }
        error => Failure::unreachable(format!("the connection to the guest broke: {error}"))
            .hint("the VM may have stopped; see `novacron info NAME`"),
    }
}
