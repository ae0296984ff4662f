//! Tickets: open one WebSocket from where no header can be set. They live in memory, for one use
//! within 30 seconds, and stand for the caller that asked for them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::Uri;
use novacron_model::{Error, Result, Seconds, Time};

use super::Caller;
use crate::edge;

pub const LIFETIME: Seconds = Seconds(30);
/// How many may wait to be used.
const WAITING_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub struct Tickets(Mutex<BTreeMap<String, Waiting>>);

#[derive(Debug)]
struct Waiting {
    caller: Caller,
    /// The only path that it opens.
    path: String,
    expires: Time,
}

impl Tickets {
    /// A ticket for one path. Gives the ticket and when it expires.
    pub fn issue(&self, caller: &Caller, path: &str, now: Time) -> Result<(String, Time)> {
        let (ticket, expires) = (edge::random_secret()?, now.plus(LIFETIME));
        let mut waiting = self.lock();
        waiting.retain(|_, each| each.expires > now);
        if waiting.len() >= WAITING_MAX {
            return Err(Error::unavailable("too many tickets wait to be used"));
        }
        let caller = caller.clone();
        let entry = Waiting { caller, path: path.to_owned(), expires };
        waiting.insert(edge::sha256_hex(&ticket), entry);
        Ok((ticket, expires))
    }

    /// Uses up the ticket of a request, if it has one that opens its path.
    pub fn redeem(&self, uri: &Uri, now: Time) -> Option<Caller> {
        let pairs = form_urlencoded::parse(uri.query()?.as_bytes());
        let ticket = pairs.into_iter().find(|(name, _)| name == "ticket")?.1;
        let waiting = self.lock().remove(&edge::sha256_hex(ticket.as_bytes()))?;
        (waiting.path == uri.path() && waiting.expires > now).then_some(waiting.caller)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_opens_its_path_once_within_its_time() {
        let (tickets, caller, now) = (Tickets::default(), Caller::peer(0), Time(1_000_000));
        let open = |ticket: &str, path: &str, at: Time| {
            tickets.redeem(&format!("{path}?ticket={ticket}").parse().unwrap(), at).is_some()
        };
        let issue = || tickets.issue(&caller, "/a", now).unwrap().0;
        let ticket = issue();
        assert!(open(&ticket, "/a", now));
        assert!(!open(&ticket, "/a", now));
        assert!(!open(&issue(), "/b", now));
        assert!(!open(&issue(), "/a", now.plus(LIFETIME)));
        assert!(!open("x", "/a", now));
    }
}
