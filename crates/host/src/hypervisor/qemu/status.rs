//! QEMU's run states (`query-status`), read as phases. Pure.

use serde_json::Value;

use super::super::Phase;

/// The phase that a run state means, and a sentence where there is something to say. States that
/// are not listed halt the guest for a moment (saving, loading): it is not crashed.
pub(super) fn phase(run_state: &str) -> (Phase, Option<&'static str>) {
    match run_state {
        "running" => (Phase::Running, None),
        "suspended" => (Phase::Running, Some("the guest sleeps")),
        "io-error" => (Phase::PausedOnIoError, None),
        "shutdown" => (Phase::ShutDown, Some("the guest powered itself off")),
        "guest-panicked" => (Phase::Crashed, Some("the guest's kernel panicked")),
        "internal-error" => (Phase::Crashed, Some("QEMU cannot go on")),
        "watchdog" => (Phase::Crashed, Some("the guest's watchdog ran out")),
        _ => (Phase::Paused, None),
    }
}

/// Why a guest was halted on an IO error, from `query-block`: each device's `io-status` says.
pub(super) fn io_error(blocks: &Value) -> String {
    let devices = blocks.as_array().map_or(&[][..], Vec::as_slice);
    let full = devices.iter().any(|device| device["io-status"] == "nospace");
    if full {
        "paused: the disk under a volume is full; make room, then resume".to_owned()
    } else {
        "paused: a volume could not be written; see to its disk, then resume".to_owned()
    }
}

/// Events after which a guest is worth a look.
pub(super) fn is_telling(event: &str) -> bool {
    matches!(
        event,
        "SHUTDOWN"
            | "POWERDOWN"
            | "RESET"
            | "STOP"
            | "RESUME"
            | "SUSPEND"
            | "WAKEUP"
            | "BLOCK_IO_ERROR"
            | "BLOCK_IMAGE_CORRUPTED"
            | "GUEST_PANICKED"
            | "GUEST_CRASHLOADED"
            | "WATCHDOG"
            | "MEMORY_FAILURE"
            | "DEVICE_DELETED"
            | "DEVICE_TRAY_MOVED"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_shutdown_an_io_error_and_a_pause_differ() {
        let phases = ["shutdown", "io-error", "paused", "prelaunch"].map(|state| phase(state).0);
        let wanted = [Phase::ShutDown, Phase::PausedOnIoError, Phase::Paused, Phase::Paused];
        assert_eq!(phases, wanted);
    }

    #[test]
    fn a_full_disk_is_told_from_a_broken_one() {
        let full = json!([{"io-status": "ok"}, {"io-status": "nospace"}]);
        assert!(io_error(&full).contains("full"));
        assert!(!io_error(&json!([{"io-status": "failed"}])).contains("full"));
        assert!(!io_error(&json!(null)).contains("full"));
    }
}
