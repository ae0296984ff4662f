//! What VMs and nodes use, in Prometheus's text format. Written at each scrape from what runs then,
//! so nothing piles up, and for at most as many VMs as the settings allow.

use std::fmt::Write;

use novacron_model::figures::Reading;
use novacron_model::{Bytes, Node, Object, Vm};
use novacron_store::object;

use crate::figures::{size_of_node, size_of_vm};
use crate::state::Api;

/// One metric of VMs and of nodes.
struct Metric {
    /// Behind `novacron_vm_` or `novacron_node_`.
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    value: fn(&Row) -> Option<f64>,
}

/// One VM or node.
struct Row {
    labels: String,
    cpus: u32,
    memory_max: Bytes,
    reading: Reading,
}

const fn gauge(name: &'static str, help: &'static str, value: fn(&Row) -> Option<f64>) -> Metric {
    Metric { name, kind: "gauge", help, value }
}

const fn counter(name: &'static str, help: &'static str, value: fn(&Row) -> Option<f64>) -> Metric {
    Metric { name, kind: "counter", help, value }
}

const METRICS: [Metric; 10] = [
    gauge("cpus", "CPUs that there are.", |row| Some(f64::from(row.cpus))),
    counter("cpu_seconds_total", "CPU time used.", |row| {
        row.reading.totals.cpu.map(|cpu| cpu.as_secs_f64())
    }),
    gauge("memory_max_bytes", "Memory that there is.", |row| Some(float(row.memory_max.0))),
    gauge("memory_bytes", "Memory of the host in use.", |row| {
        row.reading.totals.memory.map(|memory| float(memory.0))
    }),
    counter("disk_read_bytes_total", "Bytes read from disks.", |row| {
        row.reading.totals.disk.map(|disk| float(disk.read))
    }),
    counter("disk_written_bytes_total", "Bytes written to disks.", |row| {
        row.reading.totals.disk.map(|disk| float(disk.written))
    }),
    counter("disk_reads_total", "Read operations of disks.", |row| {
        row.reading.totals.disk.map(|disk| float(disk.reads))
    }),
    counter("disk_writes_total", "Write operations of disks.", |row| {
        row.reading.totals.disk.map(|disk| float(disk.writes))
    }),
    counter("network_received_bytes_total", "Bytes received.", |row| {
        row.reading.totals.network.map(|network| float(network.received))
    }),
    counter("network_sent_bytes_total", "Bytes sent.", |row| {
        row.reading.totals.network.map(|network| float(network.sent))
    }),
];

/// The figures of what runs now.
pub async fn render(api: &Api) -> String {
    let mut text = String::new();
    write_all(&mut text, "novacron_node_", &nodes(api).await);
    let mut vms = vms(api).await;
    let shown = vms.len().min(api.config.metrics_vms);
    let left_out = vms.split_off(shown).len();
    write_all(&mut text, "novacron_vm_", &vms);
    let name = "novacron_vms_left_out";
    head(&mut text, name, "gauge", "Running VMs beyond the settings' metrics_vms.");
    // A string takes everything.
    let _ = writeln!(text, "{name} {left_out}");
    text
}

async fn nodes(api: &Api) -> Vec<Row> {
    let nodes = object::list::<Node>(&api.store.snapshot(), None);
    let readings = api.gateway.node_readings(&nodes).await;
    let row = |(node, reading): (&Object<Node>, Reading)| {
        let (cpus, memory_max) = size_of_node(node);
        let labels = format!("node=\"{}\"", node.meta.name);
        Row { labels, cpus, memory_max, reading }
    };
    nodes.iter().zip(readings).filter(|(_, reading)| reading.now.is_some()).map(row).collect()
}

/// Those that run, by project and name.
async fn vms(api: &Api) -> Vec<Row> {
    let mut vms = object::list::<Vm>(&api.store.snapshot(), None);
    vms.sort_by(|a, b| (&a.meta.project, &a.meta.name).cmp(&(&b.meta.project, &b.meta.name)));
    let readings = api.gateway.vm_readings(&vms).await;
    let row = |(vm, reading): (&Object<Vm>, Reading)| {
        let (cpus, memory_max) = size_of_vm(vm);
        let project = vm.meta.project.as_ref().map(ToString::to_string).unwrap_or_default();
        let labels = format!("project=\"{project}\",vm=\"{}\"", vm.meta.name);
        Row { labels, cpus, memory_max, reading }
    };
    vms.iter().zip(readings).filter(|(_, reading)| reading.now.is_some()).map(row).collect()
}

/// Names need no escapes: they are DNS labels.
fn write_all(text: &mut String, prefix: &str, rows: &[Row]) {
    for metric in &METRICS {
        let name = format!("{prefix}{}", metric.name);
        head(text, &name, metric.kind, metric.help);
        for row in rows {
            if let Some(value) = (metric.value)(row) {
                let _ = writeln!(text, "{name}{{{}}} {value}", row.labels);
            }
        }
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

#[expect(clippy::cast_precision_loss, reason = "samples are floats in this format")]
fn float(count: u64) -> f64 {
    count as f64
}
