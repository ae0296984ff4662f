//! Which run of the machine this is: what only its memory has is gone in the next one.

use std::fs;

/// Changes with every start of the machine; empty where that is not known.
pub fn id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

/// Whether something was written in this run.
pub fn is_now(boot: &str) -> bool {
    !boot.is_empty() && boot == id()
}
