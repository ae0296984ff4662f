//! Who gets in: the guard in front of every endpoint, sessions, tickets, revocation.

use futures::{SinkExt, StreamExt};
use reqwest::header::{HOST, ORIGIN};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use crate::harness::{Answer, NETWORKS, PATIENCE, Server, Sse, VMS};

/// Every operation of the OpenAPI document, as (method, path, open).
fn operations() -> Vec<(Method, String, bool)> {
    let document: Value = serde_json::from_str(&novacron_api::openapi()).unwrap();
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            if !operation.is_object() {
                continue;
            }
            let path = path.replace("{project}", "default").replace("{name}", "user");
            let open = operation.get("security").is_some_and(|list| *list == json!([]));
            all.push((method, path, open));
        }
    }
    assert!(all.len() > 50, "{}", all.len());
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_refuses_strangers() {
    let server = Server::start().await;
    let further = ["/v1", "/v1/", "/v1/nothing", "/v1/projects/a/b/c/d", "/graphql", "/v1//vms"];
    let further = further.map(|path| (Method::GET, path.to_owned(), false));
    let post = (Method::POST, "/graphql".to_owned(), false);
    for (method, path, open) in operations().into_iter().chain(further).chain([post]) {
        if open {
            continue;
        }
        let ask = || server.anonymous(method.clone(), &path);
        let session = |value: &str| format!("{}={value}", novacron_api::SESSION_COOKIE);
        let requests = [
            ask(),
            ask().bearer_auth("wrong"),
            ask().bearer_auth(""),
            ask().basic_auth("root", Some("root")),
            ask().header("cookie", session("wrong")),
            // A token is no session, and what a session is called is no token.
            ask().header("cookie", session(&server.token)),
            server.anonymous(method.clone(), &format!("{path}?ticket=wrong")),
        ];
        for request in requests {
            let answer = Answer::of(request.json(&json!({})).send().await.unwrap()).await;
            answer.problem(401, "");
            assert_eq!(answer.body["code"], "unauthenticated", "{method} {path}");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn open_endpoints_need_nothing() {
    let server = Server::start().await;
    for path in ["/healthz", "/readyz", "/v1/openapi.json", "/"] {
        let answer = server.anonymous(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("script-src 'self'") && policy.contains("frame-ancestors 'none'"));
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_probes_answers_before_the_store_is_ready() {
    let mut readiness = None;
    let server = Server::start_with(|config| {
        config.readiness.set(false);
        readiness = Some(config.readiness.clone());
    })
    .await;
    let status = async |path: &str| server.get(path).await.status.as_u16();
    assert_eq!(status("/healthz").await, 200);
    assert_eq!(status("/readyz").await, 503);
    assert_eq!(status(NETWORKS).await, 503);
    readiness.unwrap().set(true);
    assert_eq!(status("/readyz").await, 200);
    assert_eq!(status(NETWORKS).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_hosts_and_origins_are_refused() {
    let server = Server::start_with(|config| config.hosts = vec!["nova.example".into()]).await;
    let port = server.address.port();
    let host = async |host: &str| {
        let request = server.request(Method::GET, NETWORKS).header(HOST, host);
        Answer::of(request.send().await.unwrap()).await
    };
    for ours in ["localhost", "LOCALHOST:1", "127.0.0.1:9", "[::1]:7600", "nova.example"] {
        assert_eq!(host(ours).await.status, StatusCode::OK, "{ours}");
    }
    for foreign in ["evil.example", "evil.example:80", "10.0.0.1", "localhost.evil.example"] {
        host(foreign).await.problem(403, "Host");
    }
    // Open paths are no exception: a page must not be framed by a rebound name.
    let open = server.anonymous(Method::GET, "/").header(HOST, "evil.example");
    Answer::of(open.send().await.unwrap()).await.problem(403, "Host");

    let origin = async |method: Method, origin: &str| {
        let body = json!({ "meta": { "name": "x" }, "spec": {} });
        let request = server.request(method, NETWORKS).header(ORIGIN, origin).json(&body);
        Answer::of(request.send().await.unwrap()).await
    };
    for foreign in ["https://evil.example", "null", "http://127.0.0.1:1", "file://"] {
        origin(Method::POST, foreign).await.problem(403, "Origin");
    }
    let ours = format!("http://127.0.0.1:{port}");
    assert_eq!(origin(Method::POST, &ours).await.status, StatusCode::CREATED);
    assert_eq!(origin(Method::GET, "https://evil.example").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_link_is_traded_once_for_a_session() {
    let server = Server::start().await;
    let link = server.post("/v1/sign-in-links", json!({})).await.expect(StatusCode::CREATED);
    let url = link["url"].as_str().unwrap();
    let (page, code) = url.split_once("/signin#code=").unwrap();
    assert_eq!(page, server.url(""));
    let trade = async || {
        let request = server.anonymous(Method::POST, "/v1/session").json(&json!({ "code": code }));
        Answer::of(request.send().await.unwrap()).await
    };
    let traded = trade().await;
    assert_eq!(traded.status, StatusCode::CREATED, "{}", traded.body);
    let set_cookie = traded.header("set-cookie").to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(set_cookie.contains(part), "{set_cookie}");
    }
    trade().await.problem(401, "");

    let cookie = set_cookie.split(';').next().unwrap().to_owned();
    let session = async |method: Method| {
        let request = server.anonymous(method, "/v1/session").header("cookie", &cookie);
        Answer::of(request.send().await.unwrap()).await
    };
    assert_eq!(session(Method::GET).await.body["user"], "browser");
    // Neither code nor session ever shows in the list of tokens.
    let tokens = server.get("/v1/tokens").await.body.to_string();
    assert!(!tokens.contains(code) && !tokens.contains(cookie.split('=').nth(1).unwrap()));
    let out = session(Method::DELETE).await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    session(Method::GET).await.problem(401, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_tokens_do_not_let_in() {
    let server = Server::start().await;
    let soon = jiff_plus_ms(1500);
    let made = server
        .post("/v1/tokens", json!({ "meta": { "name": "brief" }, "spec": { "expires": soon } }))
        .await
        .expect(StatusCode::CREATED);
    let secret = made["secret"].as_str().unwrap();
    let mut stream = Sse::of(
        server
            .anonymous(Method::GET, &format!("{NETWORKS}?watch=true"))
            .bearer_auth(secret)
            .send()
            .await
            .unwrap(),
    );
    stream.until("synced").await;
    while stream.next().await.is_some() {}
    let late = server.anonymous(Method::GET, NETWORKS).bearer_auth(secret).send().await.unwrap();
    Answer::of(late).await.problem(401, "");
}

fn jiff_plus_ms(ms: i64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    novacron_model::Time(i64::try_from(now.as_millis()).unwrap() + ms).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_a_token_ends_its_streams() {
    let server = Server::start().await;
    let vm = json!({ "meta": { "name": "web" }, "spec": {} });
    server.post(VMS, vm).await.expect(StatusCode::CREATED);
    let secret = server.new_token("doomed").await;
    let open = async |path: &str| {
        server.anonymous(Method::GET, path).bearer_auth(&secret).send().await.unwrap()
    };
    let mut watch = Sse::of(open("/v1/watch").await);
    watch.until("synced").await;
    let mut log = open(&format!("{VMS}/web/logs?follow=true")).await.bytes_stream();
    assert!(log.next().await.unwrap().is_ok());
    let mut console =
        websocket(&server, &format!("{VMS}/web/serial"), Some(&secret), None).await.unwrap();
    console.send(Message::binary("hi")).await.unwrap();
    assert_eq!(console.next().await.unwrap().unwrap(), Message::binary("hi"));

    assert_eq!(server.delete("/v1/tokens/doomed").await.status, StatusCode::NO_CONTENT);
    let ended = async {
        while watch.next().await.is_some() {}
        while log.next().await.is_some() {}
        loop {
            if let Message::Close(frame) = console.next().await.unwrap().unwrap() {
                return frame;
            }
        }
    };
    let ended = tokio::time::timeout(PATIENCE, ended).await;
    let frame = ended.expect("a stream outlived its token").expect("the console says why");
    assert_eq!((u16::from(frame.code), &*frame.reason), (4401, "the token was revoked"));
    Answer::of(open(NETWORKS).await).await.problem(401, "");
}

type Ws =
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn websocket(
    server: &Server,
    path: &str,
    token: Option<&str>,
    origin: Option<&str>,
) -> Result<Ws, Box<WsError>> {
    let mut request = format!("ws://{}{path}", server.address).into_client_request().unwrap();
    if let Some(token) = token {
        let line = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", line);
    }
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    Ok(tokio_tungstenite::connect_async(request).await?.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_opens_one_console_once() {
    let server = Server::start().await;
    let vm = json!({ "meta": { "name": "web" }, "spec": {} });
    server.post(VMS, vm).await.expect(StatusCode::CREATED);
    let ticket = async || {
        let body = json!({ "stream": "serial" });
        let made = server.post(&format!("{VMS}/web/tickets"), body).await;
        made.expect(StatusCode::CREATED)["url"].as_str().unwrap().to_owned()
    };
    let refused = |result: Result<Ws, Box<WsError>>| match result {
        Err(error) => match *error {
            WsError::Http(response) => response.status().as_u16(),
            other => panic!("{other}"),
        },
        Ok(_) => panic!("it opened"),
    };
    let url = ticket().await;
    let mut console = websocket(&server, &url, None, None).await.unwrap();
    console.send(Message::binary("hello")).await.unwrap();
    assert_eq!(console.next().await.unwrap().unwrap(), Message::binary("hello"));
    assert_eq!(refused(websocket(&server, &url, None, None).await), 401);
    let other = ticket().await.replace("/serial", "/screen");
    assert_eq!(refused(websocket(&server, &other, None, None).await), 401);
    let foreign = Some("https://evil.example");
    assert_eq!(refused(websocket(&server, &ticket().await, None, foreign).await), 403);
    let plain = server.get(&format!("{VMS}/web/serial")).await;
    plain.problem(426, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_unix_socket_knows_who_asks() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::start().await;
    let session = server.local().get("http://localhost/v1/session").send().await.unwrap();
    let user = Answer::of(session).await.body["user"].as_str().unwrap().to_owned();
    assert!(user == "root" || user.starts_with("uid "), "{user}");
    let socket = &server.handle.as_ref().unwrap().socket;
    assert_eq!(std::fs::metadata(socket).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_data_directory_has_its_socket() {
    let long = tempfile::tempdir().unwrap();
    let deep = long.path().join("d".repeat(75)).join("e".repeat(75));
    std::fs::create_dir_all(&deep).unwrap();
    let store = std::sync::Arc::new(novacron_store::MemStore::new());
    let node = std::sync::Arc::new(crate::harness::Node::default());
    let key = novacron_model::DataKey::new([1; 32]);
    let config = novacron_api::ApiConfig::new(&deep, "n1", key);
    let handle = novacron_api::serve(config, store, node).await.unwrap();
    assert!(handle.socket.as_os_str().len() > 108);
    // Clients reach it as the server made it: through the directory's descriptor.
    let directory = std::fs::File::open(&deep).unwrap();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&directory);
    let short = format!("/proc/self/fd/{fd}/api.sock");
    let client = reqwest::Client::builder().unix_socket(short).build().unwrap();
    let answer = client.get("http://localhost/healthz").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    handle.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_and_links_are_not_made_as_tokens() {
    let server = Server::start().await;
    for purpose in ["session", "sign_in"] {
        let spec = json!({ "purpose": purpose, "expires": "2099-01-01T00:00:00Z" });
        let made =
            server.post("/v1/tokens", json!({ "meta": { "name": "x" }, "spec": spec })).await;
        made.problem(422, "spec.purpose");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_hold_up_nobody() {
    use tokio::io::AsyncWriteExt;
    let server = Server::start().await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHo").await.unwrap();
        slow.push(stream);
    }
    assert_eq!(server.get(NETWORKS).await.status, StatusCode::OK);
}
