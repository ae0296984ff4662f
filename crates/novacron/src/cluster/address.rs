//! Where others reach this node.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use anyhow::Result;

/// The address to tell others: as it was given, with the port that is listened on where it names
/// none; else the address that was bound; else that of the default route.
pub fn advertised(given: Option<&str>, bound: SocketAddr) -> Result<String> {
    let Some(given) = given else {
        let ip = if bound.ip().is_unspecified() { default_route() } else { bound.ip() };
        return Ok(SocketAddr::new(ip, bound.port()).to_string());
    };
    if let Ok(ip) = given.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, bound.port()).to_string());
    }
    let address =
        if given.contains(':') { given.to_owned() } else { format!("{given}:{}", bound.port()) };
    novacron_model::member::check_address("advertise", &address)?;
    Ok(address)
}

/// The address of this machine on its way out. Nothing is sent: a datagram socket that is connected
/// only looks the route up.
fn default_route() -> IpAddr {
    let looked_up = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    });
    looked_up.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip())
}

/// Whether only this machine itself can use an address.
pub fn is_loopback(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_goes_before_what_was_bound() {
        let bound: SocketAddr = "10.0.0.7:7601".parse().unwrap();
        let told = |given| advertised(given, bound).unwrap();
        assert_eq!(told(None), "10.0.0.7:7601");
        assert_eq!(told(Some("10.9.9.9")), "10.9.9.9:7601");
        assert_eq!(told(Some("fd00::1")), "[fd00::1]:7601");
        assert_eq!(told(Some("node-a.example:9000")), "node-a.example:9000");
        assert_eq!(told(Some("node-a.example")), "node-a.example:7601");
        assert!(advertised(Some("no host:1"), bound).is_err());
    }

    #[test]
    fn loopback_is_known_in_every_form() {
        for address in ["127.0.0.1:7601", "localhost:7601", "[::1]:7601", "127.8.8.8:1"] {
            assert!(is_loopback(address), "{address}");
        }
        for address in ["10.0.0.1:7601", "node.example:7601", "[fd00::1]:7601"] {
            assert!(!is_loopback(address), "{address}");
        }
    }
}
