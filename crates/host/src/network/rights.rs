//! Whether this process may make taps and plug them into bridges.

use std::fs;

use crate::hypervisor::BRIDGES_NEED;

/// `CAP_NET_ADMIN` of `linux/capability.h`.
const NET_ADMIN: u32 = 12;

/// What it needs, if it may not.
pub fn lacking() -> Option<&'static str> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if !has_net_admin(&status) {
        return Some(BRIDGES_NEED);
    }
    super::tap::open().err().map(|_| "bridge networks need /dev/net/tun, which does not open")
}

fn has_net_admin(status: &str) -> bool {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    bits.is_some_and(|bits| bits & (1 << NET_ADMIN) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bit_decides() {
        assert!(has_net_admin("Name:\tx\nCapEff:\t000001ffffffffff\n"));
        assert!(has_net_admin("CapEff:\t0000000000001000\n"));
        assert!(!has_net_admin("CapPrm:\t000001ffffffffff\nCapEff:\t0000000000000fff\n"));
        assert!(!has_net_admin(""));
    }
}
