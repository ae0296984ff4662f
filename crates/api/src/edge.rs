//! Where time, ids and randomness enter: nothing below the API makes its own.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use novacron_model::{DataKey, Error, Result, Secret, Time, secret};
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

pub fn fresh_uid() -> Uuid {
    Uuid::now_v7()
}

/// A secret of 256 random bits as URL-safe text.
pub fn random_secret() -> Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(random_bytes::<32>()?))
}

/// Seals a secret under the cluster's data key with a random nonce.
pub fn seal(key: &DataKey, secret: &Secret) -> Result<Secret> {
    key.seal(secret, random_bytes::<{ secret::NONCE_BYTES }>()?)
}

/// Lower-case hex SHA-256.
pub fn sha256_hex(data: impl AsRef<[u8]>) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let nibbles = |byte: &u8| [byte >> 4, byte & 15];
    let digits = Sha256::digest(data);
    digits.iter().flat_map(nibbles).map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect()
}

fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| Error::internal("the machine gives no random bytes"))?;
    Ok(bytes)
}
