//! The first part of a feed: what there is at one snapshot, a few objects at a time.

use novacron_model::key;
use novacron_store::Snapshot;

use super::feed::Part;
use crate::resource::Shown;
use crate::resource::list::carries;
use crate::state::Api;

/// How many objects are read at a time.
const STEP: usize = 128;

/// Walks through all objects of some kinds.
pub(super) struct Listing {
    pub at: Snapshot,
    /// Index into the parts.
    part: usize,
    /// The last key read; empty at the start of a part.
    after: String,
}

impl Listing {
    pub fn new(at: Snapshot) -> Self {
        Self { at, part: 0, after: String::new() }
    }

    /// The next objects with their family; `None` when all have been read.
    pub fn step(
        &mut self,
        api: &Api,
        parts: &[Part],
        labels: &[(String, String)],
    ) -> Option<Vec<(usize, String, Shown)>> {
        let part = parts.get(self.part)?;
        let families = self.families(part, labels);
        match families.last() {
            Some(last) if families.len() == STEP => self.after.clone_from(last),
            _ => {
                self.part += 1;
                self.after.clear();
            }
        }
        let index = parts.iter().position(|each| each.prefix == part.prefix)?;
        let show = |family: String| {
            let shown = part.row.ops.show(api, &self.at, &self.at.family(&family)).ok().flatten();
            shown.map(|shown| (index, family, shown))
        };
        Some(families.into_iter().filter_map(show).collect())
    }

    fn families(&self, part: &Part, labels: &[(String, String)]) -> Vec<String> {
        let behind =
            if self.after.is_empty() { part.prefix.clone() } else { format!("{}$", self.after) };
        let Some((name, value)) = labels.first() else {
            let records = self.at.scan(&part.prefix, &behind);
            let own = records.filter(|record| record.key.section().is_none());
            return own.take(STEP).map(|record| record.key.to_string()).collect();
        };
        let label = key::label_index(name);
        let keys = self.at.index_keys(&label, value, &behind);
        keys.take_while(|key| key.as_str().starts_with(&part.prefix))
            .filter(|key| self.at.get(key.as_str()).is_some_and(|own| carries(own, labels)))
            .take(STEP)
            .map(ToString::to_string)
            .collect()
    }
}
