//! Random transactions on the store and on a model so simple that it can be seen to be right; all
//! reads and all watches must agree.

use std::collections::{BTreeMap, BTreeSet};

use futures::FutureExt;
use novacron_store::state::Item;
use novacron_store::txn::Append;
use novacron_store::{
    Change, CommitError, CounterAdd, MemStore, Precondition, Put, Selection, State, Store, Txn,
};
use proptest::prelude::*;
use serde_json::value::RawValue;

const KEYS: [&str; 8] =
    ["vm/a", "vm/a#p", "vm/a#r", "vm/a-b", "vm/b", "vm/b#r", "vol/a", "vol/b#x"];
const ROWS: [(&str, &str); 4] = [("node", "1"), ("node", "2"), ("tier", "1"), ("tier", "web")];

type Rows = Vec<(String, String)>;

#[derive(Clone, Debug, PartialEq)]
struct Stored {
    value: String,
    revision: u64,
    rows: Rows,
}

/// The naive store: every question is answered by looking at everything.
#[derive(Clone, Debug, Default)]
struct Model {
    revision: u64,
    records: BTreeMap<String, Stored>,
    counters: BTreeMap<String, i64>,
    /// (sequence, value) of entries that are kept, and the next sequence number.
    stream: (Vec<(u64, String)>, u64),
}

fn family(key: &str) -> &str {
    key.split('#').next().expect("has a first part")
}

impl Model {
    fn commit(&mut self, txn: &Txn) -> Result<u64, CommitError> {
        if let Some(index) = txn.preconditions.iter().position(|each| !self.holds(each)) {
            return Err(CommitError::Precondition { index });
        }
        let mut counters = self.counters.clone();
        for CounterAdd { name, delta, min, max } in &txn.counters {
            let sum = counters.entry(name.clone()).or_default();
            *sum += delta;
            let limit = if *delta > 0 { max.filter(|max| *sum > *max) } else { None };
            let limit = if *delta < 0 { min.filter(|min| *sum < *min) } else { limit };
            if let Some(limit) = limit {
                return Err(CommitError::Limit { name: name.clone(), would_be: *sum, limit });
            }
        }
        self.counters = counters;
        self.revision += 1;
        for key in &txn.deletes {
            self.records.remove(key.as_str());
        }
        for put in &txn.puts {
            let value = put.value.get().to_owned();
            let stored = Stored { value, revision: self.revision, rows: put.index.clone() };
            self.records.insert(put.key.to_string(), stored);
        }
        for append in &txn.appends {
            self.stream.1 += 1;
            self.stream.0.push((self.stream.1, append.value.get().to_owned()));
            while self.stream.0.len() as u64 > append.keep {
                self.stream.0.remove(0);
            }
        }
        Ok(self.revision)
    }

    fn holds(&self, precondition: &Precondition) -> bool {
        match precondition {
            Precondition::Absent(key) => !self.records.contains_key(key.as_str()),
            Precondition::Present(key) => self.records.contains_key(key.as_str()),
            Precondition::At(key, revision) => {
                self.records.get(key.as_str()).is_some_and(|record| record.revision == *revision)
            }
            Precondition::NoIndex(name, value) => self.carriers(name, value).is_empty(),
            Precondition::NoIndexBeside(name, value, family) => {
                self.carriers(name, value).iter().all(|carrier| carrier == family.as_str())
            }
        }
    }

    /// Families that carry a row.
    fn carriers(&self, name: &str, value: &str) -> BTreeSet<String> {
        let row = (name.to_owned(), value.to_owned());
        let carry = self.records.iter().filter(|(_, record)| record.rows.contains(&row));
        carry.map(|(key, _)| family(key).to_owned()).collect()
    }

    fn family(&self, name: &str) -> Vec<String> {
        let ours = self.records.iter().filter(|(key, _)| family(key) == name);
        ours.map(|(key, record)| format!("{key}={}", record.value)).collect()
    }

