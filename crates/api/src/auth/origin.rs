//! Host and Origin: no foreign name leads a browser here (DNS rebinding), and no foreign page
//! changes anything or opens a WebSocket with a user's session.

use std::net::{IpAddr, SocketAddr};

use axum::extract::Request;
use axum::http::{Method, header};
use novacron_model::{Code, Error};

use crate::problem::{Answer, Refusal};
use crate::state::Api;

/// Checks both headers of a request that came over TCP.
pub fn check(api: &Api, local: SocketAddr, request: &Request) -> Answer<()> {
    let headers = request.headers();
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().and_then(|value| value.to_str().ok());
    let Some(host) = host.filter(|_| hosts.next().is_none()) else {
        let error = Error::new(Code::Invalid, "the request needs one Host header");
        return Err(Refusal::malformed(error.at("Host")));
    };
    let meant = request.uri().authority().map_or(host, |authority| authority.as_str());
    if !is_ours(api, local.ip(), host) || !is_ours(api, local.ip(), meant) {
        return Err(denied("this server does not answer to that host name", "Host"));
    }
    let safe = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    let upgrade = headers.contains_key(header::UPGRADE);
    if safe && !upgrade {
        return Ok(());
    }
    for origin in headers.get_all(header::ORIGIN) {
        let authority = origin.to_str().ok().and_then(|text| {
            text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))
        });
        if !authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host)) {
            return Err(denied("pages of another origin may not do this", "Origin"));
        }
    }
    Ok(())
}

fn denied(message: &str, field: &str) -> Refusal {
    Error::new(Code::Denied, message)
        .at(field)
        .hint("names are allowed with `hosts` in the server's configuration")
        .into()
}

/// Whether a `Host` names this server: the address that was connected to, loopback from loopback,
/// or a known name. Ports are free: tunnels change them.
fn is_ours(api: &Api, local: IpAddr, authority: &str) -> bool {
    let name = without_port(authority);
    if let Ok(address) = name.trim_matches(['[', ']']).parse::<IpAddr>() {
        let same = address.to_canonical() == local.to_canonical();
        return same || (address.is_loopback() && local.to_canonical().is_loopback());
    }
    let name = name.trim_end_matches('.');
    name.eq_ignore_ascii_case("localhost")
        || api.names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => {
            if name.contains(':') && !name.starts_with('[') {
                authority
            } else {
                name
            }
        }
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_cut_off_names_and_addresses() {
        for (authority, name) in [
            ("localhost:7600", "localhost"),
            ("localhost", "localhost"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]:7600", "[::1]"),
            ("[::1]", "[::1]"),
            ("::1", "::1"),
        ] {
            assert_eq!(without_port(authority), name, "{authority}");
        }
    }
}
