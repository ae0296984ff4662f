//! A node joins: one transaction makes it a member and uses its token up.

use novacron_model::join_token::JoinUse;
use novacron_model::member::{MemberRole, MemberSpec, MemberStatus, check_address};
use novacron_model::request::DraftMeta;
use novacron_model::{Code, Error, JoinToken, Member, Name, Node, Object, Result, key};
use novacron_store::{Key, Precondition, Snapshot, Txn, object};

use super::roll;
use crate::admission::{Request, named, unchanged};
use crate::index::{self, row};
use crate::join_token::{self, USED};

/// What a node that wants to join says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joining {
    pub name: Name,
    /// Where the others will reach it, `HOST:PORT`.
    pub address: String,
    /// Hex SHA-256 of its public key.
    pub key: String,
}

/// What it is told.
#[derive(Debug, Clone)]
pub struct Joined {
    /// Empty when it has joined before and asks again.
    pub txn: Txn,
    /// Its id in Raft.
    pub number: u64,
    pub role: MemberRole,
}

/// Lets a node in by a token whose secret has this hex SHA-256. Who asks again, with the same key
/// and name, gets the same answer: the first may have been lost on the way.
pub fn join(request: &mut Request<'_>, token_hash: &str, joining: &Joining) -> Result<Joined> {
    let token = join_token::find(request.at, request.now, token_hash).ok_or_else(|| {
        refused("the join token is not known: it has expired, was deleted or is of another cluster")
    })?;
    if let Some(earlier) = &token.status.used {
        return again(request.at, earlier, joining);
    }
    check(request.at, joining)?;
    let mut txn = Txn::new();
    free_name(&mut txn, &joining.name);
    let number = roll::next(request.at)?;
    roll::enter(&mut txn, request.at, number)?;
    let role = token.spec.role;
    enlist(
        request,
        &mut txn,
        joining,
        MemberSpec { number, address: joining.address.clone(), role },
    )?;
    use_up(request, &mut txn, &token, joining)?;
    Ok(Joined { txn, number, role })
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(Code::Unauthenticated, message)
        .hint("`novacron cluster token create` on a member makes a new one")
}

fn again(at: &Snapshot, earlier: &JoinUse, joining: &Joining) -> Result<Joined> {
    if earlier.key != joining.key || earlier.member != joining.name {
        return Err(refused(format!("the join token is used up: \"{}\" joined", earlier.member)));
    }
    let member = object::get::<Member>(at, None, joining.name.as_str())?;
    let member = member.ok_or_else(|| {
        refused(format!("member \"{}\" joined with this token and was removed", joining.name))
    })?;
    Ok(Joined { txn: Txn::new(), number: member.spec.number, role: member.spec.role })
}

fn check(at: &Snapshot, joining: &Joining) -> Result<()> {
    check_address("address", &joining.address)?;
    let key = joining.key.as_str();
    if key.len() != 64 || !key.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Error::invalid("key", "the public key's SHA-256 is 64 hex digits"));
    }
    let name = joining.name.as_str();
    let taken = |message: String| {
        Err(Error::conflict(message).at("name").hint("pass --name to give this one another name"))
    };
    if object::get::<Member>(at, None, name)?.is_some()
        || object::get::<Node>(at, None, name)?.is_some()
    {
        return taken(format!("a node named \"{name}\" is already a member"));
    }
    // A new machine of that name would be taken for the one that held them.
    let left = at.indexed(index::NODE, name, "");
    if !left.is_empty() {
        return taken(format!("a former node named \"{name}\" held {}", named(&left)));
    }
    let members = object::list::<Member>(at, None);
    if let Some(other) = members.iter().find(|other| other.spec.address == joining.address) {
        let message =
            format!("\"{}\" is the address of member \"{}\"", joining.address, other.name());
        return Err(Error::conflict(message).at("address"));
    }
    Ok(())
}

/// Nothing may come to be called like it, or to lie on it, meanwhile.
fn free_name(txn: &mut Txn, name: &Name) {
    let node = key::object::<Node>(None, name.as_str());
    txn.preconditions.push(Precondition::Absent(Key::from(node)));
    let (index, value) = row(index::NODE, name);
    txn.preconditions.push(Precondition::NoIndex(index, value));
}

fn enlist(
    request: &mut Request<'_>,
    txn: &mut Txn,
    joining: &Joining,
    spec: MemberSpec,
) -> Result<()> {
    let name = joining.name.to_string();
    let meta = request.new_meta::<Member>(txn, DraftMeta { name, ..DraftMeta::default() })?;
    let member = Object::<Member> { meta, spec, status: MemberStatus::default() };
    object::create(txn, None, &member, Vec::new())?;
    let text = format!("node \"{}\" joined the cluster from {}", joining.name, joining.address);
    request.note(txn, "member.joined", &member.reference(), text)
}

fn use_up(
    request: &Request<'_>,
    txn: &mut Txn,
    token: &Object<JoinToken>,
    joining: &Joining,
) -> Result<()> {
    let family = key::object::<JoinToken>(None, token.name());
    unchanged(txn, None, token);
    txn.preconditions.push(Precondition::Absent(Key::from(key::section(&family, USED))));
    let (member, key) = (joining.name.clone(), joining.key.clone());
    let used = JoinUse { member, key, at: request.now };
    object::put_section(txn, request.at, &family, USED, &used, Vec::new())
}
