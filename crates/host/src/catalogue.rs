//! The catalogue of published images: built in, or from a file or a mirror with the same format.
//!
//! An entry says where the image lies and where its publisher's checksums lie; both are asked at
//! each import, so a release that its publisher has renewed is taken as it is now.

use std::path::PathBuf;

use novacron_model::catalogue::{CatalogueEntry, image_name, is_entry};
use novacron_model::{Error, Result};
use serde::Deserialize;

use crate::image::{Published, Sum, Unreached, fetch_text};

const BUILT_IN: &str = include_str!("catalogue.toml");
const TEXT_MAX: u64 = 4 << 20;

/// Where the catalogue comes from.
#[derive(Debug, Clone, Default)]
pub enum Catalogue {
    #[default]
    BuiltIn,
    File(PathBuf),
    Url(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    format: u32,
    image: Vec<CatalogueEntry>,
}

impl Catalogue {
    /// A file's path or a mirror's URL.
    pub fn at(place: &str) -> Self {
        if place.starts_with("http://") || place.starts_with("https://") {
            return Self::Url(place.to_owned());
        }
        Self::File(PathBuf::from(place))
    }

    pub async fn entries(&self) -> Result<Vec<CatalogueEntry>> {
        self.read().await.map_err(|error| match error {
            Unreached::Unreached(host) => {
                Error::unavailable(format!("the catalogue at {host} cannot be reached"))
                    .hint("[images] catalogue in the settings names it")
            }
            Unreached::Other(error) => error,
        })
    }

    /// What an import of this entry fetches, with its publisher's checksum of now.
    pub async fn resolve(&self, name: &str) -> Result<Published> {
        let entries = self.read().await.map_err(|error| unreached(name, error))?;
        let entry = entries.into_iter().find(|entry| entry.name == name).ok_or_else(|| {
            let mut error = Error::not_found("catalogue entry", name);
            error.field = Some("spec.source.catalogue".to_owned());
            error.hint("`novacron image catalogue` lists what there is")
        })?;
        let sum = match (&entry.sums, entry.sha256) {
            (Some(sums), _) => {
                let text = fetch_text(sums, TEXT_MAX).await;
                let text = text.map_err(|error| unreached(name, error))?;
                published_sum(&text, &entry.url).ok_or_else(|| {
                    Error::unavailable(format!("the publisher's checksums do not name {name}"))
                        .hint("its file may have been renamed; a newer NovaCron may know")
                })?
            }
            (None, Some(sha256)) => Sum::Sha256(sha256.to_ascii_lowercase()),
            (None, None) => return Err(Error::internal("an entry without a checksum")),
        };
        Ok(Published { name: entry.name, url: entry.url, sum })
    }

    async fn read(&self) -> Result<Vec<CatalogueEntry>, Unreached> {
        let text = match self {
            Self::BuiltIn => BUILT_IN.to_owned(),
            Self::File(path) => std::fs::read_to_string(path).map_err(|error| {
                let message = format!("the catalogue {} cannot be read: {error}", path.display());
                Error::unavailable(message).hint("[images] catalogue in the settings names it")
            })?,
            Self::Url(url) => fetch_text(url, TEXT_MAX).await?,
        };
        Ok(parse(&text)?)
    }
}

/// What is said when a publisher does not answer.
pub fn cannot_reach(name: &str) -> Error {
    Error::unavailable(format!(
        "cannot reach the source of {name}; import a file: novacron image import FILE --name {}",
        image_name(name)
    ))
}

fn unreached(name: &str, error: Unreached) -> Error {
    match error {
        Unreached::Unreached(host) => {
            tracing::warn!(host, "a source of the catalogue cannot be reached");
            cannot_reach(name)
        }
        Unreached::Other(error) => error,
    }
}

fn parse(text: &str) -> Result<Vec<CatalogueEntry>> {
    let bad = |what: String| Error::unavailable(format!("the catalogue cannot be used: {what}"));
    let listing: Listing = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| bad(error.to_string()))?
    } else {
        toml::from_str(text).map_err(|error| bad(error.to_string()))?
    };
    if listing.format != 1 {
        return Err(bad(format!("format {} is unknown", listing.format)));
    }
    for (n, entry) in listing.image.iter().enumerate() {
        let name = &entry.name;
        let is_url = |url: &String| url.starts_with("http://") || url.starts_with("https://");
        let hex = |sum: &String| sum.len() == 64 && sum.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_entry(name) {
            return Err(bad(format!("\"{name}\" is no name such as debian/12")));
        }
        if listing.image[..n].iter().any(|other| other.name == *name) {
            return Err(bad(format!("{name} stands there twice")));
        }
        if !is_url(&entry.url) || !entry.sums.iter().all(is_url) {
            return Err(bad(format!("{name} has a URL that is not http or https")));
        }
        if entry.sums.is_some() == entry.sha256.is_some() || !entry.sha256.iter().all(hex) {
            return Err(bad(format!("{name} needs either sums or a sha256 of 64 hex digits")));
        }
    }
    Ok(listing.image)
}

