//! The catalogue: images that distributions publish, under short names such as `debian/12`.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::Result;
use crate::name::Name;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CatalogueEntry {
    /// `distribution/release`.
    #[schema(pattern = "^[a-z0-9][a-z0-9.-]*/[a-z0-9][a-z0-9.-]*$")]
    pub name: String,
    /// Free text such as `Debian 12`.
    #[serde(default)]
    pub os: String,
    /// Where the image lies.
    pub url: String,
    /// Where its publisher's checksums lie: lines as `sha256sum` and `sha512sum` write them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sums: Option<String>,
    /// Its checksum, for an image that never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// What `GET /v1/catalogue` answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Catalogue {
    pub items: Vec<CatalogueEntry>,
}

/// Whether a name is one of an entry: `distribution/release`.
pub fn is_entry(name: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && part.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '.' | '-'))
    };
    name.len() <= 63 && name.split_once('/').is_some_and(|(left, right)| part(left) && part(right))
}

/// The name of the image that an entry becomes: `ubuntu/24.04` is `ubuntu-24-04`.
pub fn image_name(entry: &str) -> String {
    let label = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = entry.chars().map(label).collect();
    name.trim_matches('-').to_owned()
}

/// What a request names an image by: an image's name, or an entry of the catalogue such as
/// `debian/12`, which is imported as `debian-12` unless that is there. Stored is always a name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(
    value_type = String,
    pattern = "^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?|[a-z0-9][a-z0-9.-]*/[a-z0-9][a-z0-9.-]*)$",
    example = "debian/12"
)]
pub struct ImageName(String);

impl ImageName {
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        if is_entry(&text) { Ok(Self(text)) } else { Name::new(text).map(Self::from) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The entry of the catalogue that is meant, if one is.
    pub fn entry(&self) -> Option<&str> {
        is_entry(&self.0).then_some(&*self.0)
    }
}

impl From<Name> for ImageName {
    fn from(name: Name) -> Self {
        Self(name.as_str().to_owned())
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl<'de> Deserialize<'de> for ImageName {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::new(text).map_err(|error| {
            serde::de::Error::custom(format!("{error}; {}", error.hint.clone().unwrap_or_default()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_and_their_images_have_plain_names() {
        for (entry, image) in [("debian/12", "debian-12"), ("ubuntu/24.04", "ubuntu-24-04")] {
            assert!(is_entry(entry));
            assert_eq!(image_name(entry), image);
        }
        for odd in ["debian", "/12", "debian/", "a/b/c", "../etc", "A/b", "a/b c", "a/b\n"] {
            assert!(!is_entry(odd), "{odd}");
        }
    }

    #[test]
    fn an_image_is_meant_by_its_name_or_by_an_entry() {
        let read = |text: &str| serde_json::from_value::<ImageName>(serde_json::json!(text));
        assert_eq!(read("debian-12").unwrap().entry(), None);
        assert_eq!(read("debian/12").unwrap().entry(), Some("debian/12"));
        for odd in ["", "../etc", "a/b/c", "debian/", "A"] {
            assert!(read(odd).is_err(), "{odd}");
        }
    }
}
