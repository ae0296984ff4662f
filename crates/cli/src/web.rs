//! `novacron web`: a one-time link into the web console.

use serde_json::json;

use crate::client::Call;
use crate::failure::Result;
use crate::output;
use crate::session::{Session, now};
use crate::table::{duration, text};

/// In milliseconds; rounds to full minutes.
const HALF_A_MINUTE: u64 = 30_000;

pub async fn run(session: &Session) -> Result<()> {
    let link = session.client.call(Call::post("/v1/sign-in-links", &json!({}))).await?.value;
    if session.is_table() {
        let expires = text(&link, "/expires").parse::<novacron_model::Time>();
        let life = expires
            .map_or_else(|_| "5m".to_owned(), |time| duration(time.since(now()) + HALF_A_MINUTE));
        output::note(format!("good for one sign-in within {life}:"));
    }
    output::value(session.format, &link, || text(&link, "/url"))
}
