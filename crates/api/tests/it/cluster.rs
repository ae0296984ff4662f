//! Membership: the view of the cluster, members and their roles, tokens that let nodes join.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use novacron_api::{Cluster, Invite};
use novacron_control::member;
use novacron_model::cluster::{ClusterView, MemberView};
use novacron_model::{Error, Invitation, Name, Result, Time};
use novacron_store::Store;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Answer, Server};

const TOKENS: &str = "/v1/join-tokens";

/// A node that can be reached where others cannot.
#[derive(Default)]
struct Meeting {
    asked: Mutex<Vec<bool>>,
}

#[async_trait]
impl Cluster for Meeting {
    async fn view(&self) -> ClusterView {
        let member = |(name, number): (&str, u64)| MemberView {
            name: name.into(),
            number,
            voter: true,
            leader: number == 1,
            reachable: Some(number == 1),
            lag: (number > 1).then_some(7),
            ..MemberView::default()
        };
        ClusterView::of(Some(Uuid::nil()), 3, [("b", 2), ("a", 1)].map(member).into())
    }

    async fn invite(&self, loopback: bool) -> Result<Invite> {
        self.asked.lock().unwrap().push(loopback);
        if !loopback {
            let error = Error::conflict("127.0.0.1 leads to this machine only");
            return Err(error.at("spec.loopback").hint("pass --loopback"));
        }
        Ok(Invite { address: "127.0.0.1:7601".into(), fingerprint: "AB".repeat(32) })
    }
}

async fn meeting() -> (Server, Arc<Meeting>) {
    let cluster = Arc::new(Meeting::default());
    let given = cluster.clone();
    (Server::start_with(|config| config.cluster = given).await, cluster)
}

/// Makes the members `a` and `b` known, each with its node.
async fn two_members(server: &Server) {
    for (name, number) in [("a", 1), ("b", 2)] {
        server.register(name).await;
        let (at, uid, name) = (server.store.snapshot(), Uuid::now_v7(), Name::new(name).unwrap());
        let address = format!("10.0.0.{number}:7601");
        let txn = if number == 1 {
            member::register(&at, Time(0), uid, &name, number, &address).unwrap()
        } else {
            beside(&at, &name)
        };
        server.store.commit(txn).await.unwrap();
    }
}

/// A further member, as if it had joined.
fn beside(at: &novacron_store::Snapshot, name: &Name) -> novacron_store::Txn {
    let record = at.get("member/-/a").unwrap().value.get();
    let mut record: Value = serde_json::from_str(record).unwrap();
    record["meta"]["name"] = name.as_str().into();
    record["meta"]["uid"] = Uuid::now_v7().to_string().into();
    record["spec"]["number"] = 2.into();
    let value = serde_json::value::to_raw_value(&record).unwrap();
    let mut txn = novacron_store::Txn::new();
    txn.puts.push(novacron_store::Put { key: "member/-/b".into(), value, index: vec![] });
    txn
}

