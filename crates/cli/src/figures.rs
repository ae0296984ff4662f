//! `top` and `figures`: what VMs and nodes use, now and in the last hour.

use clap::Args;
use novacron_model::Bytes;
use serde_json::Value;

use crate::client::path::query;
use crate::failure::Result;
use crate::noun::Noun;
use crate::output;
use crate::session::{Session, now};
use crate::table::{self, Column, NONE, seconds, text};

#[derive(Debug, Clone, Args)]
pub struct TopArgs {
    /// Only these VMs; all of the project unless said
    #[arg(value_name = "VM")]
    names: Vec<String>,
}

/// Who is shown by `top`.
const NAMED: &[Column] = &[
    Column::new("Name", |item, _| text(item, "/name")),
    Column::new("CPU", |item, _| share(&item["now"]["cpu"], &item["cpus"])).right(),
    Column::new("CPUs", |item, _| text(item, "/cpus")).right(),
    Column::new("Memory", |item, _| amount(&item["now"]["memory"])).right(),
    Column::new("Of", |item, _| amount(&item["memory_max"])).right(),
    Column::new("Read/s", |item, _| amount(&item["now"]["disk_read"])).right(),
    Column::new("Written/s", |item, _| amount(&item["now"]["disk_written"])).right(),
    Column::new("Received/s", |item, _| amount(&item["now"]["network_received"])).right(),
    Column::new("Sent/s", |item, _| amount(&item["now"]["network_sent"])).right(),
];

/// One of the points of `figures`.
const POINT: &[Column] = &[
    Column::new("Time", |point, _| seconds(&text(point, "/time"))),
    Column::new("CPU", |point, _| share(&point["cpu"], &point["cpus"])).right(),
    Column::new("Memory", |point, _| amount(&point["memory"])).right(),
    Column::new("Read/s", |point, _| amount(&point["disk_read"])).right(),
    Column::new("Written/s", |point, _| amount(&point["disk_written"])).right(),
    Column::new("Received/s", |point, _| amount(&point["network_received"])).right(),
    Column::new("Sent/s", |point, _| amount(&point["network_sent"])).right(),
];

/// What VMs use now, the busiest first.
pub async fn vms(session: &Session, args: &TopArgs) -> Result<()> {
    let path = format!("/v1/projects/{}/figures", crate::client::path::segment(&session.project));
    let names = args.names.join(",");
    let pairs = (!names.is_empty()).then_some(("names", names.as_str()));
    let items = top(session, &(path + &query(pairs))).await?;
    for name in args.names.iter().filter(|name| !items.iter().any(|item| item["name"] == **name)) {
        output::note(format!("there is no VM \"{name}\""));
    }
    show(session, items, !args.names.is_empty(), "no VM is measured now")
}

/// What nodes use now, the busiest first.
pub async fn nodes(session: &Session) -> Result<()> {
    let items = top(session, "/v1/figures").await?;
    show(session, items, false, "no node is measured now")
}

/// The last hour of one VM or node.
pub async fn hour(session: &Session, noun: &Noun, name: &str) -> Result<()> {
    let path = noun.path(&session.project, name) + "/figures";
    let figures = session.client.get(&path).await?;
    let mut points: Vec<Value> =
        figures["points"].as_array().map(Vec::as_slice).unwrap_or_default().to_vec();
    if session.is_table() && points.is_empty() {
        output::note(format!("nothing is known of the last hour of {}", noun.called(name)));
        return Ok(());
    }
    for point in &mut points {
        point["cpus"] = figures["cpus"].clone();
    }
    output::value(session.format, &figures, || table::list(POINT, &points, now()))
}

async fn top(session: &Session, path: &str) -> Result<Vec<Value>> {
    let mut list = session.client.get(path).await?;
    let items = list.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take);
    let mut items = items.unwrap_or_default();
    items.sort_by_key(|item| std::cmp::Reverse(item["now"]["cpu"].as_u64()));
    Ok(items)
}

/// In a table only what is measured, unless it was `named`; all in JSON and YAML.
fn show(session: &Session, mut items: Vec<Value>, named: bool, none: &str) -> Result<()> {
    if session.is_table() {
        items.retain(|item| named || item["now"].is_object());
        if items.is_empty() {
            output::note(none);
            return Ok(());
        }
    }
    let value = Value::Array(items.clone());
    output::value(session.format, &value, || table::list(NAMED, &items, now()))
}

/// Thousandths of a CPU as a share of all that there are.
fn share(cpu: &Value, cpus: &Value) -> String {
    let (Some(cpu), Some(cpus @ 1..)) = (cpu.as_u64(), cpus.as_u64()) else {
        return NONE.to_owned();
    };
    let tenths = cpu / cpus;
    if tenths < 100 {
        return format!("{}.{}%", tenths / 10, tenths % 10);
    }
    format!("{}%", (tenths + 5) / 10)
}

fn amount(bytes: &Value) -> String {
    bytes.as_u64().map_or_else(|| NONE.to_owned(), |bytes| Bytes(bytes).to_string())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use novacron_model::Time;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_known_is_no_zero() {
        let item = json!({
            "name": "web", "cpus": 2, "memory_max": 2_147_483_648_u64,
            "now": {"cpu": 1250, "memory": 1_048_576, "disk_read": 0, "disk_written": 4096},
        });
        expect![[r"
            NAME  CPU  CPUS  MEMORY     OF  READ/S  WRITTEN/S  RECEIVED/S  SENT/S
            web   63%     2   1 MiB  2 GiB     0 B      4 KiB           -       -"]]
        .assert_eq(&table::list(NAMED, &[item], Time(0)));
    }

    #[test]
    fn small_shares_have_a_decimal() {
        let share = |cpu: u64| share(&json!(cpu), &json!(4));
        assert_eq!(
            [share(0), share(13), share(399), share(4000)],
            ["0.0%", "0.3%", "9.9%", "100%"]
        );
    }
}
