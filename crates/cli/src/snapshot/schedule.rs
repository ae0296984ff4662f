//! `novacron snapshot schedule`: which snapshots of a VM are taken by themselves, and how many are
//! kept.

use clap::Args;
use novacron_model::vm::schedule::{Cadence, TimeOfDay};
use serde_json::{Value, json};

use crate::args::{put, typed};
use crate::client::Call;
use crate::failure::Result;
use crate::session::Session;
use crate::table::text;
use crate::vm;

#[derive(Debug, Clone, Args)]
pub struct ScheduleArgs {
    /// Name of the VM
    vm: String,
    /// How many to keep of those taken every hour
    #[arg(long, value_name = "N")]
    hourly: Option<u32>,
    /// How many to keep of those taken every day
    #[arg(long, value_name = "N")]
    daily: Option<u32>,
    /// How many to keep of those taken every Monday
    #[arg(long, value_name = "N")]
    weekly: Option<u32>,
    /// How many to keep of those taken on the first of every month
    #[arg(long, value_name = "N")]
    monthly: Option<u32>,
    /// When they are taken, in UTC; of hourly ones only the minute counts [default: 00:00]
    #[arg(long, value_name = "HH:MM", value_parser = typed::<TimeOfDay>)]
    at: Option<TimeOfDay>,
    /// Take no more; those that were taken stay
    #[arg(long, conflicts_with_all = ["hourly", "daily", "weekly", "monthly", "at"])]
    none: bool,
}

impl ScheduleArgs {
    /// The whole schedule, as the API has it; nothing if none was given.
    fn wanted(&self) -> Option<Value> {
        let mut schedule = json!({});
        put(&mut schedule, "hourly", self.hourly);
        put(&mut schedule, "daily", self.daily);
        put(&mut schedule, "weekly", self.weekly);
        put(&mut schedule, "monthly", self.monthly);
        put(&mut schedule, "at", self.at.map(|at| at.to_string()));
        (schedule != json!({})).then_some(schedule)
    }
}

/// Replaces what is kept, the time, or both; shows them where nothing is said.
pub async fn run(session: &Session, args: &ScheduleArgs) -> Result<()> {
    let name = vm::NOUN.called(&args.vm);
    let path = vm::NOUN.path(&session.project, &args.vm);
    let schedule = match (args.none, args.wanted()) {
        (true, _) => Value::Null,
        (false, Some(schedule)) => schedule,
        (false, None) => {
            let answer = session.client.call(Call::get(&path)).await?;
            return session.report(&sentence(&name, &answer.value), &answer.value);
        }
    };
    // What is not kept any more is to be taken back: a merge alone would keep it.
    let mut whole = schedule;
    if let Some(fields) = whole.as_object_mut().filter(|fields| !fields.keys().eq(["at"])) {
        for cadence in Cadence::ALL {
            fields.entry(cadence.as_str()).or_insert(Value::Null);
        }
    }
    let answer = session.client.call(Call::patch(&path, &json!({"spec": {"snapshots": whole}})));
    let answer = answer.await?;
    session.report(&sentence(&name, &answer.value), &answer.value)
}

fn sentence(name: &str, vm: &Value) -> String {
    match wanted(vm) {
        None => format!("{name} has no schedule of snapshots"),
        Some(wanted) => format!("{name} keeps {wanted}"),
    }
}

/// `7 daily and 4 weekly snapshots, taken at 02:00 UTC`.
fn wanted(vm: &Value) -> Option<String> {
    let schedule = vm.pointer("/spec/snapshots").filter(|schedule| schedule.is_object())?;
    let kept = Cadence::ALL.into_iter().filter_map(|cadence| {
        let keep = schedule[cadence.as_str()].as_u64().filter(|keep| *keep > 0)?;
        Some(format!("{keep} {cadence}"))
    });
    let kept: Vec<String> = kept.collect();
    let list = match kept.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => "no".to_owned(),
    };
    let at = text(schedule, "/at");
    let when = match (at.split_once(':'), kept.as_slice()) {
        (Some((_, minute)), [one]) if one.ends_with("hourly") => {
            format!("minute {minute} of every hour")
        }
        _ => format!("{at} UTC"),
    };
    Some(format!("{list} snapshots, taken at {when}"))
}

/// For a VM's fact sheet: what is wanted, then a line for each kind.
pub fn facts(vm: &Value) -> String {
    let Some(wanted) = wanted(vm) else { return String::new() };
    let runs = vm.pointer("/status/schedule/runs").and_then(Value::as_array);
    let lines = runs.into_iter().flatten().map(run_line);
    std::iter::once(wanted).chain(lines).collect::<Vec<_>>().join("\n")
}

fn run_line(run: &Value) -> String {
    let last = text(run, "/last");
    let last = last.split_once('.').map_or("none yet", |(_, name)| name);
    let mut parts =
        vec![format!("{}: last {last}, next {}", text(run, "/cadence"), text(run, "/next"))];
    if run.get("error").is_some() {
        parts.push(format!("failed: {}", text(run, "/error/message")));
        if run.get("retry_at").is_some() {
            parts.push(format!("tried again at {}", text(run, "/retry_at")));
        }
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_told_in_lines() {
        let vm = json!({
            "spec": {"snapshots": {"hourly": 0, "daily": 7, "weekly": 4, "monthly": 0, "at": "02:00"}},
            "status": {"schedule": {"runs": [
                {"cadence": "daily", "last": "web.auto-daily-20261123", "next": "2026-11-24T02:00:00Z"},
                {"cadence": "weekly", "next": "2026-11-30T02:00:00Z",
                 "error": {"message": "no room"}, "retry_at": "2026-11-23T02:05:00Z"},
            ]}},
        });
        let expected = "7 daily and 4 weekly snapshots, taken at 02:00 UTC\n\
            daily: last auto-daily-20261123, next 2026-11-24T02:00:00Z\n\
            weekly: last none yet, next 2026-11-30T02:00:00Z; failed: no room; \
            tried again at 2026-11-23T02:05:00Z";
        assert_eq!(facts(&vm), expected);
        assert_eq!(facts(&json!({"spec": {}})), "");
        let hourly = json!({"spec": {"snapshots": {"hourly": 24, "at": "02:30"}}});
        assert_eq!(facts(&hourly), "24 hourly snapshots, taken at minute 30 of every hour");
    }
}
