//! REST: the routes, made from the table, and the handlers behind them.

pub mod call;
pub mod consoles;
pub mod events;
pub mod exports;
pub mod figures;
pub mod guests;
pub mod logs;
pub mod objects;
pub mod params;
pub mod payload;
pub mod streams;
pub mod system;
pub mod uploads;
pub mod watch;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post, put};
use novacron_model::{Code, Error, Scope};

use crate::problem::Refusal;
use crate::state::Api;
use crate::table::{self, Row};

/// All routes but the console's.
pub fn routes() -> Router<Arc<Api>> {
    let kinds = table::rows().into_iter().fold(Router::new(), resource);
    kinds
        .merge(guests())
        .route("/v1/events", get(events::list))
        .route("/v1/projects/{project}/events", get(events::list))
        .route("/v1/figures", get(figures::nodes))
        .route("/v1/projects/{project}/figures", get(figures::vms))
        .route("/v1/nodes/{name}/figures", get(figures::node))
        .route("/v1/nodes/{name}/logs", get(logs::of_node))
        .route("/v1/watch", get(watch::watch))
        .route("/v1/cluster", get(system::cluster))
        .route("/v1/system", get(system::system))
        .route("/v1/catalogue", get(system::catalogue))
        .route("/v1/system/backup", get(system::backup))
        .route("/v1/session", get(system::session).post(system::sign_in).delete(system::sign_out))
        .route("/v1/sign-in-links", post(system::sign_in_link))
        .route("/v1/openapi.json", get(system::openapi))
        .route("/healthz", get(system::healthz))
        .route("/readyz", get(system::readyz))
        .route("/metrics", get(crate::metrics::show))
        .route("/ca.pem", get(system::ca))
        .route("/v1/{*rest}", axum::routing::any(nothing_here))
        .route("/v1", axum::routing::any(nothing_here))
        .method_not_allowed_fallback(method_not_allowed)
}

fn resource(routes: Router<Arc<Api>>, row: Row) -> Router<Arc<Api>> {
    let all = match row.scope {
        Scope::Cluster => format!("/v1/{}", row.plural),
        Scope::Project => format!("/v1/projects/{{project}}/{}", row.plural),
    };
    let one = format!("{all}/{{name}}");
    let mut collection = get(async move |call| objects::list(row, call));
    if row.allows.create {
        collection = collection.post(move |call, body| objects::create(row, call, body));
    }
    let mut object = get(async move |call: call::Call| objects::get(row, &call));
    if row.allows.update {
        object = object.patch(move |call, body| objects::patch(row, call, body));
    }
    if row.allows.delete {
        object = object.delete(move |call| objects::delete(row, call));
    }
    let routes = routes.route(&all, collection).route(&one, object);
    row.verbs.iter().fold(routes, |routes, verb| {
        let handler = post(move |call, body| objects::verb(row, verb, call, body));
        routes.route(&format!("{one}/{}", verb.name), handler)
    })
}

fn guests() -> Router<Arc<Api>> {
    let vm = "/v1/projects/{project}/vms/{name}";
    Router::new()
        .route(&format!("{vm}/exec"), post(guests::exec))
        .route(&format!("{vm}/files"), get(guests::pull).put(guests::push))
        .route(&format!("{vm}/export"), get(exports::of_vm))
        .route(&format!("{vm}/figures"), get(figures::vm))
        .route(&format!("{vm}/logs"), get(logs::of_vm))
        .route(&format!("{vm}/tickets"), post(consoles::ticket))
        .route(&format!("{vm}/serial"), get(consoles::serial))
        .route(&format!("{vm}/screen"), get(consoles::screen))
        .route("/v1/projects/{project}/volumes/{name}/export", get(exports::of_volume))
        .route(
            "/v1/projects/{project}/images/{name}/content",
            put(uploads::upload).get(uploads::uploaded),
        )
}

async fn nothing_here() -> Refusal {
    Error::new(Code::NotFound, "there is nothing at this path")
        .hint("/v1/openapi.json lists what there is")
        .into()
}

async fn method_not_allowed() -> Refusal {
    let error = Error::new(Code::Invalid, "this path does not take that method");
    Refusal::new(axum::http::StatusCode::METHOD_NOT_ALLOWED, error.hint("see the Allow header"))
}
