//! The state as a file.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use novacron_model::Error;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::harness::Server;

const BACKUP: &str = "/v1/system/backup";

#[tokio::test]
async fn the_state_is_sent_to_those_who_may_do_anything_and_to_no_cache() {
    let server = Server::start_with(|config| {
        config.backup = Arc::new(|| {
            let pieces = ["one, ", "two"].map(|piece| Ok(Bytes::from(piece)));
            Ok(futures::stream::iter(pieces).boxed())
        });
    })
    .await;
    let stranger = server.anonymous(Method::GET, BACKUP).send().await.unwrap();
    assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED);
    let answer = server.request(Method::GET, BACKUP).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(answer.text().await.unwrap(), "one, two");

    let query = json!({ "query": "{ system { backupUrl } }" });
    let shown = server.post("/graphql", query).await.expect(StatusCode::OK);
    assert_eq!(shown["data"]["system"]["backupUrl"], BACKUP);
}

#[tokio::test]
async fn a_backup_that_fails_on_the_way_is_not_taken_for_whole() {
    let server = Server::start_with(|config| {
        config.backup = Arc::new(|| {
            let pieces = [Ok(Bytes::from("half")), Err(Error::unavailable("the disk is gone"))];
            Ok(futures::stream::iter(pieces).boxed())
        });
    })
    .await;
    let answer = server.request(Method::GET, BACKUP).send().await;
    let read = match answer {
        Ok(answer) => answer.bytes().await,
        Err(error) => Err(error),
    };
    assert!(read.is_err(), "{read:?}");
}
