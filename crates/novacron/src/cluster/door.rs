//! What others may ask of this node: members what Raft says, strangers to join.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use novacron_control::member::{self, Joined, Joining};
use novacron_control::published::Published;
use novacron_control::{Request as Admitting, refusal};
use novacron_model::{Code, Error, Result};
use novacron_pki::PublicKey;
use novacron_raft::RaftStore;
use novacron_raft::wire::{Body, CALL, Caller, Handler, answer_call, full, refuse};
use novacron_store::{CommitError, Store};
use tracing::{debug, info};

use super::Member;
use super::messages::{Admission, JOIN, JoinRequest, to_bytes, to_text};
use crate::{clock, identity};

const REQUEST_BYTES_MAX: usize = 64 << 10;

pub struct Door {
    pub member: Arc<Member>,
}

impl Handler for Door {
    fn handle(
        self: Arc<Self>,
        caller: Caller,
        request: Request<Incoming>,
    ) -> BoxFuture<'static, Response<Body>> {
        async move {
            match (request.method(), request.uri().path()) {
                (&Method::POST, JOIN) => self.join(request).await,
                (&Method::POST, CALL) => self.call(caller, request).await,
                (&Method::CONNECT, _) => self.tunnel(caller, request),
                _ => refuse(StatusCode::NOT_FOUND, "there is nothing here"),
            }
        }
        .boxed()
    }
}

impl Door {
    async fn call(&self, caller: Caller, request: Request<Incoming>) -> Response<Body> {
        match self.member_store(caller) {
            Ok(store) => answer_call(&store, request).await,
            Err(refused) => *refused,
        }
    }

    /// Lets a member speak to this node's API, on a stream of its own.
    fn tunnel(&self, caller: Caller, request: Request<Incoming>) -> Response<Body> {
        if let Err(refused) = self.member_store(caller) {
            return *refused;
        }
        let Some(api) = self.member.api.get().cloned() else {
            return refuse(StatusCode::SERVICE_UNAVAILABLE, "this member is starting");
        };
        tokio::spawn(async move {
            match hyper::upgrade::on(request).await {
                Ok(stream) => api.serve(TokioIo::new(stream)).await,
                Err(error) => debug!(%error, "a stream of another member did not come about"),
            }
        });
        Response::new(full(Vec::new()))
    }

    /// The store, for a caller that is a member still.
    fn member_store(
        &self,
        caller: Caller,
    ) -> std::result::Result<Arc<RaftStore>, Box<Response<Body>>> {
        let Caller::Member(number) = caller else {
            return Err(Box::new(refuse(StatusCode::FORBIDDEN, "members only")));
        };
        let Ok(store) = self.member.store() else {
            let starting = refuse(StatusCode::SERVICE_UNAVAILABLE, "this member is starting");
            return Err(Box::new(starting));
        };
        // A member that has just joined knows of nobody yet, and is told so by this very call.
        let known = store.known_members();
        if !known.is_empty() && known.iter().all(|peer| peer.number != number) {
            return Err(Box::new(refuse(StatusCode::FORBIDDEN, "no member any more")));
        }
        Ok(store.clone())
    }

    async fn join(&self, request: Request<Incoming>) -> Response<Body> {
        match self.admit(request).await {
            Ok(admission) => match serde_json::to_vec(&admission) {
                Ok(answer) => Response::new(full(answer)),
                Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
            },
            Err(error) => {
                let status = match error.code {
                    Code::Unauthenticated => StatusCode::UNAUTHORIZED,
                    Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                    _ => StatusCode::CONFLICT,
                };
                let hint = error.hint.as_ref().map(|hint| format!(" ({hint})"));
                refuse(status, format!("{}{}", error.message, hint.unwrap_or_default()))
            }
        }
    }

    async fn admit(&self, request: Request<Incoming>) -> Result<Admission> {
        let unreadable = |error: &dyn std::fmt::Display| {
            Error::invalid("body", format!("the request to join cannot be read: {error}"))
        };
        let body = Limited::new(request.into_body(), REQUEST_BYTES_MAX).collect().await;
        let body = body.map_err(|error| unreadable(&error))?.to_bytes();
        let asked: JoinRequest =
            serde_json::from_slice(&body).map_err(|error| unreadable(&error))?;
        let key = to_bytes(&asked.key).ok_or_else(|| unreadable(&"its key is no base64"))?;
        let key = PublicKey::new(&key)?;
        let joining = Joining {
            name: asked.name.clone(),
            address: asked.address.clone(),
            key: key.fingerprint(),
        };
        let joined = self.enlist(&asked.secret, &joining).await?;
        info!(name = %asked.name, number = joined.number, version = %asked.version, "a node joins");
        Ok(Admission {
            name: asked.name,
            number: joined.number,
            role: joined.role,
            ca: self.member.authority.pem().to_owned(),
            ca_key: self.member.authority.key_pem(),
            data_key: to_text(self.member.data_key.as_bytes()),
        })
    }

    /// Makes the node a member; decided anew when the world has changed in between.
    async fn enlist(&self, secret: &str, joining: &Joining) -> Result<Joined> {
        let store = self.member.store()?;
        let hash = novacron_api::sha256_hex(secret);
        loop {
            let at = store.snapshot();
            let mut fresh_uid = identity::fresh_uid;
            let mut request = Admitting {
                at: &at,
                now: clock::now(),
                actor: "join token",
                fresh_uid: &mut fresh_uid,
                seal: &|secret| Ok(secret.clone()),
                project: None,
                published: Published::default(),
            };
            let joined = member::join(&mut request, &hash, joining)?;
            if joined.txn.is_empty() {
                return Ok(joined);
            }
            match store.commit(joined.txn.clone()).await {
                Ok(_) => return Ok(joined),
                Err(CommitError::Precondition { .. }) => {}
                Err(error) => return Err(refusal(&error)),
            }
        }
    }
}
