//! What a node that joins and the member that lets it in say to each other.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use novacron_model::Name;
use novacron_model::member::MemberRole;
use serde::{Deserialize, Serialize};

/// Where a node asks to join.
pub const JOIN: &str = "/member/join";

/// What a node says of itself.
#[derive(Serialize, Deserialize)]
pub struct JoinRequest {
    /// Of the join token.
    pub secret: String,
    pub name: Name,
    /// Where the others will reach it.
    pub address: String,
    /// Its public key, base64.
    pub key: String,
    /// NovaCron's version there.
    pub version: String,
}

/// What it is told. It travels, and lies on its disk, for members' eyes only.
#[derive(Serialize, Deserialize)]
pub struct Admission {
    pub name: Name,
    pub number: u64,
    pub role: MemberRole,
    /// The CA's certificate and its key, PEM.
    pub ca: String,
    pub ca_key: String,
    /// The key that opens the cluster's secrets, base64.
    pub data_key: String,
}

pub fn to_text(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub fn to_bytes(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
