//! Counters with limits.

use super::{Fixture, commit, put, value_of};
use crate::{CommitError, CounterAdd, Txn};

fn add(delta: i64, min: Option<i64>, max: Option<i64>) -> CounterAdd {
    CounterAdd { name: "cpu/n1".to_owned(), delta, min, max }
}

pub async fn counters_keep_their_limits(fixture: &impl Fixture) {
    let store = fixture.store();
    commit(&*store, Txn::new().count(add(6, None, Some(10)))).await;
    let above = store.commit(put("vm/a", 1, &[]).count(add(5, None, Some(10)))).await;
    let limit =
        |would_be, limit| Err(CommitError::Limit { name: "cpu/n1".to_owned(), would_be, limit });
    assert_eq!(above, limit(11, 10));
    commit(&*store, Txn::new().count(add(4, None, Some(10)))).await;
    let below = store.commit(Txn::new().count(add(-11, Some(0), None))).await;
    assert_eq!(below, limit(-1, 0));
    let at = store.snapshot();
    assert_eq!(at.counter("cpu/n1"), 10);
    assert_eq!(at.counter("cpu/n2"), 0);
    assert_eq!(value_of(&at, "vm/a"), None);
}

pub async fn counters_go_down_below_a_limit_that_was_lowered(fixture: &impl Fixture) {
    let store = fixture.store();
    commit(&*store, Txn::new().count(add(10, None, None))).await;
    commit(&*store, Txn::new().count(add(-1, Some(0), Some(5)))).await;
    assert_eq!(store.snapshot().counter("cpu/n1"), 9);
}

pub async fn one_txn_may_touch_a_counter_twice(fixture: &impl Fixture) {
    let store = fixture.store();
    let twice = || Txn::new().count(add(3, None, Some(5))).count(add(3, None, Some(5)));
    let refused = store.commit(twice()).await;
    assert!(matches!(refused, Err(CommitError::Limit { would_be: 6, .. })), "{refused:?}");
    let moved = Txn::new().count(add(3, None, Some(5))).count(add(-2, Some(0), None));
    commit(&*store, moved).await;
    assert_eq!(store.snapshot().counter("cpu/n1"), 1);
}
