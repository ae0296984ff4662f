//! The restart policy: what follows from the end of a run. Pure.

use novacron_model::vm::{ExitCause, RestartPolicy};
use novacron_model::{Seconds, Time};

/// Longest pause between two tries.
pub const BACK_OFF_MAX: Seconds = Seconds(60);

/// A guest that ran this long before it crashed starts over with the shortest pause.
pub const STEADY: Seconds = Seconds(600);

/// What follows from the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// It stays down, and that is all right.
    Stopped,
    /// It stays down until a user asks again.
    Failed,
    /// Starts again at once; not counted as a restart.
    Start,
    /// Starts again after this pause.
    Retry(Seconds),
}

/// What to do after a run that was wanted to go on. `restarts`: earlier starts by this policy
/// that count.
pub fn after_exit(policy: RestartPolicy, cause: ExitCause, restarts: u32) -> Consequence {
    let retry = Consequence::Retry(back_off(restarts));
    match (cause, policy) {
        (ExitCause::Requested | ExitCause::HostBoot, _) => Consequence::Start,
        (ExitCause::Guest, RestartPolicy::Always) => retry,
        (ExitCause::Guest, _) => Consequence::Stopped,
        (ExitCause::Crash, RestartPolicy::Never) => Consequence::Failed,
        (ExitCause::Crash, _) => retry,
    }
}

/// Earlier restarts that still count for a run that has just ended.
pub fn counted(restarts: u32, started: Option<Time>, now: Time) -> u32 {
    let steady = started.is_some_and(|started| now.since(started) >= STEADY.0 * 1000);
    if steady { 0 } else { restarts }
}

/// 1, 2, 4 … seconds, at most [`BACK_OFF_MAX`].
pub fn back_off(restarts: u32) -> Seconds {
    let doubled = 1_u64.checked_shl(restarts).unwrap_or(u64::MAX);
    Seconds(doubled.min(BACK_OFF_MAX.0))
}

/// How long until a try that is due at `due`, in milliseconds. A wall clock that was set back
/// cannot make anyone wait longer than the longest pause.
pub fn wait(due: Time, now: Time) -> u64 {
    let left = due.since(now);
    if left > BACK_OFF_MAX.0 * 1000 { 0 } else { left }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute() {
        let pauses: Vec<u64> = (0..9).map(|n| back_off(n).0).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(back_off(u32::MAX), BACK_OFF_MAX);
    }

    #[test]
    fn each_policy_keeps_its_word() {
        use Consequence::{Failed, Retry, Start, Stopped};
        use ExitCause::{Crash, Guest, HostBoot, Requested};
        use RestartPolicy::{Always, Never, OnFailure};
        let table = [
            (OnFailure, Guest, Stopped),
            (OnFailure, Crash, Retry(Seconds(1))),
            (Always, Guest, Retry(Seconds(1))),
            (Always, Crash, Retry(Seconds(1))),
            (Never, Guest, Stopped),
            (Never, Crash, Failed),
            (Never, HostBoot, Start),
            (OnFailure, HostBoot, Start),
            (Never, Requested, Start),
        ];
        for (policy, cause, consequence) in table {
            assert_eq!(after_exit(policy, cause, 0), consequence, "{policy:?} {cause:?}");
        }
    }

    #[test]
    fn ten_steady_minutes_forgive_earlier_crashes() {
        let started = Some(Time(1_000));
        assert_eq!(counted(5, started, Time(1_000 + 599_999)), 5);
        assert_eq!(counted(5, started, Time(1_000 + 600_000)), 0);
        assert_eq!(counted(5, None, Time(i64::MAX)), 5);
    }

    #[test]
    fn a_clock_set_back_delays_nothing() {
        assert_eq!(wait(Time(10_000), Time(4_000)), 6_000);
        assert_eq!(wait(Time(10_000), Time(20_000)), 0);
        assert_eq!(wait(Time(100_000_000), Time(0)), 0);
    }
}