    /// What a watch of an index row must tell about the step from `before` to `self`.
    fn changes(
        &self,
        before: &Self,
        txn: &Txn,
        inside: impl Fn(&Self, &str) -> bool,
    ) -> Vec<String> {
        let gone = txn.deletes.iter().filter(|key| before.records.contains_key(key.as_str()));
        let keys = gone.chain(txn.puts.iter().map(|put| &put.key));
        let touched: BTreeSet<&str> = keys.map(|key| family(key.as_str())).collect();
        let mut changes = Vec::new();
        for name in touched {
            match (inside(before, name), inside(self, name)) {
                (_, true) => changes.push(format!("{name}: {}", self.family(name).join(" "))),
                (true, false) => changes.push(format!("{name} gone")),
                (false, false) => {}
            }
        }
        changes
    }
}

fn shown(change: &Change) -> String {
    match change {
        Change::Family { family, records, .. } => {
            let records = records.iter();
            let records: Vec<_> =
                records.map(|record| format!("{}={}", record.key, record.value.get())).collect();
            format!("{family}: {}", records.join(" "))
        }
        Change::Gone { family, .. } => format!("{family} gone"),
        Change::Entry { entry, .. } => format!("entry {}", entry.sequence),
    }
}

fn json(n: u64) -> Box<RawValue> {
    RawValue::from_string(n.to_string()).expect("is JSON")
}

fn any_key() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(&KEYS[..])
}

fn any_row() -> impl Strategy<Value = (String, String)> {
    proptest::sample::select(&ROWS[..])
        .prop_map(|(name, value)| (name.to_owned(), value.to_owned()))
}

fn any_precondition() -> impl Strategy<Value = Precondition> {
    prop_oneof![
        any_key().prop_map(|key| Precondition::Absent(key.into())),
        any_key().prop_map(|key| Precondition::Present(key.into())),
        (any_key(), 1..12_u64).prop_map(|(key, at)| Precondition::At(key.into(), at)),
        any_row().prop_map(|(name, value)| Precondition::NoIndex(name, value)),
        (any_row(), any_key()).prop_map(|((name, value), key)| {
            Precondition::NoIndexBeside(name, value, key.split('#').next().unwrap_or(key).into())
        }),
    ]
}

fn any_add() -> impl Strategy<Value = CounterAdd> {
    (proptest::sample::select(vec!["cpu", "memory"]), -4..5_i64, -3..1_i64, 2..7_i64, any::<bool>())
        .prop_map(|(name, delta, min, max, limited)| CounterAdd {
            name: name.to_owned(),
            delta,
            min: limited.then_some(min),
            max: limited.then_some(max),
        })
}

fn any_txn() -> impl Strategy<Value = Txn> {
    let put = (any_key(), any::<u8>(), proptest::collection::vec(any_row(), 0..3));
    let put = put.prop_map(|(key, n, mut index)| {
        index.sort();
        index.dedup();
        Put { key: key.into(), value: json(n.into()), index }
    });
    let append = (any::<u8>(), 0..4_u64).prop_map(|(n, keep)| Append {
        stream: "events".to_owned(),
        value: json(n.into()),
        keep,
    });
    (
        proptest::collection::vec(any_precondition(), 0..2),
        proptest::collection::vec(put, 0..4),
        proptest::collection::vec(any_key().prop_map(Into::into), 0..3),
        proptest::collection::vec(any_add(), 0..3),
        proptest::collection::vec(append, 0..2),
    )
        .prop_map(|(preconditions, puts, deletes, counters, appends)| Txn {
            preconditions,
            puts,
            deletes,
            counters,
            appends,
            frees: false,
        })
}

