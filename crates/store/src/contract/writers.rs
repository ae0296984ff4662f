//! Many writers at once.

use std::collections::BTreeSet;

use futures::future::join_all;

use super::{Fixture, commit, put, value_of};
use crate::{CommitError, CounterAdd, Precondition, Txn};

const WRITERS: u64 = 16;
const EACH: u64 = 25;

pub async fn many_writers_lose_nothing(fixture: &impl Fixture) {
    let writers = (0..WRITERS).map(|writer| {
        let store = fixture.store();
        tokio::spawn(async move {
            let mut revisions = Vec::new();
            for n in 0..EACH {
                let txn = put(&format!("vm/{writer}-{n}"), n, &[("writer", &writer.to_string())]);
                revisions.push(commit(&*store, txn).await);
                assert!(store.snapshot().get(&format!("vm/{writer}-{n}")).is_some());
            }
            assert!(revisions.is_sorted());
            revisions
        })
    });
    let revisions = join_all(writers).await.into_iter().flat_map(|each| each.expect("no panic"));
    let revisions: BTreeSet<_> = revisions.collect();
    assert_eq!(revisions.len() as u64, WRITERS * EACH, "two transactions have one revision");
    let at = fixture.store().snapshot();
    assert_eq!(at.scan("vm/", "").count() as u64, WRITERS * EACH);
    assert_eq!(at.indexed("writer", "3", "").len() as u64, EACH);
}

pub async fn many_writers_never_pass_a_limit(fixture: &impl Fixture) {
    let writers = (0..WRITERS).map(|writer| {
        let store = fixture.store();
        tokio::spawn(async move {
            let mut taken: i64 = 0;
            for n in 0..EACH {
                let add =
                    CounterAdd { name: "cpu".to_owned(), delta: 3, min: None, max: Some(100) };
                let txn = put(&format!("vm/{writer}-{n}"), n, &[]).count(add);
                match store.commit(txn).await {
                    Ok(_) => taken += 3,
                    Err(CommitError::Limit { .. }) => {}
                    Err(other) => panic!("{other}"),
                }
            }
            taken
        })
    });
    let taken: i64 = join_all(writers).await.into_iter().map(|each| each.expect("no panic")).sum();
    let at = fixture.store().snapshot();
    assert_eq!(taken, 99);
    assert_eq!(at.counter("cpu"), 99);
    assert_eq!(at.scan("vm/", "").count(), 33);
}

pub async fn compare_and_set_lets_one_writer_win(fixture: &impl Fixture) {
    let store = fixture.store();
    commit(&*store, put("vm/a", 0, &[])).await;
    let writers = (0..WRITERS).map(|_| {
        let store = fixture.store();
        tokio::spawn(async move {
            let mut won = 0;
            while won < EACH {
                let at = store.snapshot();
                let revision = at.get("vm/a").expect("is there").revision;
                let value = value_of(&at, "vm/a").expect("is there");
                let unchanged = Precondition::At("vm/a".into(), revision);
                match store.commit(put("vm/a", value + 1, &[]).require(unchanged)).await {
                    Ok(_) => won += 1,
                    Err(CommitError::Precondition { .. }) => {}
                    Err(other) => panic!("{other}"),
                }
            }
        })
    });
    for writer in join_all(writers).await {
        writer.expect("no panic");
    }
    assert_eq!(value_of(&store.snapshot(), "vm/a"), Some(WRITERS * EACH));
    commit(&*store, Txn::new().delete("vm/a")).await;
}
