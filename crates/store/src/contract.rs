//! The contract that every [`Store`] keeps: one function for each property, and a macro that makes
//! a test of each.
//!
//! ```ignore
//! novacron_store::contract_tests!(make_my_store);   // async fn make_my_store() -> impl Fixture
//! ```

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::{Revision, Snapshot, Store};

mod counters;
mod records;
mod streams;
mod watches;
mod writers;

pub use counters::*;
pub use records::*;
pub use streams::*;
pub use watches::*;
pub use writers::*;

/// A store under test, with what it needs to live.
pub trait Fixture: Send + Sync + 'static {
    fn store(&self) -> Arc<dyn Store>;
    /// Shuts the store down.
    fn close(&self) -> BoxFuture<'_, ()>;
}

impl Fixture for Arc<crate::MemStore> {
    fn store(&self) -> Arc<dyn Store> {
        self.clone()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        crate::MemStore::close(self);
        Box::pin(async {})
    }
}

/// Makes a test of each property; `$make` is a function whose future is a [`Fixture`].
#[macro_export]
macro_rules! contract_tests {
    ($make:path) => {
        $crate::contract_tests! { @each $make;
            a_put_is_read_back_with_its_revision
            a_delete_takes_the_record_and_its_index_rows
            preconditions_are_all_or_nothing
            a_precondition_that_fails_is_named_by_its_position
            every_commit_has_its_own_rising_revision
            a_refused_transaction_leaves_no_trace
            snapshots_do_not_change
            a_scan_is_in_key_order_and_can_start_anywhere
            a_family_is_one_object_with_its_sections
            index_rows_follow_the_record
            index_pages_continue_after_a_family
            a_taken_index_row_keeps_others_out
            counters_keep_their_limits
            counters_go_down_below_a_limit_that_was_lowered
            one_txn_may_touch_a_counter_twice
            a_stream_numbers_and_chains_its_entries
            a_stream_keeps_only_what_it_may
            a_stream_can_be_read_from_a_number
            a_watch_sees_every_change_in_order
            a_watch_from_the_past_sees_what_was_missed
            a_watch_of_a_prefix_sees_nothing_else
            a_watch_of_an_index_sees_objects_enter_and_leave
            a_watch_of_a_stream_sees_its_entries
            a_watch_behind_the_history_is_told_so
            a_watch_ends_when_the_store_closes
            deleting_what_is_not_there_tells_nobody
            many_writers_lose_nothing
            many_writers_never_pass_a_limit
            compare_and_set_lets_one_writer_win
        }
    };
    (@each $make:path; $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let fixture = $make().await;
                $crate::contract::$name(&fixture).await;
                $crate::contract::Fixture::close(&fixture).await;
            }
        )*
    };
}

/// Commits, which must succeed.
async fn commit(store: &dyn Store, txn: crate::Txn) -> Revision {
    store.commit(txn).await.expect("commits")
}

/// A put of `{"n": value}` under `key` with index rows.
fn put(key: &str, value: u64, rows: &[(&str, &str)]) -> crate::Txn {
    let value = serde_json::value::to_raw_value(&serde_json::json!({ "n": value }));
    let index = rows.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let put =
        crate::Put { key: key.into(), value: value.expect("serialises"), index: index.collect() };
    crate::Txn { puts: vec![put], ..crate::Txn::new() }
}

/// What [`put`] wrote.
fn value_of(at: &Snapshot, key: &str) -> Option<u64> {
    let record = at.get(key)?;
    let value: serde_json::Value = serde_json::from_str(record.value.get()).expect("is JSON");
    value["n"].as_u64()
}
