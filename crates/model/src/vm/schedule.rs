//! Snapshots by schedule: what is wanted, when a run is due, and what came of it.
//!
//! All times are UTC. A run is due at the schedule's time of day: every hour at its minute, every
//! day, every Monday, every first of a month.

use std::fmt;
use std::str::FromStr;

use jiff::ToSpan;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Error, Result};
use crate::units::Time;

/// How many snapshots of each kind are kept; older ones of the schedule's own go. Zero takes none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SnapshotSchedule {
    #[serde(default)]
    #[schema(maximum = 1000)]
    pub hourly: u32,
    #[serde(default)]
    #[schema(maximum = 1000)]
    pub daily: u32,
    #[serde(default)]
    #[schema(maximum = 1000)]
    pub weekly: u32,
    #[serde(default)]
    #[schema(maximum = 1000)]
    pub monthly: u32,
    /// When runs are due, in UTC; of hourly ones only the minute counts.
    #[serde(default)]
    pub at: TimeOfDay,
}

pub const KEEP_MAX: u32 = 1000;

impl SnapshotSchedule {
    pub fn keep(&self, cadence: Cadence) -> u32 {
        match cadence {
            Cadence::Hourly => self.hourly,
            Cadence::Daily => self.daily,
            Cadence::Weekly => self.weekly,
            Cadence::Monthly => self.monthly,
        }
    }

    /// Something is wanted, and no more than a disk can hold.
    pub fn check(&self) -> Result<()> {
        for cadence in Cadence::ALL {
            if self.keep(cadence) > KEEP_MAX {
                let message = format!("at most {KEEP_MAX} {cadence} snapshots can be kept");
                return Err(Error::invalid(format!("spec.snapshots.{cadence}"), message));
            }
        }
        if Cadence::ALL.iter().all(|cadence| self.keep(*cadence) == 0) {
            return Err(Error::invalid("spec.snapshots", "the schedule takes no snapshots")
                .hint("say how many to keep, such as 7 daily ones, or leave the schedule out"));
        }
        Ok(())
    }
}

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Cadence {
    Hourly,
    Daily,
    Weekly,
    Monthly,
}

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// The first Monday after the epoch, which was a Thursday.
const MONDAY: i64 = 4 * DAY;

impl Cadence {
    pub const ALL: [Self; 4] = [Self::Hourly, Self::Daily, Self::Weekly, Self::Monthly];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }

    /// The newest time up to `now` at which a run is due.
    pub fn due(self, at: TimeOfDay, now: Time) -> Time {
        let Some((period, offset)) = self.period(at) else {
            let first = month(now, 0, at);
            return if first > now { month(now, -1, at) } else { first };
        };
        Time(
            now.0
                .saturating_sub(offset)
                .div_euclid(period)
                .saturating_mul(period)
                .saturating_add(offset),
        )
    }

    /// When the run after that of `due` is due.
    pub fn after(self, at: TimeOfDay, due: Time) -> Time {
        // A schedule whose time of day has changed may be due once more in the same period.
        let due = self.due(at, due);
        match self.period(at) {
            Some((period, _)) => Time(due.0.saturating_add(period)),
            None => month(due, 1, at),
        }
    }

    /// Length and offset from the epoch, where all periods are equally long.
    fn period(self, at: TimeOfDay) -> Option<(i64, i64)> {
        let minutes = i64::from(at.0);
        match self {
            Self::Hourly => Some((HOUR, minutes % 60 * MINUTE)),
            Self::Daily => Some((DAY, minutes * MINUTE)),
            Self::Weekly => Some((7 * DAY, MONDAY + minutes * MINUTE)),
            Self::Monthly => None,
        }
    }

    /// The name of the snapshot of a run, without the VM's; the same for a whole period.
    pub fn snapshot_name(self, due: Time) -> String {
        let time = zoned(due);
        let day = time.strftime("%Y%m%d");
        match self {
            Self::Hourly => format!("auto-hourly-{day}-{}", time.strftime("%H")),
            _ => format!("auto-{self}-{day}"),
        }
    }
}

impl fmt::Display for Cadence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn zoned(time: Time) -> jiff::Zoned {
    let stamp = jiff::Timestamp::from_millisecond(time.0).unwrap_or_default();
    stamp.to_zoned(TimeZone::UTC)
}

