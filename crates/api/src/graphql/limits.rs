//! Bounds on what a document may ask for beside depth and complexity: aliases, root fields, size.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextParseQuery};
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{ServerError, ServerResult, Variables};

const BYTES_MAX: usize = 64 << 10;
const ROOT_FIELDS_MAX: usize = 20;
const ALIASES_MAX: usize = 40;
/// Selections after all fragments were written out.
const SELECTIONS_MAX: usize = 5_000;

pub(super) struct Limits;

impl ExtensionFactory for Limits {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait::async_trait]
impl Extension for Limits {
    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        if query.len() > BYTES_MAX {
            return Err(refuse(format!("the document is larger than {BYTES_MAX} bytes")));
        }
        // Before the library looks: its own depth check walks every spread anew.
        check(&async_graphql::parser::parse_query(query).map_err(ServerError::from)?)?;
        next.run(ctx, query, variables).await
    }
}

fn check(document: &ExecutableDocument) -> ServerResult<()> {
    let mut aliases = 0;
    for (_, operation) in document.operations.iter() {
        let root = &operation.node.selection_set.node;
        if root.items.len() > ROOT_FIELDS_MAX {
            return Err(refuse(format!("more than {ROOT_FIELDS_MAX} fields at the root")));
        }
        aliases += count_aliases(root);
    }
    for fragment in document.fragments.values() {
        aliases += count_aliases(&fragment.node.selection_set.node);
    }
    if aliases > ALIASES_MAX {
        return Err(refuse(format!("more than {ALIASES_MAX} aliases")));
    }
    let mut sizes = Sizes { document, known: BTreeMap::new() };
    for (_, operation) in document.operations.iter() {
        if sizes.of(&operation.node.selection_set.node)? > SELECTIONS_MAX {
            return Err(refuse(format!("more than {SELECTIONS_MAX} fields with all fragments")));
        }
    }
    Ok(())
}

/// How many selections a set has once all fragments are written out.
struct Sizes<'a> {
    document: &'a ExecutableDocument,
    /// By fragment; `None` while it is being counted.
    known: BTreeMap<&'a str, Option<usize>>,
}

impl<'a> Sizes<'a> {
    fn of(&mut self, set: &'a SelectionSet) -> ServerResult<usize> {
        let mut size = 0_usize;
        for item in &set.items {
            let inner = match &item.node {
                Selection::Field(field) => self.of(&field.node.selection_set.node)?,
                Selection::InlineFragment(part) => self.of(&part.node.selection_set.node)?,
                Selection::FragmentSpread(spread) => {
                    self.of_fragment(&spread.node.fragment_name.node)?
                }
            };
            size = size.saturating_add(1).saturating_add(inner);
        }
        Ok(size)
    }

    fn of_fragment(&mut self, name: &'a str) -> ServerResult<usize> {
        match self.known.get(name) {
            Some(Some(size)) => return Ok(*size),
            Some(None) => return Err(refuse(format!("fragment {name} contains itself"))),
            None => {}
        }
        // An unknown fragment is refused by validation, with its place.
        let Some(fragment) = self.document.fragments.get(name) else { return Ok(0) };
        self.known.insert(name, None);
        let size = self.of(&fragment.node.selection_set.node)?;
        self.known.insert(name, Some(size));
        Ok(size)
    }
}

fn count_aliases(set: &SelectionSet) -> usize {
    let count = |selection: &Selection| match selection {
        Selection::Field(field) => {
            let own = usize::from(field.node.alias.is_some());
            own + count_aliases(&field.node.selection_set.node)
        }
        Selection::InlineFragment(fragment) => count_aliases(&fragment.node.selection_set.node),
        Selection::FragmentSpread(_) => 0,
    };
    set.items.iter().map(|item| count(&item.node)).sum()
}

fn refuse(message: String) -> ServerError {
    ServerError::new(message, None)
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    #[test]
    fn fragments_that_multiply_are_refused_before_they_are_walked() {
        use std::fmt::Write;
        let mut text = String::from("{...a0}");
        for level in 0..28 {
            let next = level + 1;
            let spreads = format!(" ...a{next}").repeat(8);
            write!(text, " fragment a{level} on Query {{{spreads}}}").unwrap();
        }
        text.push_str(" fragment a28 on Query {__typename}");
        let refused = check(&parse_query(&text).unwrap()).unwrap_err();
        assert!(refused.message.contains("with all fragments"), "{}", refused.message);
        let circle = "{...a} fragment a on Query {...b} fragment b on Query {...a}";
        let refused = check(&parse_query(circle).unwrap()).unwrap_err();
        assert!(refused.message.contains("contains itself"), "{}", refused.message);
        assert!(check(&parse_query("{...a} fragment a on Query {__typename}").unwrap()).is_ok());
    }
}
