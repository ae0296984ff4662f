//! GraphQL: a schema made from the route table and the OpenAPI document's components, over the
//! same functions as REST. Queries and mutations over `POST /graphql`, subscriptions over
//! `graphql-transport-ws` on `GET /graphql`.
//!
//! Field names are the JSON names in camel case. Values that are no fixed shape (labels, secrets,
//! sources of images) are of the scalar `JSON`; 64-bit integers are of the scalar `Long`.

mod figures;
mod inputs;
mod limits;
mod mutation;
mod query;
mod subscription;
mod types;

use std::sync::Arc;

use async_graphql::dynamic::{FieldValue, Schema, SchemaBuilder, SchemaError};
use async_graphql::http::ALL_WEBSOCKET_PROTOCOLS;
use async_graphql::{ErrorExtensions, Request};
use async_graphql_axum::{GraphQLProtocol, GraphQLWebSocket};
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Extension, State, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use novacron_model::{Code, Error};

use crate::auth::{Caller, watchdog};
use crate::problem::{Answer, Refusal};
use crate::resource::Shown;
use crate::rest::call::Call;
use crate::rest::payload::Payload;
use crate::state::Api;

/// What tools ask of the schema at their start is 15 deep.
const DEPTH_MAX: usize = 16;
const COMPLEXITY_MAX: usize = 1000;
const DIRECTIVES_MAX: usize = 8;

/// The routes; the schema is made once.
pub fn routes(api: &Arc<Api>) -> Router<Arc<Api>> {
    match schema(api.clone()) {
        Ok(schema) => {
            Router::new().route("/graphql", post(execute).get(subscribe)).layer(Extension(schema))
        }
        Err(error) => {
            tracing::error!(%error, "the GraphQL schema is not whole; /graphql is off");
            Router::new()
        }
    }
}

/// The whole schema. It fails only by a mistake in this program, which a test would see.
pub fn schema(api: Arc<Api>) -> Result<Schema, SchemaError> {
    let types = types::Types::new();
    let builder = Schema::build("Query", Some("Mutation"), Some("Subscription"));
    let answers = subscription::change_types().into_iter().chain(mutation::created_types());
    let builder = answers.fold(builder, SchemaBuilder::register);
    types
        .register(builder)
        .register(query::root(&types))
        .register(mutation::root(&types))
        .register(subscription::root(&types))
        .data(api)
        .limit_depth(DEPTH_MAX)
        .limit_complexity(COMPLEXITY_MAX)
        .limit_directives(DIRECTIVES_MAX)
        .extension(limits::Limits)
        .finish()
}

async fn execute(
    Extension(schema): Extension<Schema>,
    call: Call,
    body: Payload,
) -> Answer<Response> {
    call.params(&[])?;
    let body = body.required()?;
    if body.is_array() {
        let error = Error::new(Code::Invalid, "batches of queries are not taken");
        return Err(Refusal::malformed(error.hint("send one query for each request")));
    }
    let request: Request = serde_json::from_value(body).map_err(|error| {
        Refusal::malformed(Error::new(Code::Invalid, format!("not a GraphQL request: {error}")))
    })?;
    let response = schema.execute(request.data(call.caller)).await;
    Ok(Json(response).into_response())
}

async fn subscribe(
    State(api): State<Arc<Api>>,
    Extension(schema): Extension<Schema>,
    call: Call,
    protocol: Result<GraphQLProtocol, StatusCode>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer<Response> {
    let (Ok(protocol), Ok(upgrade)) = (protocol, upgrade) else {
        let error = Error::new(Code::Invalid, "send queries with POST, subscribe by WebSocket");
        return Err(Refusal::new(StatusCode::UPGRADE_REQUIRED, error));
    };
    let caller = call.caller;
    let serve = move |socket| async move {
        let mut data = async_graphql::Data::default();
        data.insert(caller.clone());
        let connection = GraphQLWebSocket::new(socket, schema, protocol).with_data(data);
        tokio::select! {
            () = connection.serve() => {}
            _ = watchdog::ended(api, caller) => {}
        }
    };
    Ok(upgrade.protocols(ALL_WEBSOCKET_PROTOCOLS).max_message_size(1 << 20).on_upgrade(serve))
}

/// An object as the value of a field.
fn shown(shown: &Shown) -> async_graphql::Result<Option<FieldValue<'static>>> {
    Ok(Some(FieldValue::owned_any(shown.value().map_err(failed)?)))
}

/// A refusal as GraphQL tells it, with the problem's fields as extensions.
fn failed(refusal: Refusal) -> async_graphql::Error {
    let Refusal { status, error } = refusal;
    async_graphql::Error::new(error.message.clone()).extend_with(|_, extensions| {
        extensions.set("status", status.as_u16());
        let code = serde_json::to_value(error.code).ok();
        let code = code.as_ref().and_then(|code| code.as_str());
        extensions.set("code", code.unwrap_or_default());
        if let Some(field) = &error.field {
            extensions.set("field", field.as_str());
        }
        if let Some(hint) = &error.hint {
            extensions.set("hint", hint.as_str());
        }
    })
}

/// Who is asking.
fn caller<'a>(
    ctx: &async_graphql::dynamic::ResolverContext<'a>,
) -> async_graphql::Result<&'a Caller> {
    ctx.data::<Caller>()
}

fn api<'a>(
    ctx: &async_graphql::dynamic::ResolverContext<'a>,
) -> async_graphql::Result<&'a Arc<Api>> {
    ctx.data::<Arc<Api>>()
}
