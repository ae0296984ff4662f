//! GraphQL: the same as REST, in one request; and bombs are refused.

use futures::{SinkExt, StreamExt};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::harness::{Answer, NETWORKS, PATIENCE, Server, VMS};

async fn ask(server: &Server, query: &str, variables: Value) -> Value {
    let body = json!({ "query": query, "variables": variables });
    server.post("/graphql", body).await.expect(StatusCode::OK)
}

async fn data(server: &Server, query: &str, variables: Value) -> Value {
    let answer = ask(server, query, variables).await;
    assert_eq!(answer.get("errors"), None, "{answer}");
    answer["data"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn graphql_does_what_rest_does() {
    let server = Server::start().await;
    let made = data(
        &server,
        "mutation($in: VmDraftInput!) { createVm(input: $in) { task { spec { action } } object {
            meta { name uid labels } spec { cpus memory run cloudInit { password } } serialUrl } } }",
        json!({ "in": {
            "meta": { "name": "web", "labels": { "tier": "front" } },
            "spec": { "cpus": 1, "cloudInit": { "sshKeys": ["ssh-ed25519 AAAA"], "password": "p" } },
        } }),
    )
    .await;
    assert_eq!(made["createVm"]["task"]["spec"]["action"], "create");
    let vm = &made["createVm"]["object"];
    assert_eq!(vm["spec"]["cloudInit"]["password"], json!({ "set": true }));
    assert_eq!(vm["spec"]["run"], "stopped");
    assert_eq!(vm["serialUrl"], format!("{VMS}/web/serial"));
    let rest = server.get(&format!("{VMS}/web")).await.body;
    assert_eq!(rest["meta"]["uid"], vm["meta"]["uid"]);
    assert_eq!(rest["spec"]["cloud_init"]["ssh_keys"], json!(["ssh-ed25519 AAAA"]));

    let listed = data(
        &server,
        r#"{ vms(label: ["tier=front"], limit: 10, sort: "-created") { items { meta { name } status { state } } nextPageToken }
             vm(name: "web") { meta { name revision } } system { node version } session { user } }"#,
        json!({}),
    )
    .await;
    assert_eq!(listed["vms"]["items"][0]["meta"]["name"], "web");
    assert_eq!(listed["vms"]["items"][0]["status"]["state"], "pending");
    assert_eq!(listed["system"]["node"], "n1");

    let patched = data(
        &server,
        r#"mutation { patchVm(name: "web", patch: { spec: { memory: 4294967296 } }) { spec { memory } }
            startVm(name: "web") { spec { action target { name } } } }"#,
        json!({}),
    )
    .await;
    assert_eq!(patched["patchVm"]["spec"]["memory"], 4_294_967_296_u64);
    assert_eq!(patched["startVm"]["spec"]["action"], "start");

    let answer = ask(&server, r#"{ vm(name: "absent") { meta { name } } }"#, json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "not_found");
    let stale = ask(
        &server,
        r#"mutation { patchVm(name: "web", ifMatch: 1, patch: {}) { meta { name } } }"#,
        json!({}),
    )
    .await;
    assert_eq!(stale["errors"][0]["extensions"]["code"], "precondition_failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vm_is_cloned_either_way() {
    let server = Server::start().await;
    server.post(VMS, json!({"meta": {"name": "web"}, "spec": {"cpus": 3}})).await;
    let mutation = r#"mutation { cloneVm(name: "web", input: { name: "web2" }) {
        spec { action target { name } } } }"#;
    let made = data(&server, mutation, json!({})).await;
    assert_eq!(made["cloneVm"]["spec"]["target"]["name"], "web2");
    let path = format!("{VMS}/web/clone");
    let task = server.post(&path, json!({"name": "web3"})).await.expect(StatusCode::ACCEPTED);
    assert_eq!(
        (&task["spec"]["action"], &task["spec"]["target"]["name"]),
        (&json!("create"), &json!("web3"))
    );
    for name in ["web2", "web3"] {
        let clone = server.get(&format!("{VMS}/{name}")).await.body;
        assert_eq!(clone["spec"]["cpus"], 3, "{clone}");
    }
    server.post(&path, json!({})).await.problem(400, "name");
    server.post(&path, json!({"name": "web2"})).await.problem(409, "name");
}

