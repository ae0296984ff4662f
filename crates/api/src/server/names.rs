//! Under which names and addresses this machine is reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::ApiConfig;

/// Names that a `Host` header may carry beside addresses and `localhost`.
pub fn of_this_machine(config: &ApiConfig) -> Vec<String> {
    let mut names = config.hosts.clone();
    if config.listen.iter().any(|address| !address.ip().is_loopback()) {
        names.extend(host_name());
    }
    names
}

/// Where browsers find the console: the first address, with a name in place of "any".
pub fn base_url(config: &ApiConfig, addresses: &[SocketAddr]) -> String {
    let Some(address) = addresses.first() else { return String::new() };
    let scheme = if address.ip().is_loopback() { "http" } else { "https" };
    if !address.ip().is_unspecified() {
        return format!("{scheme}://{address}");
    }
    let name = config.hosts.first().cloned().or_else(host_name);
    let name = name.unwrap_or_else(|| "localhost".to_owned());
    format!("{scheme}://{name}:{}", address.port())
}

/// Every name and address that a certificate for these listeners should carry.
pub fn for_certificate(config: &ApiConfig, addresses: &[SocketAddr]) -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    names.extend(of_this_machine(config));
    for address in addresses.iter().map(SocketAddr::ip) {
        if address.is_unspecified() {
            names.extend(local_addresses().iter().map(ToString::to_string));
        } else {
            names.push(address.to_string());
        }
    }
    names.sort();
    names.dedup();
    names
}

fn host_name() -> Option<String> {
    let uname = rustix::system::uname();
    let name = uname.nodename().to_str().ok()?.to_ascii_lowercase();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    (!name.is_empty() && name.bytes().all(plain)).then_some(name)
}

/// The addresses of this machine's interfaces, from procfs.
fn local_addresses() -> Vec<IpAddr> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let mut found = vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    found.extend(ipv4_of(&read("/proc/net/fib_trie")).into_iter().map(IpAddr::V4));
    found.extend(ipv6_of(&read("/proc/net/if_inet6")).into_iter().map(IpAddr::V6));
    found
}

/// Leaves of the routing trie that are marked as this host's own.
fn ipv4_of(trie: &str) -> Vec<Ipv4Addr> {
    let mut last: Option<Ipv4Addr> = None;
    let mut found = Vec::new();
    for line in trie.lines().map(str::trim) {
        if let Some(leaf) = line.strip_prefix("|-- ") {
            last = leaf.parse().ok();
        } else if line.starts_with("/32 host LOCAL") {
            found.extend(last);
        }
    }
    found.sort();
    found.dedup();
    found
}

/// 32 hex digits at the start of each line.
fn ipv6_of(table: &str) -> Vec<Ipv6Addr> {
    let digits = table.lines().filter_map(|line| line.split_whitespace().next());
    digits.filter_map(|text| u128::from_str_radix(text, 16).ok()).map(Ipv6Addr::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses_are_read_from_the_routing_trie() {
        let trie = "Local:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.1.2.3\n        /32 host LOCAL\n     \
                    |-- 10.1.2.255\n        /32 link BROADCAST\n";
        assert_eq!(ipv4_of(trie), [Ipv4Addr::new(10, 1, 2, 3)]);
        let table = "fe800000000000000000000000000001 02 40 20 80 eth0\n";
        assert_eq!(ipv6_of(table), ["fe80::1".parse::<Ipv6Addr>().unwrap()]);
    }
}
