//! What a new node needs to join, as one string to be carried from one machine to the other:
//! where the cluster is, how to know its CA, and the secret of a join token.
//!
//! ```text
//!  novacron-join- base64url( version 1 | CA's SHA-256, 32 bytes | length of the secret, 1 byte |
//!                            secret | address | first 4 bytes of the SHA-256 over all before )
//! ```
//!
//! The checksum is against slips of the hand, so that a string that was cut or mistyped is told
//! from one that the cluster does not know.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::error::{Code, Error, Result};
use crate::member::check_address;

pub const PREFIX: &str = "novacron-join-";
const VERSION: u8 = 1;
const CHECKSUM_BYTES: usize = 4;
const HASH_BYTES: usize = 32;

#[derive(Clone, PartialEq, Eq)]
pub struct Invitation {
    /// `HOST:PORT` of a member.
    pub address: String,
    /// SHA-256 of the cluster's CA certificate, as lower-case hex.
    pub fingerprint: String,
    pub secret: String,
}

impl Invitation {
    /// Takes a fingerprint in either case, with or without colons.
    pub fn new(address: &str, fingerprint: &str, secret: &str) -> Result<Self> {
        check_address("address", address)?;
        let fingerprint = fingerprint.replace(':', "").to_ascii_lowercase();
        if unhex(&fingerprint).is_none() {
            return Err(Error::invalid("fingerprint", "a fingerprint is a SHA-256 in hex"));
        }
        if !matches!(secret.len(), 1..=255) {
            return Err(Error::invalid("secret", "a secret has 1 to 255 bytes"));
        }
        Ok(Self { address: address.to_owned(), fingerprint, secret: secret.to_owned() })
    }
}

/// Never shows the secret.
impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invitation")
            .field("address", &self.address)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![VERSION];
        bytes.extend(unhex(&self.fingerprint).ok_or(fmt::Error)?);
        bytes.push(u8::try_from(self.secret.len()).map_err(|_| fmt::Error)?);
        bytes.extend(self.secret.as_bytes());
        bytes.extend(self.address.as_bytes());
        let sum = checksum(&bytes);
        bytes.extend(sum);
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Invitation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let body = text.trim().strip_prefix(PREFIX).ok_or_else(|| {
            Error::new(Code::Invalid, format!("a join token begins with {PREFIX}"))
                .hint("`novacron cluster token create` on a member prints one")
        })?;
        let damaged = || {
            Error::new(Code::Invalid, "the join token is cut or mistyped")
                .hint("copy the whole line that `novacron cluster token create` has printed")
        };
        let bytes = URL_SAFE_NO_PAD.decode(body).map_err(|_| damaged())?;
        let split = bytes.len().checked_sub(CHECKSUM_BYTES).ok_or_else(damaged)?;
        let (content, sum) = bytes.split_at(split);
        if checksum(content) != sum {
            return Err(damaged());
        }
        let (version, content) = content.split_first().ok_or_else(damaged)?;
        if *version != VERSION {
            let message = format!("the join token has form {version}, which is not known here");
            return Err(Error::unsupported(message)
                .hint("run the version of NovaCron that the cluster runs"));
        }
        let (fingerprint, content) = content.split_at_checked(HASH_BYTES).ok_or_else(damaged)?;
        let (length, content) = content.split_first().ok_or_else(damaged)?;
        let parts = content.split_at_checked(usize::from(*length)).ok_or_else(damaged)?;
        let plain = |part| std::str::from_utf8(part).map_err(|_| damaged());
        Self::new(plain(parts.1)?, &hex(fingerprint), plain(parts.0)?)
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut sum = [0; CHECKSUM_BYTES];
    sum.copy_from_slice(&Sha256::digest(bytes)[..CHECKSUM_BYTES]);
    sum
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !digits || text.len() != 2 * HASH_BYTES {
        return None;
    }
    (0..HASH_BYTES).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invitation() -> Invitation {
        let fingerprint = "AB:".repeat(31) + "cd";
        Invitation::new("10.0.0.1:7601", &fingerprint, "s3cret").unwrap()
    }

    #[test]
    fn an_invitation_survives_the_way() {
        let text = invitation().to_string();
        assert!(text.starts_with(PREFIX) && text.len() < 110, "{text}");
        assert_eq!(format!(" {text}\n").parse(), Ok(invitation()));
        assert_eq!(invitation().fingerprint, "ab".repeat(31) + "cd");
        assert!(!format!("{:?}", invitation()).contains("s3cret"));
    }

    #[test]
    fn a_slip_of_the_hand_is_told_as_such() {
        let text = invitation().to_string();
        for cut in PREFIX.len()..text.len() {
            let error = text[..cut].parse::<Invitation>().unwrap_err();
            assert_eq!(error.message, "the join token is cut or mistyped", "{cut}");
        }
        for at in PREFIX.len()..text.len() {
            let mut wrong = text.clone();
            let other = if &text[at..=at] == "A" { "B" } else { "A" };
            wrong.replace_range(at..=at, other);
            assert!(wrong.parse::<Invitation>().is_err(), "{at}");
        }
        for stranger in ["", "novacron_abc", "novacron-join", "https://n1:7600"] {
            let error = stranger.parse::<Invitation>().unwrap_err();
            assert!(error.message.contains("begins with"), "{stranger}");
        }
    }

    #[test]
    fn another_form_is_not_taken_for_damage() {
        let mut bytes = vec![2, 7, 7];
        let sum = checksum(&bytes);
        bytes.extend(sum);
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
        let error = text.parse::<Invitation>().unwrap_err();
        assert_eq!(error.code, Code::Unsupported);
    }
}
