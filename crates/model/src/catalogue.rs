//! The catalogue: images that distributions publish, under short names such as `debian/12`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
}
