//! Whose a connection on loopback is. A screen has no password, and every user of a machine can
//! reach its loopback.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

/// Whether the peer's end of a TCP connection belongs to us (or to root). Unknown means no.
pub fn is_ours(peer: SocketAddr, own: SocketAddr) -> bool {
    let table = if peer.is_ipv4() { "/proc/net/tcp" } else { "/proc/net/tcp6" };
    let text = std::fs::read_to_string(table).unwrap_or_default();
    let us = rustix::process::geteuid().as_raw();
    owner(&text, peer, own).is_some_and(|uid| uid == us || uid == 0)
}

/// The uid in the row (`proc_pid_net(5)`) whose local end is `peer` and whose remote end is `own`.
fn owner(table: &str, peer: SocketAddr, own: SocketAddr) -> Option<u32> {
    let (local, remote) = (end(peer), end(own));
    table.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let ends = (fields.next()?, fields.next()?);
        (ends == (local.as_str(), remote.as_str())).then(|| fields.nth(4)?.parse().ok()).flatten()
    })
}

/// Words of the address in host order, as the kernel prints them.
fn end(address: SocketAddr) -> String {
    let bytes = match address.ip() {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let mut text = String::new();
    for word in bytes.chunks_exact(4) {
        let word = [word[0], word[1], word[2], word[3]];
        let _ = write!(text, "{:08X}", u32::from_ne_bytes(word));
    }
    let _ = write!(text, ":{:04X}", address.port());
    text
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_kernel_tells_whose_a_connection_is() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_server, peer) = listener.accept().unwrap();
        let own = listener.local_addr().unwrap();
        assert!(is_ours(peer, own));
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        assert_eq!(owner(&table, peer, own), Some(rustix::process::geteuid().as_raw()));
        assert_eq!(owner(&table, peer, peer), None);
    }
}
