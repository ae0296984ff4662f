//! What every handler wants to know of a request but its body.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use novacron_model::{Code, Error};

use super::params::Params;
use crate::auth::Caller;
use crate::problem::{Answer, Refusal};
use crate::resource::idempotency::Claim;
use crate::resource::{IfMatch, Target};
use crate::state::Api;

pub struct Call {
    pub api: Arc<Api>,
    pub caller: Caller,
    pub project: Option<String>,
    /// Empty where the path has none.
    pub name: String,
    pub path: String,
    pub headers: HeaderMap,
    query: Option<String>,
}

impl Call {
    /// The query's parameters; others than `known` are refused.
    pub fn params(&self, known: &[&str]) -> Answer<Params> {
        Params::parse(self.query.as_deref().unwrap_or_default(), known)
    }

    pub fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }

    pub fn target(&self) -> Target<'_> {
        Target { project: self.project(), name: &self.name }
    }

    /// Refuses clients that do not take `media`.
    pub fn accepts(&self, media: &str) -> Answer<()> {
        let mut lines = self.headers.get_all(header::ACCEPT).iter().peekable();
        let family = media.split('/').next().unwrap_or_default();
        let takes = |range: &str| {
            let range = range.split(';').next().unwrap_or_default().trim();
            range == media || range == "*/*" || range.strip_suffix("/*") == Some(family)
        };
        let any = lines.peek().is_none()
            || lines.filter_map(|line| line.to_str().ok()).flat_map(|l| l.split(',')).any(takes);
        if any {
            return Ok(());
        }
        let error = Error::invalid("Accept", format!("this is served as {media} only"));
        Err(Refusal::new(axum::http::StatusCode::NOT_ACCEPTABLE, error))
    }

    /// What is no `ETag` of an object matches none (RFC 9110, section 13.1.1).
    pub fn if_match(&self) -> IfMatch {
        let mut revisions = Vec::new();
        let mut lines = self.headers.get_all(header::IF_MATCH).iter().peekable();
        if lines.peek().is_none() {
            return IfMatch::Any;
        }
        for tag in lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')) {
            if tag.trim() == "*" {
                return IfMatch::Any;
            }
            let digits = tag.trim().strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            revisions.extend(digits.and_then(|text| text.parse::<u64>().ok()));
        }
        IfMatch::Revision(revisions)
    }

    /// The `Idempotency-Key`, bound to what this request asks for.
    pub fn claim(&self, body: &serde_json::Value) -> Answer<Option<Claim>> {
        let Some(key) = self.headers.get("idempotency-key") else { return Ok(None) };
        let key = key.to_str().ok().filter(|key| {
            matches!(key.len(), 1..=128) && key.bytes().all(|byte| byte.is_ascii_graphic())
        });
        let key = key.ok_or_else(|| {
            let error = Error::invalid("Idempotency-Key", "a key is 1 to 128 visible characters");
            Refusal::malformed(error.hint("a UUID does well"))
        })?;
        Ok(Some(Claim::new(&self.caller.actor, key, &self.path, body)))
    }
}

impl FromRequestParts<Arc<Api>> for Call {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Answer<Self> {
        let named: Result<Path<HashMap<String, String>>, PathRejection> =
            Path::from_request_parts(parts, api).await;
        let Path(mut named) = named
            .map_err(|_| Refusal::malformed(Error::new(Code::Invalid, "the path is not UTF-8")))?;
        let caller = parts.extensions.get::<Caller>().cloned();
        Ok(Self {
            api: api.clone(),
            caller: caller.ok_or_else(Refusal::unauthenticated)?,
            project: named.remove("project"),
            name: named.remove("name").unwrap_or_default(),
            path: parts.uri.path().to_owned(),
            headers: parts.headers.clone(),
            query: parts.uri.query().map(str::to_owned),
        })
    }
}
