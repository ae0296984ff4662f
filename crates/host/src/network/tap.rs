//! Makes a tap: a link of the host whose other end is a descriptor.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

const DEVICE: &str = "/dev/net/tun";

/// A tap that is plugged in. The link is gone once its descriptor has been closed everywhere.
#[derive(Debug)]
pub struct Tap {
    pub fd: OwnedFd,
    /// Bytes, as the bridge has it.
    pub mtu: u32,
}

/// Opens the device from which taps are made.
pub(super) fn open() -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::open(DEVICE, flags, Mode::empty())?)
}

/// A new tap of this name, which is down. Fails if there is a link of the name.
pub(super) fn make(name: &str) -> io::Result<OwnedFd> {
    let fd = open()?;
    let mut request = libc::ifreq {
        ifr_name: [0; libc::IFNAMSIZ],
        // No header of the tun driver before a frame, but the one of virtio: QEMU needs it to leave
        // checksums and segments to the host.
        ifr_ifru: libc::__c_anonymous_ifr_ifru {
            ifru_flags: flags(
                libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR | libc::IFF_TUN_EXCL,
            ),
        },
    };
    if name.len() >= libc::IFNAMSIZ {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (slot, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *slot = byte.cast_signed();
    }
    // SAFETY: TUNSETIFF reads and writes one `ifreq`, which is whole, ends its name with a zero and
    // outlives the call; the descriptor is open.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    if done == 0 { Ok(fd) } else { Err(io::Error::last_os_error()) }
}

/// The kernel's field has 16 bits, of which the topmost is one of the flags.
fn flags(all: libc::c_int) -> libc::c_short {
    let [low, high, ..] = all.to_le_bytes();
    libc::c_short::from_le_bytes([low, high])
}
