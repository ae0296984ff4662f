//! Who is asking: peer credentials on the unix socket; tokens, sessions and tickets over TCP.

pub mod guard;
pub mod joins;
pub mod origin;
pub mod sessions;
pub mod tickets;
pub mod watchdog;

use novacron_model::token::TokenPurpose;
use novacron_model::{Object, Time, Token};
use serde::{Deserialize, Serialize};

/// Who is asking, once it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// `root`, `uid 1000`, `token ci`, `browser`: the actor of events and owner of objects.
    pub actor: String,
    pub credential: Credential,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Credential {
    /// The kernel told who opened the unix socket.
    Peer,
    Token(TokenRef),
}

/// The token that a request was let in by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRef {
    pub name: String,
    pub uid: uuid::Uuid,
    pub purpose: TokenPurpose,
    pub expires: Option<Time>,
}

impl Caller {
    pub fn peer(uid: u32) -> Self {
        let actor = if uid == 0 { "root".to_owned() } else { format!("uid {uid}") };
        Self { actor, credential: Credential::Peer }
    }

    pub fn token(token: &Object<Token>) -> Self {
        let actor = match token.spec.purpose {
            TokenPurpose::Api => format!("token {}", token.name()),
            TokenPurpose::SignIn | TokenPurpose::Session => "browser".to_owned(),
        };
        let token = TokenRef {
            name: token.name().to_owned(),
            uid: token.meta.uid,
            purpose: token.spec.purpose,
            expires: token.spec.expires,
        };
        Self { actor, credential: Credential::Token(token) }
    }

    pub fn expires(&self) -> Option<Time> {
        match &self.credential {
            Credential::Peer => None,
            Credential::Token(token) => token.expires,
        }
    }
}

/// How a request came in; set by the listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    Unix {
        uid: u32,
    },
    /// Another node of the cluster, which has found out who is asking.
    Member,
    Tcp {
        /// The address that the client connected to.
        local: std::net::SocketAddr,
        tls: bool,
    },
}
