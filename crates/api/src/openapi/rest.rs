//! What belongs to no kind: events, the multiplexed watch, sessions, the system itself.

use serde_json::{Map, Value, json};

use super::operation::{Operation, schema_ref};
use super::paths::paging;

pub(super) fn add(paths: &mut Map<String, Value>) {
    events("list_events").at(paths, "get", "/v1/events");
    events("list_project_events").at(paths, "get", "/v1/projects/{project}/events");
    watch().at(paths, "get", "/v1/watch");
    system("get_system", "Shows what answers here.").json_answer(200, "The system.", "System").at(
        paths,
        "get",
        "/v1/system",
    );
    system("back_up_state", "Sends the whole state, with the key that opens its secrets.")
        .describe("One file, checked and versioned, for `novacron state restore`. Keep it safe.")
        .answer(200, "The backup.", &[("application/octet-stream", Value::Null)])
        .problems(&[501])
        .at(paths, "get", "/v1/system/backup");
    Operation::new("images", "get_catalogue", "Lists the images that can be imported by name.")
        .describe(
            "An image is imported from an entry by `POST …/images` with \
             `{\"source\": {\"catalogue\": \"debian/12\"}}` in its spec.",
        )
        .json_answer(200, "The catalogue.", "Catalogue")
        .problems(&[406])
        .at(paths, "get", "/v1/catalogue");
    Operation::new("members", "get_cluster", "Shows who belongs to the cluster and who leads it.")
        .describe(
            "As the node that answers sees it now. `summary` says in a sentence what may be lost, \
             and what to do about it.",
        )
        .json_answer(200, "The cluster.", "ClusterView")
        .problems(&[406])
        .at(paths, "get", "/v1/cluster");
    sessions(paths);
    probes(paths);
}

fn system(id: &str, summary: &str) -> Operation {
    Operation::new("system", id, summary)
}

fn events(id: &str) -> Operation {
    let content = [
        ("application/json", schema_ref("EventPage")),
        ("text/event-stream", json!({ "type": "string" })),
    ];
    let object = json!({ "type": "string", "pattern": "^[a-z-]+/[a-z0-9.-]+$" });
    paging(Operation::new("events", id, "Lists events, newest first."))
        .query("object", &object, "Only events of this object (`vm/web`).")
        .query("level", &schema_ref("Level"), "Only events of this level or above.")
        .query("watch", &json!({ "type": "boolean" }), "Stream what comes, as server-sent events.")
        .answer(200, "One page, newest first, or with `watch` a stream.", &content)
        .problems(&[404, 406, 422])
}

fn watch() -> Operation {
    Operation::new("events", "watch", "Streams changes of several kinds at once.")
        .describe(
            "Server-sent events: `object` with `{kind, object}`, `gone` with `{kind, project, \
             name, uid}`, `synced` after the first listing, `reset` when the listing starts over, \
             `live` with `{task, live}` for progress, `event` for events.",
        )
        .query("project", &schema_ref("Name"), "`default` unless said.")
        .query(
            "kinds",
            &json!({ "type": "string", "pattern": "^[a-z-]+(,[a-z-]+)*$" }),
            "Plural names of kinds, and `events`; all unless said.",
        )
        .answer(200, "The stream.", &[("text/event-stream", json!({ "type": "string" }))])
        .problems(&[404])
}

fn sessions(paths: &mut Map<String, Value>) {
    system("get_session", "Says who is asking.").json_answer(200, "The session.", "Session").at(
        paths,
        "get",
        "/v1/session",
    );
    system("sign_in", "Trades a sign-in link's code for a session cookie.")
        .json_body(true, "SignIn")
        .answer_with(
            201,
            "Signed in.",
            &[("application/json", schema_ref("Session"))],
            &[("Set-Cookie", "The session.")],
        )
        .open()
        .problems(&[401])
        .at(paths, "post", "/v1/session");
    system("sign_out", "Ends the session.").answer(204, "Signed out.", &[]).at(
        paths,
        "delete",
        "/v1/session",
    );
    system("create_sign_in_link", "Makes a link that signs a browser in, once, within 5 minutes.")
        .json_answer(201, "The link.", "SignInLink")
        .at(paths, "post", "/v1/sign-in-links");
}

fn probes(paths: &mut Map<String, Value>) {
    let text = [("text/plain", json!({ "type": "string" }))];
    system("healthz", "Says that the process lives.")
        .open()
        .answer(200, "It lives.", &text)
        .at(paths, "get", "/healthz");
    system("readyz", "Says whether the store is ready.")
        .open()
        .answer(200, "Ready.", &text)
        .at(paths, "get", "/readyz");
    let pem = [("application/x-pem-file", json!({ "type": "string" }))];
    system("ca", "The certificate of the server's own CA, where it serves with TLS.")
        .open()
        .answer(200, "The certificate.", &pem)
        .problems(&[404])
        .at(paths, "get", "/ca.pem");
    system("metrics", "Metrics in Prometheus's text format.")
        .answer(200, "The metrics.", &text)
        .at(paths, "get", "/metrics");
    system("openapi", "This document.")
        .open()
        .answer(200, "The document.", &[("application/json", json!({ "type": "object" }))])
        .at(paths, "get", "/v1/openapi.json");
}
