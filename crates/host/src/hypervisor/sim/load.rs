//! What simulated guests and hosts use: plausible curves, the same for the same guest and time of
//! running. Counters are integrals, so they never fall.

use std::f64::consts::TAU;
use std::time::Duration;

use novacron_model::figures::{DiskTotals, NetworkTotals, Totals};
use novacron_model::units::Bytes;
use tokio::time::Instant;
use uuid::Uuid;

/// Bytes of one simulated disk operation.
const OPERATION: u64 = 16 << 10;

/// How long a guest's CPUs have run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Awake {
    before: Duration,
    since: Option<Instant>,
}

impl Awake {
    /// From now on they run, or they do not.
    pub fn set(&mut self, runs: bool) {
        *self = Self { before: self.time(), since: runs.then(Instant::now) };
    }

    pub fn time(&self) -> Duration {
        self.before + self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

/// What a guest has used after its CPUs have run for `time`.
pub fn of_guest(uid: Uuid, cpus: u32, memory: Bytes, time: Duration) -> Totals {
    let [height, phase, disk, network] = shares(uid);
    let seconds = time.as_secs_f64();
    // CPU seconds for each CPU: a floor, a slow wave and a fast one.
    let slow = wave(seconds, 300.0 + 900.0 * phase, phase);
    let fast = wave(seconds, 40.0, height);
    let busy = 0.02 * seconds + (0.1 + 0.5 * height) * slow + 0.15 * fast;
    let disk = DiskTotals {
        read: whole((64.0 + 2000.0 * disk) * 1024.0 * fast),
        written: whole((16.0 + 900.0 * disk) * 1024.0 * slow),
        ..DiskTotals::default()
    };
    let filled = 1.0 - (-seconds / 120.0).exp();
    let used = 0.25 + 0.6 * height * filled;
    Totals {
        cpu: Some(Duration::from_secs_f64(busy * f64::from(cpus))),
        memory: Some(Bytes(whole(float(memory.0) * used))),
        disk: Some(DiskTotals {
            reads: disk.read / OPERATION,
            writes: disk.written / OPERATION,
            ..disk
        }),
        network: Some(NetworkTotals {
            received: whole((8.0 + 500.0 * network) * 1024.0 * slow),
            sent: whole((4.0 + 1500.0 * network) * 1024.0 * fast),
        }),
    }
}

/// What a host without guests uses.
pub fn of_host(time: Duration) -> Totals {
    let seconds = time.as_secs_f64();
    let calls = whole(1.2 * seconds);
    Totals {
        cpu: Some(time / 50),
        memory: Some(Bytes::gib(1)),
        disk: Some(DiskTotals { read: 0, written: calls * OPERATION, reads: 0, writes: calls }),
        network: Some(NetworkTotals { received: calls * 400, sent: calls * 250 }),
    }
}

/// Of both; what one of them does not know is the other's.
pub fn sum(a: Totals, b: Totals) -> Totals {
    let disk = a.disk.zip(b.disk).map(|(a, b)| DiskTotals {
        read: a.read + b.read,
        written: a.written + b.written,
        reads: a.reads + b.reads,
        writes: a.writes + b.writes,
    });
    let memory = a.memory.zip(b.memory).map(|(a, b)| Bytes(a.0 + b.0));
    let network = a.network.zip(b.network);
    let network = network
        .map(|(a, b)| NetworkTotals { received: a.received + b.received, sent: a.sent + b.sent });
    Totals {
        cpu: a.cpu.zip(b.cpu).map(|(a, b)| a + b).or(a.cpu).or(b.cpu),
        memory: memory.or(a.memory).or(b.memory),
        disk: disk.or(a.disk).or(b.disk),
        network: network.or(a.network).or(b.network),
    }
}

/// The integral from zero of a wave between 0 and 1.
fn wave(seconds: f64, period: f64, phase: f64) -> f64 {
    let (speed, phase) = (TAU / period, TAU * phase);
    (seconds - ((speed * seconds + phase).sin() - phase.sin()) / speed) / 2.0
}

/// Four numbers from 0 to 1 that belong to a guest.
fn shares(uid: Uuid) -> [f64; 4] {
    let bytes = uid.into_bytes();
    // The last bytes of a UUIDv7 are random.
    [9, 11, 13, 14].map(|at| f64::from(u16::from_be_bytes([bytes[at], bytes[at + 1]])) / 65535.0)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "simulated counters are far below 2^53, and never negative"
)]
fn whole(number: f64) -> u64 {
    number.max(0.0) as u64
}

#[expect(clippy::cast_precision_loss, reason = "a simulated guest's memory is a round number")]
fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_counter_falls_and_no_cpu_does_more_than_it_can(
            uid: u128,
            cpus in 1_u32..64,
            millis in 0_u64..100_000_000,
            more in 0_u64..100_000,
        ) {
            let at = |millis| {
                let time = Duration::from_millis(millis);
                of_guest(Uuid::from_u128(uid), cpus, Bytes::gib(2), time)
            };
            let (a, b) = (at(millis), at(millis + more));
            let used = b.cpu.unwrap().checked_sub(a.cpu.unwrap());
            prop_assert!(used.is_some_and(|used| used <= Duration::from_millis(more + 1) * cpus));
            let (a_disk, b_disk) = (a.disk.unwrap(), b.disk.unwrap());
            prop_assert!(a_disk.read <= b_disk.read && a_disk.written <= b_disk.written);
            prop_assert!(a_disk.reads <= b_disk.reads && a_disk.writes <= b_disk.writes);
            let (a_net, b_net) = (a.network.unwrap(), b.network.unwrap());
            prop_assert!(a_net.received <= b_net.received && a_net.sent <= b_net.sent);
            prop_assert!(b.memory.unwrap() <= Bytes::gib(2));
        }
    }
}
