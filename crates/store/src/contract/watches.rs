//! Watches: ordered, gap-free, from the past, or told that they cannot.

use std::time::Duration;

use serde_json::value::RawValue;

use super::{Fixture, commit, put};
use crate::txn::Append;
use crate::{Change, Selection, Txn, Watch};

/// Long enough for any machine; waiting this long means that nothing comes.
const DEADLINE: Duration = Duration::from_mins(1);

fn prefix(text: &str) -> Selection {
    Selection::Prefix(text.to_owned())
}

async fn next(watch: &mut Watch) -> Vec<String> {
    let next = tokio::time::timeout(DEADLINE, watch.next()).await.expect("comes in time");
    next.expect("store is open").expect("history is kept").iter().map(shown).collect()
}

/// The next `count` changes, however they arrive.
async fn take(watch: &mut Watch, count: usize) -> Vec<String> {
    let mut changes = Vec::new();
    while changes.len() < count {
        changes.extend(next(watch).await);
    }
    changes
}

fn shown(change: &Change) -> String {
    match change {
        Change::Family { family, records, .. } => {
            let values: Vec<_> = records.iter().map(|record| record.value.get()).collect();
            format!("{family} {}", values.join(" "))
        }
        Change::Gone { family, .. } => format!("{family} gone"),
        Change::Entry { entry, .. } => format!("entry {}", entry.sequence),
    }
}

pub async fn a_watch_sees_every_change_in_order(fixture: &impl Fixture) {
    let store = fixture.store();
    let mut watch = store.watch(prefix(""), store.snapshot().revision());
    let mut expected = Vec::new();
    for n in 0..200 {
        commit(&*store, put("vm/a", n, &[])).await;
        expected.push(format!("vm/a {{\"n\":{n}}}"));
    }
    assert_eq!(take(&mut watch, 200).await, expected);
    assert_eq!(watch.seen(), store.snapshot().revision());
}

pub async fn a_watch_from_the_past_sees_what_was_missed(fixture: &impl Fixture) {
    let store = fixture.store();
    let from = commit(&*store, put("vm/a", 1, &[])).await;
    commit(&*store, put("vm/a#runtime", 2, &[])).await;
    commit(&*store, Txn::new().delete("vm/a").delete("vm/a#runtime")).await;
    let mut watch = store.watch(prefix("vm/"), from);
    let seen = take(&mut watch, 2).await;
    assert_eq!(seen, ["vm/a {\"n\":1} {\"n\":2}", "vm/a gone"]);
}

pub async fn a_watch_of_a_prefix_sees_nothing_else(fixture: &impl Fixture) {
    let store = fixture.store();
    let mut watch = store.watch(prefix("vm/"), store.snapshot().revision());
    commit(&*store, put("task/a", 1, &[])).await;
    let mut mixed = put("task/b", 1, &[]);
    mixed.merge(put("vm/b", 1, &[]));
    commit(&*store, mixed).await;
    assert_eq!(next(&mut watch).await, ["vm/b {\"n\":1}"]);
}

pub async fn a_watch_of_an_index_sees_objects_enter_and_leave(fixture: &impl Fixture) {
    let store = fixture.store();
    let what = Selection::Index {
        prefix: "vm/".to_owned(),
        name: "node".to_owned(),
        value: "n1".to_owned(),
    };
    let mut watch = store.watch(what, store.snapshot().revision());
    commit(&*store, put("vm/a", 1, &[])).await;
    commit(&*store, put("vm/a#placement", 2, &[("node", "n1")])).await;
    commit(&*store, put("vm/a", 3, &[])).await;
    commit(&*store, put("volume/a", 3, &[("node", "n1")])).await;
    commit(&*store, put("vm/a#placement", 4, &[("node", "n2")])).await;
    commit(&*store, put("vm/a", 5, &[])).await;
    commit(&*store, put("vm/b", 6, &[("node", "n1")])).await;
    commit(&*store, Txn::new().delete("vm/b")).await;
    let seen = take(&mut watch, 5).await;
    let expected = [
        "vm/a {\"n\":1} {\"n\":2}",
        "vm/a {\"n\":3} {\"n\":2}",
        "vm/a gone",
        "vm/b {\"n\":6}",
        "vm/b gone",
    ];
    assert_eq!(seen, expected);
}

pub async fn a_watch_of_a_stream_sees_its_entries(fixture: &impl Fixture) {
    let store = fixture.store();
    let mut watch =
        store.watch(Selection::Stream("events".to_owned()), store.snapshot().revision());
    let append = |stream: &str| {
        let value = RawValue::from_string("1".to_owned()).expect("is JSON");
        Txn { appends: vec![Append { stream: stream.to_owned(), value, keep: 1 }], ..Txn::new() }
    };
    for stream in ["events", "audit", "events"] {
        commit(&*store, append(stream)).await;
    }
    assert_eq!(take(&mut watch, 2).await, ["entry 1", "entry 2"]);
}

pub async fn a_watch_behind_the_history_is_told_so(fixture: &impl Fixture) {
    let store = fixture.store();
    let from = store.snapshot().revision();
    let mut watch = store.watch(prefix("vm/"), from);
    let batch = futures::future::join_all(
        (0..5000).map(|n| store.commit(put(&format!("vm/{}", n % 7), n, &[]))),
    );
    assert!(batch.await.iter().all(Result::is_ok));
    let told = tokio::time::timeout(DEADLINE, watch.next()).await.expect("comes in time");
    let compacted = told.expect("store is open").expect_err("is too far behind");
    assert!(compacted.oldest > from);
    let mut again = store.watch(prefix("vm/"), compacted.oldest);
    assert!(!next(&mut again).await.is_empty());
}

pub async fn a_watch_ends_when_the_store_closes(fixture: &impl Fixture) {
    let store = fixture.store();
    let mut watch = store.watch(prefix(""), store.snapshot().revision());
    commit(&*store, put("vm/a", 1, &[])).await;
    let waiting = tokio::spawn(async move {
        let seen = next(&mut watch).await;
        (seen, watch.next().await.is_none())
    });
    fixture.close().await;
    let (seen, ended) =
        tokio::time::timeout(DEADLINE, waiting).await.expect("ends in time").expect("no panic");
    assert_eq!(seen, ["vm/a {\"n\":1}"]);
    assert!(ended);
}

pub async fn deleting_what_is_not_there_tells_nobody(fixture: &impl Fixture) {
    let store = fixture.store();
    let mut watch = store.watch(prefix(""), store.snapshot().revision());
    commit(&*store, Txn::new().delete("vm/ghost")).await;
    commit(&*store, put("vm/a", 1, &[])).await;
    assert_eq!(next(&mut watch).await, ["vm/a {\"n\":1}"]);
}