/// The checksum of the file at `url` in a text as `sha256sum` and `sha512sum` write it, plain or
/// with `--tag`.
fn published_sum(text: &str, url: &str) -> Option<Sum> {
    let file = url.split(['?', '#']).next()?.rsplit('/').next()?;
    text.lines().find_map(|line| {
        let (sum, name) = match line.split_once(" = ") {
            Some((tagged, sum)) => {
                (sum, tagged.split_once(" (").and_then(|(_, name)| name.strip_suffix(')'))?)
            }
            None => line.split_once(char::is_whitespace)?,
        };
        let name = name.trim().trim_start_matches('*').trim_start_matches("./");
        let sum = sum.trim().to_ascii_lowercase();
        if name != file || !sum.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        match sum.len() {
            64 => Some(Sum::Sha256(sum)),
            128 => Some(Sum::Sha512(sum)),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_catalogue_can_be_read() {
        let entries = parse(BUILT_IN).unwrap();
        assert!(entries.iter().any(|entry| entry.name == "debian/12"));
        assert!(entries.iter().all(|entry| entry.url.starts_with("https://")));
    }

    #[test]
    fn a_catalogue_may_be_json_and_is_checked() {
        let sum = "a".repeat(64);
        let entry = |rest: &str| {
            parse(&format!(
                r#"{{"format": 1, "image": [{{"name": "a/1", "url": "http://h/x"{rest}}}]}}"#
            ))
        };
        assert_eq!(entry(&format!(r#", "sha256": "{sum}""#)).unwrap().len(), 1);
        for (rest, words) in [
            ("", "needs either"),
            (r#", "sha256": "12""#, "needs either"),
            (r#", "sums": "file:///x""#, "not http"),
            (r#", "run": "x""#, "unknown field"),
        ] {
            let error = entry(rest).unwrap_err();
            assert!(error.message.contains(words), "{error}");
        }
        assert!(parse("format = 2\nimage = []").unwrap_err().message.contains("format 2"));
    }

    #[test]
    fn checksums_are_found_in_what_publishers_write() {
        let (short, long) = ("ab".repeat(32), "CD".repeat(64));
        let gnu = format!("{short}  other.img\n{short} *x.img\n");
        assert_eq!(published_sum(&gnu, "https://h/a/x.img"), Some(Sum::Sha256(short.clone())));
        let tagged = format!("# x.img: 12 bytes\nSHA512 (x.img) = {long}\n");
        let found = Some(Sum::Sha512(long.to_ascii_lowercase()));
        assert_eq!(published_sum(&tagged, "https://h/x.img"), found);
        assert_eq!(published_sum(&gnu, "https://h/y.img"), None);
        assert_eq!(published_sum("zz  x.img\nab x.img\n", "https://h/x.img"), None);
    }
}