fn draft(name: &str) -> Value {
    json!({ "meta": { "name": name }, "spec": { "role": "witness", "loopback": true } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_alone_says_so() {
    let server = Server::start().await;
    let view = server.get("/v1/cluster").await.expect(StatusCode::OK);
    let summary = "one node; add two more (or one and a witness) to survive the loss of one";
    let own = json!({ "name": "n1", "number": 1, "address": "", "role": "auto", "voter": true,
        "leader": true, "reachable": true });
    let expected = json!({ "leader": "n1", "term": 0, "members": [own], "voters": 1,
        "tolerates": 0, "summary": summary });
    assert_eq!(view, expected);
    server.post(TOKENS, draft("a")).await.problem(501, "");
    let tokens = server.get(TOKENS).await.expect(StatusCode::OK);
    assert_eq!(tokens["items"], json!([]), "none is made that leads nowhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_token_leads_to_the_cluster() {
    let (server, cluster) = meeting().await;
    let refused = server.post(TOKENS, json!({ "meta": { "name": "a" }, "spec": {} })).await;
    refused.problem(409, "spec.loopback");
    let made = server.post(TOKENS, draft("a")).await;
    assert_eq!(made.header("location"), format!("{TOKENS}/a"));
    let made = made.expect(StatusCode::CREATED);
    assert_eq!(*cluster.asked.lock().unwrap(), [false, true]);
    let invitation: Invitation = made["secret"].as_str().unwrap().parse().unwrap();
    assert_eq!(invitation.address, "127.0.0.1:7601");
    assert_eq!(invitation.fingerprint, "ab".repeat(32));
    assert!(made["spec"]["expires"].is_string(), "an hour from now");
    let shown = server.get(&format!("{TOKENS}/a")).await.expect(StatusCode::OK);
    assert_eq!(shown["spec"]["role"], "witness");
    assert!(!shown.to_string().contains(&invitation.secret), "it was shown once");
    server.post(TOKENS, draft("a")).await.problem(409, "meta.name");
    let long = json!({ "meta": { "name": "b" },
        "spec": { "loopback": true, "expires": "2999-01-01T00:00:00Z" } });
    server.post(TOKENS, long).await.problem(422, "spec.expires");
    assert_eq!(server.delete(&format!("{TOKENS}/a")).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_token_is_not_shown_again_for_its_key() {
    let (server, _) = meeting().await;
    let ask = async || {
        let request = server.request(Method::POST, TOKENS).header("idempotency-key", "k");
        Answer::of(request.json(&draft("a")).send().await.unwrap()).await
    };
    ask().await.expect(StatusCode::CREATED);
    let again = ask().await;
    again.problem(409, "");
    assert!(again.body["detail"].as_str().unwrap().contains("shown once"), "{}", again.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_promoted_demoted_and_removed() {
    let server = Server::start().await;
    two_members(&server).await;
    let role = async |name: &str| {
        let member = server.get(&format!("/v1/members/{name}")).await.expect(StatusCode::OK);
        member["spec"]["role"].as_str().unwrap().to_owned()
    };
    let demoted = server.post("/v1/members/b/demote", json!({})).await.expect(StatusCode::OK);
    assert_eq!(demoted["spec"]["role"], "worker");
    server.post("/v1/members/a/demote", json!({})).await.problem(409, "spec.role");
    server.delete("/v1/members/a").await.problem(409, "name");
    server.post("/v1/members/b/promote", json!({})).await.expect(StatusCode::OK);
    assert_eq!(role("b").await, "voter");
    let patch = json!({ "spec": { "role": "auto" } });
    server.patch("/v1/members/b", patch).await.expect(StatusCode::OK);
    assert_eq!(role("b").await, "auto");
    for field in ["number", "address"] {
        let value = if field == "number" { json!(9) } else { json!("n9:7601") };
        let patch = json!({ "spec": { field: value } });
        server.patch("/v1/members/b", patch).await.problem(422, &format!("spec.{field}"));
    }
    assert_eq!(server.post("/v1/members", json!({})).await.status.as_u16(), 405);
    assert_eq!(server.delete("/v1/nodes/b").await.status.as_u16(), 405);
    let preview = server.delete("/v1/members/b?dry_run=true").await.expect(StatusCode::OK);
    assert_eq!(preview["goes"][0]["kind"], "node");
    assert_eq!(server.delete("/v1/members/b").await.status, StatusCode::NO_CONTENT);
    server.get("/v1/members/b").await.problem(404, "");
    server.get("/v1/nodes/b").await.problem(404, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn graphql_tells_and_does_the_same() {
    let (server, _) = meeting().await;
    two_members(&server).await;
    let data = async |query: &str| {
        let answer = server.post("/graphql", json!({ "query": query })).await;
        let answer = answer.expect(StatusCode::OK);
        assert_eq!(answer.get("errors"), None, "{answer}");
        answer["data"].clone()
    };
    let told = data("{ cluster { id term leader voters tolerates summary members { name role voter reachable lag } } }").await;
    let rest = server.get("/v1/cluster").await.expect(StatusCode::OK);
    let cluster = &told["cluster"];
    for field in ["id", "term", "leader", "voters", "tolerates", "summary"] {
        assert_eq!(cluster[field], rest[field], "{field}");
    }
    assert_eq!(cluster["members"][0]["lag"], Value::Null);
    assert_eq!(cluster["members"][1]["lag"], 7);
    let made = data(
        "mutation { createJoinToken(input: { meta: { name: \"t\" }, spec: { role: worker, loopback: true } })
            { object { secret spec { role expires } } } }",
    )
    .await;
    let secret = made["createJoinToken"]["object"]["secret"].as_str().unwrap();
    assert!(secret.parse::<Invitation>().is_ok());
    let told = data(
        "{ joinTokens { items { meta { name } status { used { member } } } } members { items { meta { name } spec { number role } } } }",
    )
    .await;
    assert_eq!(told["joinTokens"]["items"][0]["meta"]["name"], "t");
    assert_eq!(told["members"]["items"][1]["spec"], json!({ "number": 2, "role": "auto" }));
    let done = data("mutation { demoteMember(name: \"b\") { spec { role } } deleteMember(name: \"b\") { meta { name } } deleteJoinToken(name: \"t\") { meta { name } } }").await;
    assert_eq!(done["demoteMember"]["spec"]["role"], "worker");
    assert_eq!(done["deleteMember"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_given_its_zone() {
    let server = Server::start().await;
    server.register("a").await;
    let patch = |zone: Value| json!({ "spec": { "zone": zone } });
    let set = server.patch("/v1/nodes/a", patch("z1".into())).await.expect(StatusCode::OK);
    assert_eq!(set["spec"]["zone"], "z1");
    server.patch("/v1/nodes/a", patch("Zone 1".into())).await.problem(422, "spec.zone");
    let unset = server.patch("/v1/nodes/a", patch(Value::Null)).await.expect(StatusCode::OK);
    assert_eq!(unset["spec"].get("zone"), None);
}
