//! Web sockets to a guest: serial console and screen.

use http::header::AUTHORIZATION;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, http::HeaderValue};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{Client, problem};
use crate::failure::{DENIED, Failure, Result};
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

/// What the server closes with when the token has ended.
const UNAUTHENTICATED: u16 = 4401;

/// What a server has closed a WebSocket for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Farewell {
    /// `: ` and its words; empty where it has said nothing.
    pub words: String,
    unauthenticated: bool,
}

impl Farewell {
    pub fn of(frame: Option<CloseFrame>) -> Self {
        let Some(frame) = frame else { return Self::silent() };
        let words = Some(&*frame.reason).filter(|reason| !reason.is_empty());
        Self {
            words: words.map(|reason| format!(": {reason}")).unwrap_or_default(),
            unauthenticated: u16::from(frame.code) == UNAUTHENTICATED,
        }
    }

    /// The connection has ended without a word.
    pub fn silent() -> Self {
        Self { words: String::new(), unauthenticated: false }
    }

    /// The end of `what`, which is a failure if it was not allowed to go on.
    pub fn conclude(&self, what: &str) -> Result<String> {
        let sentence = format!("{what} was closed{}", self.words);
        if self.unauthenticated {
            return Err(Failure::new(DENIED, sentence).hint("go on with another token"));
        }
        Ok(sentence)
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
