//! `novacron version`: of this program, and of the daemon where one answers.

use serde_json::{Value, json};

use crate::failure::Result;
use crate::globals::Globals;
use crate::output;
use crate::session::Session;
use crate::table::text;

pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Never fails because nobody answers.
pub async fn run(globals: &Globals) -> Result<()> {
    let server = match Session::open(globals) {
        Ok(session) => session.client.get("/v1/system").await.ok(),
        Err(_) => None,
    };
    let shown = json!({"client": VERSION, "server": server});
    output::value(globals.output, &shown, || match &server {
        Some(system) => format!("novacron {VERSION}\n{}", described(system)),
        None => format!("novacron {VERSION}"),
    })
}

fn described(system: &Value) -> String {
    let simulated = if system["simulated"] == true { ", simulated" } else { "" };
    format!("server {} on node {}{simulated}", text(system, "/version"), text(system, "/node"))
}