fn reads_agree(store: &MemStore, model: &Model) -> Result<(), TestCaseError> {
    let at = store.snapshot();
    prop_assert_eq!(at.revision(), model.revision);
    let records: Vec<_> = at.scan("", "").map(|record| record.key.to_string()).collect();
    prop_assert_eq!(records, model.records.keys().cloned().collect::<Vec<_>>());
    for (key, stored) in &model.records {
        let record = at.get(key).expect("was scanned");
        let seen = Stored {
            value: record.value.get().to_owned(),
            revision: record.revision,
            rows: record.index.to_vec(),
        };
        prop_assert_eq!(&seen, stored);
    }
    for key in KEYS {
        let records = at.family(family(key)).into_iter();
        let seen: Vec<_> =
            records.map(|record| format!("{}={}", record.key, record.value.get())).collect();
        prop_assert_eq!(seen, model.family(family(key)));
    }
    for (name, value) in ROWS {
        for after in ["", "vm/a", "vm/b"] {
            let seen: Vec<_> =
                at.indexed(name, value, after).iter().map(ToString::to_string).collect();
            let expected = model.carriers(name, value).into_iter();
            prop_assert_eq!(
                seen,
                expected.filter(|each| each.as_str() > after).collect::<Vec<_>>()
            );
        }
    }
    for name in ["cpu", "memory"] {
        prop_assert_eq!(at.counter(name), model.counters.get(name).copied().unwrap_or(0));
    }
    let entries: Vec<_> = at
        .stream("events", 0)
        .map(|entry| (entry.sequence, entry.value.get().to_owned()))
        .collect();
    prop_assert_eq!(&entries, &model.stream.0);
    prop_assert_eq!(at.stream_next("events"), model.stream.1 + 1);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_store_agrees_with_the_model(txns in proptest::collection::vec(any_txn(), 1..25)) {
        let store = MemStore::new();
        let mut model = Model::default();
        let mut everything = store.watch(Selection::Prefix(String::new()), 0);
        let (name, value) = ROWS[0];
        let selection = Selection::Index {
            prefix: "vm/".to_owned(),
            name: name.to_owned(),
            value: value.to_owned(),
        };
        let mut selected = store.watch(selection, 0);
        let carries = |model: &Model, family: &str| {
            family.starts_with("vm/") && model.carriers(name, value).contains(family)
        };
        for txn in txns {
            let before = model.clone();
            let expected = model.commit(&txn);
            let seen = store.commit(txn.clone()).now_or_never().expect("is immediate");
            prop_assert_eq!(&seen, &expected);
            reads_agree(&store, &model)?;
            let (mut all, mut some) = (Vec::new(), Vec::new());
            if expected.is_ok() {
                all = model.changes(&before, &txn, |model, family| !model.family(family).is_empty());
                // A family that came and went within one transaction is told as gone.
                some = model.changes(&before, &txn, carries);
            }
            for (watch, expected) in [(&mut everything, all), (&mut selected, some)] {
                let told = watch.next().now_or_never().flatten().map(|told| told.expect("is kept"));
                let told: Vec<_> = told.iter().flatten().map(shown).collect();
                prop_assert_eq!(told, expected);
            }
        }
    }

    #[test]
    fn a_dumped_state_loads_as_it_was(txns in proptest::collection::vec(any_txn(), 1..25)) {
        let mut state = State::default();
        for txn in &txns {
            let _ = state.apply(txn);
        }
        let lines: Vec<String> =
            state.dump().map(|item| serde_json::to_string(&item).expect("serialises")).collect();
        let items = lines.iter().map(|line| serde_json::from_str::<Item>(line).expect("parses"));
        let mut loaded = State::load(state.revision(), items);
        for state in [&mut state, &mut loaded] {
            // What is not visible at once (hashes, index) shows in what comes next.
            for txn in &txns {
                let _ = state.apply(txn);
            }
        }
        let dump = |state: &State| {
            let items: Vec<Item> = state.dump().collect();
            (state.revision(), serde_json::to_string(&items).expect("serialises"))
        };
        prop_assert_eq!(dump(&loaded), dump(&state));
    }
}
