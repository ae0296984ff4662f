//! Lists: complete and without repeats while others write, in every order, by label.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use novacron_store::{Put, Store, Txn};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use reqwest::StatusCode;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use crate::harness::{NETWORKS, Server};

/// All names of a list, page by page.
async fn walk(server: &Server, query: &str, limit: usize) -> Vec<String> {
    let mut names = Vec::new();
    let mut path = format!("{NETWORKS}?limit={limit}{query}");
    loop {
        let page = server.get(&path).await.expect(StatusCode::OK);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        names.extend(items.iter().map(|item| item["meta"]["name"].as_str().unwrap().to_owned()));
        let Some(token) = page["next_page_token"].as_str() else { return names };
        path = format!("{NETWORKS}?limit={limit}{query}&page_token={token}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_everything_once_in_order() {
    let server = Server::start().await;
    // Neighbours in key order that are easy to mix up.
    let names = ["web", "web-2", "web2", "we", "web-10", "a", "z9", "0"];
    for (n, name) in names.iter().enumerate() {
        let parity = if n % 2 == 0 { "even" } else { "odd" };
        server.network(name, json!({ "parity": parity, "all": "x" })).await;
    }
    let mut sorted: Vec<&str> = names.iter().copied().chain(["user"]).collect();
    sorted.sort_unstable();
    for limit in [1, 2, 3, 8, 9, 100] {
        assert_eq!(walk(&server, "", limit).await, sorted);
        let down: Vec<_> = sorted.iter().rev().copied().collect();
        assert_eq!(walk(&server, "&sort=-name", limit).await, down);
        let made: Vec<_> = ["user"].into_iter().chain(names).collect();
        assert_eq!(walk(&server, "&sort=created", limit).await, made);
        let newest: Vec<_> = made.iter().rev().copied().collect();
        assert_eq!(walk(&server, "&sort=-created", limit).await, newest);
        let mut even: Vec<_> = names.iter().copied().step_by(2).collect();
        even.sort_unstable();
        assert_eq!(walk(&server, "&label=parity=even", limit).await, even);
        assert_eq!(walk(&server, "&label=all=x&label=parity=even", limit).await, even);
        assert_eq!(walk(&server, "&label=all=y", limit).await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_version_wrote_is_named_not_hidden() {
    let server = Server::start().await;
    for name in ["a", "b", "c"] {
        server.network(name, json!({ "x": "y" })).await;
    }
    let at = server.store.snapshot();
    let key = at.scan("network/", "network/").map(|record| record.key.clone());
    let key = key.into_iter().find(|key| key.as_str().ends_with("/b")).unwrap();
    let value = to_raw_value(&json!({ "meta": "of another version" })).unwrap();
    let put = Put { index: vec![("label:x".into(), "y".into())], key, value };
    server.store.commit(Txn { puts: vec![put], ..Txn::new() }).await.unwrap();
    assert_eq!(walk(&server, "&label=x=y", 1).await, ["a", "c"]);
    let page = server.get(NETWORKS).await.expect(StatusCode::OK);
    let unreadable = page["unreadable"].as_array().unwrap();
    assert_eq!((unreadable.len(), &unreadable[0]["name"]), (1, &json!("b")));
    let reason = unreadable[0]["reason"].as_str().unwrap();
    assert!(reason.contains("cannot be read by this version"), "{reason}");
    let query = "{ networks { items { meta { name } } unreadable { name } } }";
    let page = server.post("/graphql", json!({ "query": query })).await.body;
    assert_eq!(page["data"]["networks"]["unreadable"], json!([{ "name": "b" }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_belongs_to_its_list() {
    let server = Server::start().await;
    for name in ["a", "b", "c"] {
        server.network(name, json!({ "x": "y" })).await;
    }
    let page = server.get(&format!("{NETWORKS}?limit=1")).await.expect(StatusCode::OK);
    let token = page["next_page_token"].as_str().unwrap();
    for query in ["sort=-name", "label=x=y"] {
        let other = server.get(&format!("{NETWORKS}?limit=1&{query}&page_token={token}")).await;
        other.problem(422, "page_token");
    }
}

/// Whatever others write meanwhile: what existed all the time is listed exactly once, nothing
/// twice, and the order holds.
#[tokio::test(flavor = "multi_thread")]
async fn pages_are_complete_under_concurrent_writes() {
    let server = Server::start().await;
    let mut runner = TestRunner::deterministic();
    let stable: BTreeSet<String> = (0..40).map(|n| format!("s{:02}", n * 7 % 40)).collect();
    for name in &stable {
        server.network(name, json!({ "kept": "yes" })).await;
    }
    let name = "[r-t][0-9]{2}x";
    let churn = proptest::collection::vec(name, 12);
    let done = AtomicBool::new(false);
    let rounds: Vec<(Vec<String>, usize)> = (0..12)
        .map(|_| (churn.clone(), 1_usize..9).new_tree(&mut runner).unwrap().current())
        .collect();
    let writing = async {
        while !done.load(Ordering::Relaxed) {
            for (names, _) in &rounds {
                for name in names {
                    let body = json!({ "meta": { "name": name, "labels": { "kept": "yes" } }, "spec": {} });
                    server.post(NETWORKS, body).await;
                }
                for name in names {
                    server.delete(&format!("{NETWORKS}/{name}")).await;
                }
            }
        }
    };
    let reading = async {
        for (_, limit) in &rounds {
            for query in ["", "&label=kept=yes", "&sort=-name"] {
                let mut listed = walk(&server, query, *limit).await;
                if query.contains("-name") {
                    listed.reverse();
                }
                assert!(listed.windows(2).all(|pair| pair[0] < pair[1]), "{listed:?}");
                let listed: BTreeSet<_> = listed.into_iter().collect();
                assert!(stable.is_subset(&listed), "{:?}", stable.difference(&listed));
            }
        }
        done.store(true, Ordering::Relaxed);
    };
    futures::future::join(writing, reading).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_says_its_revision() {
    let server = Server::start().await;
    let made = server.network("a", json!({})).await;
    let page: Value = server.get(NETWORKS).await.expect(StatusCode::OK);
    assert!(page["revision"].as_u64() >= made["meta"]["revision"].as_u64());
}
