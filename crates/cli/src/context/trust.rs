//! First trust: fetching a cluster's certificate authority and letting a person (or a script with
//! `--fingerprint`) compare it before anything secret is sent.

use std::io::IsTerminal;

use crate::client::{Call, Client, body};
use crate::context::address::Address;
use crate::context::file::Context;
use crate::failure::{DENIED, Failure, NOT_FOUND, Result};
use crate::output;
use crate::prompt;
use crate::transport::tls;

/// Larger than any chain of authorities.
const PEM_MAX: usize = 64 << 10;

/// The PEM to pin; none where TLS is not used or the system's authorities vouch for the server.
pub async fn authority(address: &Address, expected: Option<&str>) -> Result<Option<String>> {
    if !address.secure {
        return Ok(None);
    }
    let pem = match fetch(address).await {
        // A server with a certificate that was given to it has no authority of its own.
        Err(failure) if failure.exit == NOT_FOUND && expected.is_none() => return Ok(None),
        fetched => fetched?,
    };
    let certificates = tls::authorities(&pem)?;
    let found = tls::fingerprint(&certificates[0]);
    match expected {
        Some(expected) if tls::same_fingerprint(expected, &found) => {}
        Some(_) => {
            return Err(Failure::new(
                DENIED,
                format!("{} is not who it should be", address.authority()),
            )
            .hint(format!("its certificate authority has the SHA-256 fingerprint {found}")));
        }
        None => ask(address, &found)?,
    }
    // What else the file holds was not compared, so it is not trusted.
    Ok(Some(tls::pem(&certificates[0])))
}

fn ask(address: &Address, found: &str) -> Result<()> {
    output::note(format!(
        "{} shows a certificate authority with the SHA-256 fingerprint\n  {found}\n\
         The daemon printed its own when it started.",
        address.authority()
    ));
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("there is no terminal to ask on")
            .hint("add --fingerprint with what the daemon printed when it started"));
    }
    prompt::confirm("Are they the same?", false)
}

async fn fetch(address: &Address) -> Result<String> {
    let client = Client::new(address.endpoint(tls::unverified)?, None);
    let mut content = client.stream(Call::get("/ca.pem")).await?;
    let mut pem = Vec::new();
    while let Some(bytes) = body::next(&mut content).await? {
        pem.extend_from_slice(&bytes);
        if pem.len() > PEM_MAX {
            return Err(Failure::failed(
                "the server's certificate authority is too large to be one",
            ));
        }
    }
    String::from_utf8(pem)
        .map_err(|_| Failure::failed("the server's certificate authority is not PEM"))
}

/// Uses the context once. A token that is missing is remarked on, one that is wrong refused.
pub async fn check(context: &Context) -> Result<&'static str> {
    let client = Client::new(context.endpoint()?, context.token.clone());
    match client.get("/v1/system").await {
        Ok(_) => Ok(""),
        Err(failure) if failure.exit == DENIED && context.token.is_none() => {
            Ok(" without a token; add it again with one to use it")
        }
        Err(failure) => Err(failure),
    }
}