#[tokio::test(flavor = "multi_thread")]
async fn graphql_reaches_every_kind_and_verb() {
    let server = Server::start().await;
    let fields = async |root: &str| -> Vec<String> {
        let query = format!("{{ __type(name: \"{root}\") {{ fields {{ name }} }} }}");
        let answer = data(&server, &query, json!({})).await;
        let fields = answer["__type"]["fields"].as_array().unwrap().clone();
        fields.iter().map(|field| field["name"].as_str().unwrap().to_owned()).collect()
    };
    let (queries, mutations) = (fields("Query").await, fields("Mutation").await);
    let subscriptions = fields("Subscription").await;
    let document: Value = serde_json::from_str(&novacron_api::openapi()).unwrap();
    let operations = document["paths"].as_object().unwrap().values();
    let ids = operations.flat_map(|path| path.as_object().unwrap().values());
    let of_images = fields("Image").await;
    let mut checked = 0;
    for id in ids.filter_map(|operation| operation.get("operationId")?.as_str()) {
        let Some((verb, noun)) = id.split_once('_') else { continue };
        let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
        let joined = noun.split('_').map(capital).collect::<String>();
        let camel = format!("{verb}{joined}");
        let held = match verb {
            "list" if noun != "project_events" => {
                let field = joined[..1].to_lowercase() + &joined[1..];
                queries.contains(&field) && subscriptions.contains(&field)
            }
            // The state of an upload is told where the upload goes.
            "get" if noun == "upload" => of_images.contains(&"contentUrl".to_owned()),
            "get" => queries.contains(&(joined[..1].to_lowercase() + &joined[1..])),
            "delete" => {
                let preview = format!("previewDelete{}", &camel["delete".len()..]);
                mutations.contains(&camel) && queries.contains(&preview)
            }
            "create" | "patch" | "exec" => mutations.contains(&camel),
            // Bytes go over HTTP.
            "export" => fields(&(noun[..1].to_uppercase() + &noun[1..]))
                .await
                .contains(&"exportUrl".to_owned()),
            _ if ["vm", "task", "member"].contains(&noun) => mutations.contains(&camel),
            _ => continue,
        };
        checked += 1;
        assert!(held, "{id} has no place in GraphQL");
    }
    assert!(checked > 50, "{checked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_is_previewed() {
    let server = Server::start().await;
    let query = r#"mutation {
        createVm(project: "default", input: {
            meta: {name: "web"}, spec: {disks: [{name: "root", size: 1048576}]}
        }) { object { meta { name } } }
    }"#;
    data(&server, query, json!({})).await;
    let query = r#"{
        previewDeleteVm(project: "default", name: "web") { goes { kind name } stays { name } }
    }"#;
    let preview = data(&server, query, json!({})).await;
    let expected = json!({"goes": [{"kind": "volume", "name": "web-root"}], "stays": []});
    assert_eq!(preview["previewDeleteVm"], expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_read_the_schema() {
    let server = Server::start().await;
    // Nine levels of `ofType`, as the reference implementation asks.
    let of_type =
        (0..9).fold("kind name".to_owned(), |inner, _| format!("kind name ofType {{ {inner} }}"));
    let value = format!("name description type {{ {of_type} }} defaultValue");
    let query = format!(
        "{{ __schema {{ queryType {{ name }} mutationType {{ name }} subscriptionType {{ name }} \
         types {{ kind name description \
         fields(includeDeprecated: true) {{ name description args {{ {value} }} \
         type {{ {of_type} }} isDeprecated deprecationReason }} \
         inputFields {{ {value} }} interfaces {{ {of_type} }} \
         enumValues(includeDeprecated: true) {{ name description isDeprecated }} \
         possibleTypes {{ {of_type} }} }} \
         directives {{ name description locations args {{ {value} }} }} }} }}"
    );
    let answer = data(&server, &query, json!({})).await;
    assert_eq!(answer["__schema"]["queryType"]["name"], "Query");
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_are_refused() {
    let server = Server::start().await;
    let aliases =
        (0..200).fold(String::new(), |all, n| all + &format!("a{n}: system {{ version }} "));
    let nested = |depth: usize| {
        "{ __schema { types ".to_owned()
            + &"{ fields { type ".repeat(depth)
            + "{ name }"
            + &" } }".repeat(depth)
            + " } }"
    };
    let inner = (0..60).fold(String::new(), |all, n| all + &format!("a{n}: name "));
    let fragments = "query { ...a } fragment a on Query { ...b } fragment b on Query { ...a }";
    let directives = format!("{{ system {{ version {} }} }}", "@include(if: true) ".repeat(50));
    for bomb in [
        format!("{{ {aliases} }}"),
        nested(8),
        nested(500),
        format!("{{ vms {{ items {{ meta {{ {inner} }} }} }} }}"),
        fragments.to_owned(),
        directives,
        format!("{{ system {{ version }} }} #{}", "x".repeat(70_000)),
    ] {
        let answer = ask(&server, &bomb, json!({})).await;
        let shown: String = bomb.chars().take(80).collect();
        assert!(answer["errors"][0]["message"].is_string(), "{shown}: {answer}");
        assert!(answer["data"].is_null(), "{shown}");
    }
    let batch = json!([{ "query": "{ system { version } }" }]);
    server.post("/graphql", batch).await.problem(400, "");
    let modest = data(&server, "{ system { version } }", json!({})).await;
    assert!(modest["system"]["version"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_follows_and_ends_with_its_token() {
    let server = Server::start().await;
    let secret = server.new_token("sub").await;
    let mut request = format!("ws://{}/graphql", server.address).into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("authorization", format!("Bearer {secret}").parse().unwrap());
    headers.insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let send = |value: Value| Message::text(value.to_string());
    socket.send(send(json!({ "type": "connection_init" }))).await.unwrap();
    let query = "subscription { networks { type name object { meta { revision } } } }";
    let subscribe = json!({ "type": "subscribe", "id": "1", "payload": { "query": query } });
    socket.send(send(subscribe)).await.unwrap();
    let mut next = async |wanted: &str| loop {
        let message = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap();
        let Some(Ok(Message::Text(text))) = message else { return None };
        let message: Value = serde_json::from_str(&text).unwrap();
        let change = message["payload"]["data"]["networks"].clone();
        if change["type"] == wanted {
            return Some(change);
        }
    };
    next("synced").await.unwrap();
    server.network("lan", json!({})).await;
    assert_eq!(next("object").await.unwrap()["name"], "lan");
    server.delete(&format!("{NETWORKS}/lan")).await;
    assert_eq!(next("gone").await.unwrap()["name"], "lan");
    server.delete("/v1/tokens/sub").await;
    assert_eq!(next("never").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn graphql_needs_a_websocket_for_get() {
    let server = Server::start().await;
    let request = server.request(Method::GET, "/graphql");
    Answer::of(request.send().await.unwrap()).await.problem(426, "");
}
