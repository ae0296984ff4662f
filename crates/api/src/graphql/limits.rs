//! Bounds on what a document may ask for beside depth and complexity: aliases, root fields, size.

use std::sync::Arc;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextParseQuery};
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{ServerError, ServerResult, Variables};

const BYTES_MAX: usize = 64 << 10;
const ROOT_FIELDS_MAX: usize = 20;
const ALIASES_MAX: usize = 40;

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
        let document = next.run(ctx, query, variables).await?;
        check(&document)?;
        Ok(document)
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
    Ok(())
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
