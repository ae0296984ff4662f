//! Values that go in and never come out.
//!
//! A [`Secret`] is plain text on its way in, sealed in the store, and `{"set": true}` on its way
//! out. Sealing is XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) under the cluster's data key.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Error, Result};

pub const NONCE_BYTES: usize = 24;

/// A secret in one of its three forms.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Secret {
    /// As a user writes it. Never stored, never shown.
    Plain(String),
    /// As the store holds it: base64 of nonce and ciphertext.
    Sealed { sealed: String },
    /// As readers see it.
    Set { set: bool },
}

impl Secret {
    /// The outward form.
    pub fn masked(&self) -> Self {
        Self::Set { set: true }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The cluster's data key.
#[derive(Clone)]
pub struct DataKey([u8; 32]);

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

impl DataKey {
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The key itself, for another voter.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals a plain secret; other forms pass unchanged. `nonce` must be random and never reused.
    pub fn seal(&self, secret: &Secret, nonce: [u8; NONCE_BYTES]) -> Result<Secret> {
        let Secret::Plain(plain) = secret else { return Ok(secret.clone()) };
        let cipher = XChaCha20Poly1305::new(&self.0.into());
        let sealed = cipher
            .encrypt(&XNonce::from(nonce), plain.as_bytes())
            .map_err(|_| Error::internal("a secret could not be sealed"))?;
        let whole = [nonce.as_slice(), &sealed].concat();
        Ok(Secret::Sealed { sealed: STANDARD.encode(whole) })
    }

    /// The plain text of a sealed (or still plain) secret.
    pub fn open(&self, secret: &Secret) -> Result<String> {
        let broken = || Error::internal("a sealed secret cannot be opened with this data key");
        let sealed = match secret {
            Secret::Plain(plain) => return Ok(plain.clone()),
            Secret::Sealed { sealed } => STANDARD.decode(sealed).map_err(|_| broken())?,
            Secret::Set { .. } => return Err(broken()),
        };
        let (nonce, text) = sealed.split_at_checked(NONCE_BYTES).ok_or_else(broken)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| broken())?;
        let plain = XChaCha20Poly1305::new(&self.0.into())
            .decrypt(&XNonce::from(nonce), text)
            .map_err(|_| broken())?;
        String::from_utf8(plain).map_err(|_| broken())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_with_its_key() {
        let secret = Secret::Plain("hunter2".into());
        let sealed = DataKey::new([7; 32]).seal(&secret, [1; NONCE_BYTES]).unwrap();
        assert!(!serde_json::to_string(&sealed).unwrap().contains("hunter2"));
        assert_eq!(DataKey::new([7; 32]).open(&sealed).unwrap(), "hunter2");
        assert!(DataKey::new([8; 32]).open(&sealed).is_err());
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}
