//! The qcow2 format, as QEMU's `docs/interop/qcow2.txt` defines it: reading a header without
//! trusting it ([`Header`]), writing new, empty disks ([`create`]), which is twenty times as fast as
//! starting `qemu-img`, and what a snapshot holds ([`held`]).
//!
//! Data clusters are never touched here; that is QEMU's and qemu-img's work.

mod create;
mod header;
mod held;

pub use create::{SIZE_MAX, create};
pub use header::{Extension, Header, MAGIC};
pub use held::held;

/// Type of a header extension.
mod extension {
    pub const END: u32 = 0;
    pub const BACKING_FORMAT: u32 = 0xE279_2ACA;
    pub const BITMAPS: u32 = 0x2385_2875;
    pub const ENCRYPTION: u32 = 0x0537_BE77;
    pub const DATA_FILE: u32 = 0x4441_5441;
}
