//! Quantities with their unit in the type. On the wire each is a plain number of that unit,
//! a [`Time`] is an RFC 3339 string.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Error, Result};

/// A number of bytes.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(transparent)]
#[schema(value_type = u64, example = 2_147_483_648_u64)]
pub struct Bytes(pub u64);

impl Bytes {
    pub const KIB: u64 = 1 << 10;
    pub const MIB: u64 = 1 << 20;
    pub const GIB: u64 = 1 << 30;

    pub const fn mib(n: u64) -> Self {
        Self(n * Self::MIB)
    }

    pub const fn gib(n: u64) -> Self {
        Self(n * Self::GIB)
    }
}

/// Decimal and binary suffixes as in IEC 80000-13; a bare number counts bytes.
const SUFFIXES: [(&str, u64); 13] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("K", 1 << 10),
    ("M", 1 << 20),
    ("G", 1 << 30),
    ("B", 1),
];

impl FromStr for Bytes {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || {
            Error::new(crate::Code::Invalid, format!("\"{text}\" is not a size"))
                .hint("write a number with a unit, such as 512MiB or 20GiB")
        };
        let text = text.trim();
        let (digits, factor) = SUFFIXES
            .iter()
            .find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?.trim_end(), *factor)))
            .unwrap_or((text, 1));
        if let Ok(whole) = digits.parse::<u64>() {
            return whole.checked_mul(factor).map(Self).ok_or_else(bad);
        }
        let (whole, tenths) = digits.split_once('.').ok_or_else(bad)?;
        let fraction: u64 = tenths.parse().map_err(|_| bad())?;
        let scale =
            u32::try_from(tenths.len()).ok().and_then(|n| 10_u64.checked_pow(n)).ok_or_else(bad)?;
        let whole =
            whole.parse::<u64>().ok().and_then(|n| n.checked_mul(factor)).ok_or_else(bad)?;
        let rest = factor.checked_mul(fraction).ok_or_else(bad)? / scale;
        whole.checked_add(rest).map(Self).ok_or_else(bad)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("TiB", 1_u64 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        let Some((unit, factor)) = units.into_iter().find(|(_, factor)| self.0 >= *factor) else {
            return write!(f, "{} B", self.0);
        };
        let tenths = (u128::from(self.0) * 10 + u128::from(factor / 2)) / u128::from(factor);
        if tenths.is_multiple_of(10) {
            write!(f, "{} {unit}", tenths / 10)
        } else {
            write!(f, "{}.{} {unit}", tenths / 10, tenths % 10)
        }
    }
}

/// Thousandths of a CPU.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(transparent)]
#[schema(value_type = u64, example = 2000)]
pub struct MilliCpu(pub u64);

/// A whole number of seconds.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(transparent)]
#[schema(value_type = u64, example = 60)]
pub struct Seconds(pub u64);

impl FromStr for Seconds {
    type Err = Error;

    /// `90`, `90s`, `5m`, `2h`, `7d`.
    fn from_str(text: &str) -> Result<Self> {
        let units = [("s", 1), ("m", 60), ("h", 3600), ("d", 86400)];
        let (digits, factor) = units
            .iter()
            .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))
            .unwrap_or((text, 1));
        let seconds = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(factor));
        seconds.map(Self).ok_or_else(|| {
            Error::new(crate::Code::Invalid, format!("\"{text}\" is not a duration"))
                .hint("write a number with a unit, such as 60s, 5m or 2h")
        })
    }
}

/// A moment: milliseconds since the Unix epoch, UTC; RFC 3339 on the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-01-31T12:00:00Z")]
pub struct Time(pub i64);

impl Time {
    pub fn plus(self, seconds: Seconds) -> Self {
        let millis = i64::try_from(seconds.0).unwrap_or(i64::MAX).saturating_mul(1000);
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this moment; zero if the clock went back.
    pub fn since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(stamp) => write!(f, "{stamp}"),
            Err(_) => write!(f, "1970-01-01T00:00:00Z"),
        }
    }
}

impl FromStr for Time {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let stamp = text.parse::<jiff::Timestamp>().map_err(|_| {
            Error::new(crate::Code::Invalid, format!("\"{text}\" is not a time"))
                .hint("write RFC 3339, such as 2026-01-31T12:00:00Z")
        })?;
        Ok(Self(stamp.as_millisecond()))
    }
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        let read = |text: &str| text.parse::<Bytes>().map(|bytes| bytes.0);
        assert_eq!(read("512MiB"), Ok(512 << 20));
        assert_eq!(read("1.5GiB"), Ok(3 << 29));
        assert_eq!(read("2G"), Ok(2 << 30));
        assert_eq!(read("10 GB"), Ok(10_000_000_000));
        assert_eq!(read("4096"), Ok(4096));
        for bad in
            ["", "GiB", "-1GiB", "1e9", "99999999999TiB", "1.x", "0.00000000000000000000001GiB"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_show_one_decimal_at_most() {
        assert_eq!(Bytes::gib(2).to_string(), "2 GiB");
        assert_eq!(Bytes::mib(1536).to_string(), "1.5 GiB");
        assert_eq!(Bytes(1023).to_string(), "1023 B");
    }

    #[test]
    fn a_time_survives_the_wire() {
        let time: Time = "2026-01-31T12:00:00.123Z".parse().unwrap();
        let wire = serde_json::to_string(&time).unwrap();
        assert_eq!(wire, "\"2026-01-31T12:00:00.123Z\"");
        assert_eq!(serde_json::from_str::<Time>(&wire).unwrap(), time);
    }
}