/// The first of the month of `time`, or of one that is `months` later.
fn month(time: Time, months: i32, at: TimeOfDay) -> Time {
    let first = zoned(time).date().first_of_month();
    let first = first.checked_add(months.months()).unwrap_or(first);
    let stamp = first.to_zoned(TimeZone::UTC).map(|first| first.timestamp());
    Time(stamp.unwrap_or_default().as_millisecond() + i64::from(at.0) * MINUTE)
}

/// A time of day: `HH:MM`, UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$", example = "02:00")]
pub struct TimeOfDay(u16);

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl FromStr for TimeOfDay {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let two = |part: &str| {
            let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<u16>().ok().filter(|_| digits)
        };
        let time = text.split_once(':').and_then(|(hour, minute)| {
            let (hour, minute) = (two(hour)?, two(minute)?);
            (hour < 24 && minute < 60).then_some(Self(hour * 60 + minute))
        });
        time.ok_or_else(|| {
            let shown: String = text.chars().filter(|c| !c.is_control()).take(16).collect();
            Error::new(crate::Code::Invalid, format!("\"{shown}\" is not a time of day"))
                .hint("write hours and minutes in UTC, such as 02:00")
        })
    }
}

impl Serialize for TimeOfDay {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What came of a VM's schedule; absent without one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleStatus {
    /// One for each kind of snapshot that is wanted.
    pub runs: Vec<ScheduledRun>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScheduledRun {
    pub cadence: Cadence,
    /// The newest time of the schedule that was followed. Those that were missed before it are not
    /// made up for.
    pub due: Time,
    pub next: Time,
    /// The run of `due` has not ended yet.
    #[serde(default)]
    pub open: bool,
    /// Name (`VM.SNAPSHOT`) of the snapshot that is being taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taking: Option<String>,
    /// How often the run of `due` was tried.
    #[serde(default)]
    pub attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Time>,
    /// Name (`VM.SNAPSHOT`) of the newest snapshot that was taken, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_taken: Option<Time>,
    /// Why the newest try failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn runs_are_due_at_their_time_of_day() {
        let at: TimeOfDay = "02:30".parse().unwrap();
        // A Monday.
        let now = time("2026-11-23T02:29:59Z");
        let due = |cadence: Cadence| cadence.due(at, now).to_string();
        assert_eq!(due(Cadence::Hourly), "2026-11-23T01:30:00Z");
        assert_eq!(due(Cadence::Daily), "2026-11-22T02:30:00Z");
        assert_eq!(due(Cadence::Weekly), "2026-11-16T02:30:00Z");
        assert_eq!(due(Cadence::Monthly), "2026-11-01T02:30:00Z");
        for cadence in Cadence::ALL {
            let (due, next) = (cadence.due(at, now), cadence.after(at, cadence.due(at, now)));
            assert!(due <= now && now < next, "{cadence}");
            assert_eq!(cadence.due(at, next), next, "{cadence}");
        }
        let january = Cadence::Monthly.due(at, time("2027-01-01T02:00:00Z"));
        assert_eq!(january.to_string(), "2026-12-01T02:30:00Z");
        assert_eq!(Cadence::Monthly.after(at, january).to_string(), "2027-01-01T02:30:00Z");
        assert_eq!(Cadence::Daily.due(at, Time(-1)), Time(-DAY + 150 * MINUTE));
    }

    #[test]
    fn a_snapshot_is_named_by_its_period() {
        let due = time("2026-11-23T14:05:00Z");
        assert_eq!(Cadence::Hourly.snapshot_name(due), "auto-hourly-20261123-14");
        assert_eq!(Cadence::Weekly.snapshot_name(due), "auto-weekly-20261123");
    }

    #[test]
    fn a_time_of_day_is_read_strictly() {
        assert_eq!("23:59".parse::<TimeOfDay>().unwrap().to_string(), "23:59");
        for bad in ["", "24:00", "12:60", "1:00", "12", "+1:00", "12:00:00", "-1:00"] {
            assert!(bad.parse::<TimeOfDay>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_schedule_wants_something_within_reason() {
        assert!(SnapshotSchedule::default().check().is_err());
        assert!(SnapshotSchedule { daily: 7, ..SnapshotSchedule::default() }.check().is_ok());
        let greedy = SnapshotSchedule { hourly: 1001, ..SnapshotSchedule::default() };
        assert_eq!(greedy.check().unwrap_err().field.as_deref(), Some("spec.snapshots.hourly"));
    }
}
