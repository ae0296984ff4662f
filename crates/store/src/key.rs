//! Keys: opaque text in byte order. What stands before the first `#` is a record's *family*:
//! records that belong to one object, that index rows select together and that watches deliver
//! together. For a family's records to lie side by side, no key holds a byte below `#` (space,
//! `!`, `"`, control characters).

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub const SECTION_MARK: char = '#';

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(Arc<str>);

impl Key {
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(text.as_ref().into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before `#`: itself for a record that is no section.
    pub fn family(&self) -> &str {
        self.0.split_once(SECTION_MARK).map_or(&self.0, |(family, _)| family)
    }

    /// The part after `#`.
    pub fn section(&self) -> Option<&str> {
        self.0.split_once(SECTION_MARK).map(|(_, section)| section)
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
