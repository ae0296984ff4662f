//! NICs on bridges of the host: a tap for each, which QEMU holds and the kernel takes away with the
//! last descriptor. So no tap outlives its guest, whoever dies first, and none has to be swept.
//!
//! * `tap`: makes a tap and names it.
//! * `links`: what the kernel knows of bridges and taps, by netlink; plugs taps into bridges.
//! * `rights`: whether this process may.
//!
//! Changes no link but its own taps. Bridges are made and addressed by whoever owns the host.

mod links;
pub mod rights;
mod tap;

pub use links::Links;
pub use tap::Tap;

/// What a tap is to become.
#[derive(Debug, Clone, Copy)]
pub struct Port<'a> {
    pub uid: uuid::Uuid,
    /// Of the NIC in its machine.
    pub index: usize,
    /// The NIC's own.
    pub mac: [u8; 6],
    pub bridge: &'a str,
}

impl Port<'_> {
    /// Name of the tap, at most 15 bytes: `nc`, the random tail of the VM's uid, the NIC's index.
    pub fn link_name(&self) -> String {
        let tail = self.uid.as_u128() & 0xffff_ffff_ffff;
        format!("nc{tail:012x}{:x}", self.index & 0xf)
    }

    /// The alias that says whose tap it is.
    fn alias(&self) -> String {
        format!("novacron:{}:{}", self.uid, self.index)
    }

    /// The host's end. High, so that a bridge without an address of its own does not take this one:
    /// it takes its ports' lowest.
    fn host_mac(&self) -> [u8; 6] {
        let mut mac = self.mac;
        mac[0] = 0xfe;
        mac
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_taps_name_fits_and_tells_vms_and_nics_apart() {
        let port = |uid, index| Port { uid, index, mac: [0x52, 1, 2, 3, 4, 5], bridge: "br0" };
        let uid = Uuid::from_u128(0x0195_0000_0000_7000_8000_0234_5678_9aff);
        assert_eq!(port(uid, 7).link_name(), "nc023456789aff7");
        assert_eq!(port(Uuid::nil(), 0).link_name().len(), 15);
        assert_ne!(port(uid, 0).link_name(), port(uid, 1).link_name());
        assert_eq!(port(uid, 0).host_mac(), [0xfe, 1, 2, 3, 4, 5]);
    }
}
