//! What members say to each other, and its form on the wire.
//!
//! ```text
//!  message := length of the head (u32, little endian) | head (JSON) | body
//! ```
//!
//! Only a part of a snapshot has a body.

use std::io;

use novacron_store::{CommitError, Revision};
use openraft::error::RaftError;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::members::Member;
use crate::types::{Proposal, TypeConfig, Vote};

#[derive(Serialize, Deserialize)]
pub enum Request {
    Append(AppendEntriesRequest<TypeConfig>),
    Vote(VoteRequest<u64>),
    /// A part of a snapshot file; the body is its bytes.
    Snapshot(SnapshotPart),
    /// A transaction, for the leader to commit.
    Commit(Proposal),
    /// The members, as the leader sees them.
    Members,
    /// How far a member must have applied the log to have all that is committed now.
    ReadIndex,
}

/// [`Request::Commit`] by reference.
#[derive(Serialize)]
pub enum Sent<'a> {
    Commit(&'a Proposal),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SnapshotPart {
    pub vote: Vote,
    /// The same for all parts of one transfer.
    pub transfer: String,
    /// Where in the file the body begins; zero begins a transfer.
    pub offset: u64,
    /// The body is the end of the file.
    pub last: bool,
}

/// What came of a part of a snapshot.
#[derive(Debug, Serialize, Deserialize)]
pub enum PartAnswer {
    /// The next part, please.
    Go,
    Installed(SnapshotResponse<u64>),
    /// This part does not follow what has come: begin again.
    Again,
    Failed(String),
}

/// What came of a transaction that was sent to the leader.
#[derive(Debug, Serialize, Deserialize)]
pub enum CommitAnswer {
    Done {
        outcome: Result<Revision, CommitError>,
        /// How far the leader was when it answered.
        revision: Revision,
    },
    /// Nothing was done: this member does not lead.
    NotLeader,
}

pub type AppendAnswer = Result<AppendEntriesResponse<u64>, RaftError<u64>>;
pub type VoteAnswer = Result<VoteResponse<u64>, RaftError<u64>>;
/// `None`: this member does not lead. `Some(None)`: nothing is committed.
pub type ReadIndexAnswer = Option<Option<u64>>;
/// `None`: this member does not lead.
pub type MembersAnswer = Option<Vec<Member>>;

pub fn encode(head: &impl Serialize, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut message = vec![0; 4];
    serde_json::to_writer(&mut message, head)?;
    let length = u32::try_from(message.len() - 4).map_err(io::Error::other)?;
    message[..4].copy_from_slice(&length.to_le_bytes());
    message.extend_from_slice(body);
    Ok(message)
}

pub fn decode<T: DeserializeOwned>(message: &[u8]) -> io::Result<(T, &[u8])> {
    let cut = || io::Error::new(io::ErrorKind::InvalidData, "a message between members is cut");
    let (length, rest) = message.split_first_chunk::<4>().ok_or_else(cut)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(io::Error::other)?;
    let (head, body) = rest.split_at_checked(length).ok_or_else(cut)?;
    Ok((serde_json::from_slice(head)?, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_cut_anywhere_is_refused() {
        let part =
            SnapshotPart { vote: Vote::new(1, 2), transfer: "t".to_owned(), offset: 0, last: true };
        let whole = encode(&Request::Snapshot(part), b"").unwrap();
        for length in 0..whole.len() {
            assert!(decode::<Request>(&whole[..length]).is_err(), "{length}");
        }
        let with_body = [whole.as_slice(), b"body"].concat();
        let (request, body) = decode::<Request>(&with_body).unwrap();
        assert!(matches!(request, Request::Snapshot(part) if part.last));
        assert_eq!(body, b"body");
    }

    #[test]
    fn a_transaction_is_understood_as_it_is_sent() {
        let proposal = Proposal::new(novacron_store::Txn::new()).unwrap();
        let message = encode(&Sent::Commit(&proposal), &[]).unwrap();
        assert!(matches!(decode::<Request>(&message), Ok((Request::Commit(_), _))));
    }
}
