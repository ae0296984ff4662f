//! Records, index rows, preconditions, snapshots.

use super::{Fixture, commit, put, value_of};
use crate::{CommitError, Precondition, Txn};

pub async fn a_put_is_read_back_with_its_revision(fixture: &impl Fixture) {
    let store = fixture.store();
    let revision = commit(&*store, put("vm/a", 1, &[("node", "n1")])).await;
    let at = store.snapshot();
    assert_eq!(at.revision(), revision);
    assert_eq!(value_of(&at, "vm/a"), Some(1));
    let record = at.get("vm/a").expect("is there");
    assert_eq!(record.revision, revision);
    assert_eq!(record.index[..], [("node".to_owned(), "n1".to_owned())]);
    assert!(at.get("vm/b").is_none());
}

pub async fn a_delete_takes_the_record_and_its_index_rows(fixture: &impl Fixture) {
    let store = fixture.store();
    commit(&*store, put("vm/a", 1, &[("node", "n1")])).await;
    commit(&*store, Txn::new().delete("vm/a")).await;
    let at = store.snapshot();
    assert!(at.get("vm/a").is_none());
    assert!(at.indexed("node", "n1", "").is_empty());
    let free = Precondition::NoIndex("node".to_owned(), "n1".to_owned());
    commit(&*store, put("vm/b", 1, &[]).require(free)).await;
}

pub async fn preconditions_are_all_or_nothing(fixture: &impl Fixture) {
    let store = fixture.store();
    let first = commit(&*store, put("vm/a", 1, &[])).await;
    let mut both = put("vm/a", 2, &[]).require(Precondition::At("vm/a".into(), first));
    both.merge(put("vm/b", 2, &[]).require(Precondition::Present("vm/c".into())));
    let refused = store.commit(both).await;
    assert_eq!(refused, Err(CommitError::Precondition { index: 1 }));
    let at = store.snapshot();
    assert_eq!(value_of(&at, "vm/a"), Some(1));
    assert_eq!(value_of(&at, "vm/b"), None);
}

pub async fn a_precondition_that_fails_is_named_by_its_position(fixture: &impl Fixture) {
    let store = fixture.store();
    let revision = commit(&*store, put("vm/a", 1, &[("port", "80")])).await;
    let cases = [
        (Precondition::Absent("vm/a".into()), Precondition::Absent("vm/b".into())),
        (Precondition::Present("vm/b".into()), Precondition::Present("vm/a".into())),
        (Precondition::At("vm/a".into(), revision + 1), Precondition::At("vm/a".into(), revision)),
        (
            Precondition::NoIndex("port".to_owned(), "80".to_owned()),
            Precondition::NoIndex("port".to_owned(), "8".to_owned()),
        ),
    ];
    for (fails, holds) in cases {
        let txn = Txn::new().require(holds).require(fails.clone()).delete("vm/a");
        let refused = store.commit(txn).await;
        assert_eq!(refused, Err(CommitError::Precondition { index: 1 }), "{fails:?}");
    }
    assert_eq!(value_of(&store.snapshot(), "vm/a"), Some(1));
}

pub async fn every_commit_has_its_own_rising_revision(fixture: &impl Fixture) {
    let store = fixture.store();
    let mut last = store.snapshot().revision();
    for n in 0..20 {
        let revision = commit(&*store, put("vm/a", n, &[])).await;
        assert!(revision > last, "{revision} after {last}");
        assert!(store.snapshot().revision() >= revision);
        last = revision;
    }
}

pub async fn a_refused_transaction_leaves_no_trace(fixture: &impl Fixture) {
    let store = fixture.store();
    commit(&*store, put("vm/a", 1, &[])).await;
    let before = store.snapshot().revision();
    let refused = store.commit(put("vm/a", 2, &[]).require(Precondition::Absent("vm/a".into())));
    assert_eq!(refused.await, Err(CommitError::Precondition { index: 0 }));
    assert_eq!(store.snapshot().revision(), before);
}

pub async fn snapshots_do_not_change(fixture: &impl Fixture) {
    let store = fixture.store();
    commit(&*store, put("vm/a", 1, &[("node", "n1")])).await;
    let before = store.snapshot();
    commit(&*store, put("vm/a", 2, &[("node", "n2")])).await;
    commit(&*store, put("vm/b", 2, &[])).await;
    assert_eq!(value_of(&before, "vm/a"), Some(1));
    assert_eq!(value_of(&before, "vm/b"), None);
    assert_eq!(before.indexed("node", "n1", "").len(), 1);
    assert_eq!(value_of(&store.snapshot(), "vm/a"), Some(2));
}

