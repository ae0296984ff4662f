//! What a verb is for: objects by name, or all that have certain labels.

use clap::Args;
use novacron_model::key::display_kind;

use super::list::{self, ListArgs};
use crate::failure::{Failure, NOT_FOUND, Result};
use crate::noun::Noun;
use crate::session::Session;
use crate::table::text;

#[derive(Debug, Clone, Default, Args)]
pub struct Chosen {
    /// One or more names
    #[arg(required_unless_present = "labels", value_name = "NAME")]
    names: Vec<String>,
    /// All with this label (KEY=VALUE) in place of names; may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE", conflicts_with = "names")]
    labels: Vec<String>,
}

impl Chosen {
    pub fn named(names: Vec<String>) -> Self {
        Self { names, labels: Vec::new() }
    }

    /// At least one.
    pub async fn names(&self, session: &Session, noun: &Noun) -> Result<Vec<String>> {
        if !self.names.is_empty() {
            return Ok(self.names.clone());
        }
        let args = ListArgs { labels: self.labels.clone(), ..ListArgs::default() };
        let collection = noun.collection(&session.project);
        let found = list::objects(session, &collection, &args, |_| true).await?;
        if found.is_empty() {
            let message = format!(
                "no {} has the label {}",
                display_kind(noun.kind),
                self.labels.join(" and ")
            );
            return Err(Failure::new(NOT_FOUND, message));
        }
        Ok(found.iter().map(|object| text(object, "/meta/name")).collect())
    }
}
