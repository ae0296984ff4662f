//! Paths of the API, with whatever a user typed made harmless.

use std::fmt::Write;

/// One segment of a path, percent-encoded (RFC 3986), so that a name never means another path.
pub fn segment(text: &str) -> String {
    let encoded = encode(text);
    // Dot segments would be taken as a way up.
    if text == "." || text == ".." { encoded.replace('.', "%2E") } else { encoded }
}

/// The pairs as a query, with its question mark; empty when there are none.
pub fn query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        let mark = if text.is_empty() { '?' } else { '&' };
        let _ = write!(text, "{mark}{}={}", encode(name), encode(value));
    }
    text
}

fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leaves_its_segment() {
        assert_eq!(segment("web-1"), "web-1");
        assert_eq!(segment("../x?y#z"), "..%2Fx%3Fy%23z");
        assert_eq!(segment(".."), "%2E%2E");
        assert_eq!(segment("ä b"), "%C3%A4%20b");
    }

    #[test]
    fn a_query_keeps_its_values_whole() {
        assert_eq!(query([]), "");
        assert_eq!(query([("label", "a=b"), ("limit", "5")]), "?label=a%3Db&limit=5");
    }
}
