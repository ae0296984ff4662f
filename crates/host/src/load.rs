//! What this machine has used since it was booted: CPU time, memory, its own disks and network.
//!
//! Reads `/proc` and `/sys` only (proc(5)); what cannot be read is absent. Differences over time
//! are the agent's matter, guests the hypervisor's.

use std::fs;
use std::path::Path;
use std::time::Duration;

use novacron_model::figures::{DiskTotals, NetworkTotals, Totals};
use novacron_model::units::Bytes;

/// The kernel counts in `/proc/diskstats` in these, whatever the disk's own are.
const SECTOR: u64 = 512;

/// Something whose use is measured as a whole: this machine, or a simulated one.
pub trait Load: Send + Sync + 'static {
    fn totals(&self) -> Totals;
}

/// This machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostLoad;

impl Load for HostLoad {
    fn totals(&self) -> Totals {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Totals {
            cpu: busy(&read("/proc/stat")),
            memory: memory(&read("/proc/meminfo")),
            disk: disks(&read("/proc/diskstats"), is_device("/sys/block")),
            network: network(
                &read("/proc/net/dev"),
                &read("/proc/net/route"),
                is_device("/sys/class/net"),
            ),
        }
    }
}

/// Clock ticks, as `/proc` counts CPU time.
pub(crate) fn ticks(count: u64) -> Duration {
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Duration::from_millis(count.saturating_mul(1000) / per_second)
}

/// Whether something there stands for hardware, or for what a hypervisor shows as hardware: no
/// partition, no loop device, no bridge, no tap.
fn is_device(class: &'static str) -> impl Fn(&str) -> bool {
    move |name| Path::new(class).join(name.replace('/', "!")).join("device").exists()
}

/// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal, … What
/// guests used is part of user; what others took (steal) is not this machine's.
fn busy(stat: &str) -> Option<Duration> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let mut fields = line.split_whitespace();
    let mut next = || fields.next()?.parse::<u64>().ok();
    let (user, nice, system) = (next()?, next()?, next()?);
    let (_idle, _iowait) = (next()?, next()?);
    let interrupts = next().unwrap_or(0) + next().unwrap_or(0);
    Some(ticks(user + nice + system + interrupts))
}

fn memory(meminfo: &str) -> Option<Bytes> {
    let kib = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    };
    Some(Bytes(kib("MemTotal")?.checked_sub(kib("MemAvailable")?)? * Bytes::KIB))
}

/// Fields after the name: reads, merged, sectors, time; writes, merged, sectors.
fn disks(diskstats: &str, is_device: impl Fn(&str) -> bool) -> Option<DiskTotals> {
    let disk = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        let own = is_device(fields.get(2)?);
        let totals = DiskTotals {
            reads: number(3)?,
            read: number(5)?.saturating_mul(SECTOR),
            writes: number(7)?,
            written: number(9)?.saturating_mul(SECTOR),
        };
        own.then_some(totals)
    };
    diskstats.lines().filter_map(disk).reduce(|sum, disk| DiskTotals {
        read: sum.read + disk.read,
        written: sum.written + disk.written,
        reads: sum.reads + disk.reads,
        writes: sum.writes + disk.writes,
    })
}

/// Traffic of the hardware's interfaces; in a container, which has none, of those that lead out.
fn network(dev: &str, route: &str, is_device: impl Fn(&str) -> bool) -> Option<NetworkTotals> {
    let counted: Vec<(&str, NetworkTotals)> = dev.lines().filter_map(interface).collect();
    let sum = |wanted: &dyn Fn(&str) -> bool| {
        let wanted = counted.iter().filter(|(name, _)| wanted(name)).map(|(_, totals)| *totals);
        wanted.reduce(|sum, each| NetworkTotals {
            received: sum.received + each.received,
            sent: sum.sent + each.sent,
        })
    };
    sum(&is_device).or_else(|| sum(&|name| leads_out(route, name)))
}

/// `eth0: bytes packets … (eight for what came), bytes …`.
fn interface(line: &str) -> Option<(&str, NetworkTotals)> {
    let (name, counters) = line.split_once(':')?;
    let mut counters = counters.split_whitespace().map(str::parse::<u64>);
    let received = counters.next()?.ok()?;
    let sent = counters.nth(7)?.ok()?;
    Some((name.trim(), NetworkTotals { received, sent }))
}

/// Whether the default route goes over an interface.
fn leads_out(route: &str, interface: &str) -> bool {
    route.lines().skip(1).any(|line| {
        let mut fields = line.split_whitespace();
        fields.next() == Some(interface) && fields.next() == Some("00000000")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  100 20 30 9000 50 6 4 77 88 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
    const DISKS: &str = "\
        \x20  7       0 loop0 9 0 9 0 9 0 9 0 0 0 0\n\
        \x20  8       0 sda 10 1 200 5 20 2 400 6 0 1 1\n\
        \x20  8       1 sda1 10 1 200 5 20 2 400 6 0 1 1\n\
        \x20253       0 vda 1 0 8 0 2 0 16 0 0 0 0\n";
    const DEV: &str = "\
        Inter-|   Receive                                                |  Transmit\n\
        \x20face |bytes    packets errs drop fifo frame compressed multicast|bytes packets\n\
        \x20   lo: 7000 1 0 0 0 0 0 0 7000 1 0 0 0 0 0 0\n\
        \x20 eth0: 1000 2 0 0 0 0 0 0 300 3 0 0 0 0 0 0\n\
        \x20 tap0: 5000 2 0 0 0 0 0 0 500 3 0 0 0 0 0 0\n";
    const ROUTE: &str = "Iface\tDestination\tGateway\neth0\t00000000\t0102A8C0\n";

    #[test]
    fn idle_waiting_and_stolen_time_is_not_use() {
        assert_eq!(busy(STAT), Some(ticks(160)));
        assert_eq!(busy("intr 1 2 3"), None);
    }

    #[test]
    fn memory_that_could_be_had_is_not_in_use() {
        let meminfo = "MemTotal:  1000 kB\nMemFree:  10 kB\nMemAvailable:  600 kB\n";
        assert_eq!(memory(meminfo), Some(Bytes(400 << 10)));
        assert_eq!(memory("MemTotal: 1000 kB\n"), None);
    }

    #[test]
    fn partitions_and_loops_count_no_disk_twice() {
        let device = |name: &str| matches!(name, "sda" | "vda");
        let sum = DiskTotals { read: 208 * 512, written: 416 * 512, reads: 11, writes: 22 };
        assert_eq!(disks(DISKS, device), Some(sum));
        assert_eq!(disks(DISKS, |_| false), None);
    }

    #[test]
    fn guests_talking_to_each_other_is_no_traffic_of_the_host() {
        let eth0 = Some(NetworkTotals { received: 1000, sent: 300 });
        assert_eq!(network(DEV, "", |name| name == "eth0"), eth0);
        assert_eq!(network(DEV, ROUTE, |_| false), eth0, "in a container");
        assert_eq!(network(DEV, "", |_| false), None);
    }

    #[test]
    fn this_machine_has_used_something() {
        let totals = HostLoad.totals();
        assert!(totals.cpu.is_some_and(|cpu| !cpu.is_zero()), "{totals:?}");
        assert!(totals.memory.is_some_and(|memory| memory.0 > 0), "{totals:?}");
    }
}