pub async fn a_scan_is_in_key_order_and_can_start_anywhere(fixture: &impl Fixture) {
    let store = fixture.store();
    for key in ["vm/c", "vm/a", "vmx/a", "vm/b", "vm", "vm/b#runtime"] {
        commit(&*store, put(key, 1, &[])).await;
    }
    let at = store.snapshot();
    let scan = |prefix, start| -> Vec<String> {
        at.scan(prefix, start).map(|record| record.key.to_string()).collect()
    };
    assert_eq!(scan("vm/", ""), ["vm/a", "vm/b", "vm/b#runtime", "vm/c"]);
    assert_eq!(scan("vm/", "vm/b"), ["vm/b", "vm/b#runtime", "vm/c"]);
    assert_eq!(scan("vm/", "vn"), Vec::<String>::new());
}

pub async fn a_family_is_one_object_with_its_sections(fixture: &impl Fixture) {
    let store = fixture.store();
    for key in ["vm/a#runtime", "vm/a", "vm/a-2", "vm/a#placement", "vm/aa"] {
        commit(&*store, put(key, 1, &[])).await;
    }
    let at = store.snapshot();
    let keys: Vec<_> = at.family("vm/a").iter().map(|record| record.key.to_string()).collect();
    assert_eq!(keys, ["vm/a", "vm/a#placement", "vm/a#runtime"]);
}

pub async fn index_rows_follow_the_record(fixture: &impl Fixture) {
    let store = fixture.store();
    commit(&*store, put("vm/a#placement", 1, &[("node", "n1"), ("tier", "web")])).await;
    commit(&*store, put("vm/b", 1, &[("node", "n1")])).await;
    commit(&*store, put("vm/a#placement", 2, &[("node", "n2")])).await;
    let at = store.snapshot();
    let families = |name: &str, value: &str| -> Vec<String> {
        at.indexed(name, value, "").iter().map(ToString::to_string).collect()
    };
    assert_eq!(families("node", "n1"), ["vm/b"]);
    assert_eq!(families("node", "n2"), ["vm/a"]);
    assert_eq!(families("tier", "web"), Vec::<String>::new());
}

pub async fn index_pages_continue_after_a_family(fixture: &impl Fixture) {
    let store = fixture.store();
    for n in 0..5 {
        let mut txn = put(&format!("vm/{n}"), n, &[("node", "n1")]);
        txn.merge(put(&format!("vm/{n}#runtime"), n, &[("node", "n1")]));
        commit(&*store, txn).await;
    }
    let at = store.snapshot();
    let after = |family| -> Vec<String> {
        at.indexed("node", "n1", family).iter().map(ToString::to_string).collect()
    };
    assert_eq!(after(""), ["vm/0", "vm/1", "vm/2", "vm/3", "vm/4"]);
    assert_eq!(after("vm/2"), ["vm/3", "vm/4"]);
    assert_eq!(after("vm/4"), Vec::<String>::new());
}

pub async fn a_taken_index_row_keeps_others_out(fixture: &impl Fixture) {
    let store = fixture.store();
    let free = || Precondition::NoIndex("port".to_owned(), "8080".to_owned());
    commit(&*store, put("vm/a", 1, &[("port", "8080")]).require(free())).await;
    let refused = store.commit(put("vm/b", 1, &[("port", "8080")]).require(free())).await;
    assert_eq!(refused, Err(CommitError::Precondition { index: 0 }));
    let beside =
        |own: &str| Precondition::NoIndexBeside("port".to_owned(), "8080".to_owned(), own.into());
    commit(&*store, put("vm/a#nics", 1, &[("port", "8080")]).require(beside("vm/a"))).await;
    let refused = store.commit(put("vm/b", 1, &[("port", "8080")]).require(beside("vm/b"))).await;
    assert_eq!(refused, Err(CommitError::Precondition { index: 0 }));
    commit(&*store, put("vm/a", 1, &[]).delete("vm/a#nics")).await;
    commit(&*store, put("vm/b", 1, &[("port", "8080")]).require(free())).await;
}
