//! Dates, times and intervals, over the whole range of the server's types, which is wider than that of date libraries.
//!
//! <https://www.postgresql.org/docs/current/datatype-datetime.html>

use super::{
    short::Short,
    wire::{Problem, Reader},
};

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// From 0000-03-01 to 2000-01-01, from which the server counts.
const DAYS_TO_EPOCH: i64 = 730_425;

/// A day of the proleptic Gregorian calendar; the year 0 is 1 BC.
struct Civil {
    year: i64,
    month: i64,
    day: i64,
}

impl Civil {
    /// The day that is so many days after 2000-01-01.
    ///
    /// Years are taken to begin in March, so that the leap day is their last.
    /// <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>
    fn from_days(days: i64) -> Self {
        const DAYS_PER_ERA: i64 = 146_097;
        let days = days + DAYS_TO_EPOCH;
        let era = days.div_euclid(DAYS_PER_ERA);
        let day_of_era = days.rem_euclid(DAYS_PER_ERA);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * march_month + 2) / 5 + 1,
        }
    }

    fn era(&self) -> &'static str {
        if self.year > 0 { "" } else { " BC" }
    }
}

impl Civil {
    fn put(&self, out: &mut Short) {
        let year = if self.year > 0 { self.year } else { 1 - self.year };
        out.number(year.unsigned_abs(), 4);
        out.push("-");
        out.pair(self.month.unsigned_abs());
        out.push("-");
        out.pair(self.day.unsigned_abs());
    }
}

/// A `date` in days from 2000-01-01.
pub(super) struct Date(pub(super) i32);

impl Date {
    pub(super) fn text(&self) -> Short {
        let mut out = Short::new();
        match self.0 {
            i32::MAX => out.push("infinity"),
            i32::MIN => out.push("-infinity"),
            days => {
                let civil = Civil::from_days(days.into());
                civil.put(&mut out);
                out.push(civil.era());
            }
        }
        out
    }
}

/// A `time` in microseconds from midnight, both midnights included.
pub(super) struct Clock(pub(super) i64);

impl Clock {
    pub(super) fn text(&self) -> Short {
        let mut out = Short::new();
        self.put(&mut out);
        out
    }

    fn put(&self, out: &mut Short) {
        let minutes = self.0 / (60 * MICROS_PER_SECOND);
        signed(minutes / 60, out);
        out.push(":");
        signed(minutes % 60, out);
        out.push(":");
        seconds(self.0.unsigned_abs() % 60_000_000, out);
    }
}

/// At least two characters, the sign of what no server sends among them.
fn signed(value: i64, out: &mut Short) {
    match value {
        0..100 => out.pair(value.unsigned_abs()),
        100.. => out.number(value.unsigned_abs(), 0),
        _ => {
            out.push("-");
            out.number(value.unsigned_abs(), 0);
        }
    }
}

/// The seconds of a minute, in microseconds: two digits and as many of the fraction as it has.
fn seconds(micros: u64, out: &mut Short) {
    out.pair(micros / 1_000_000);
    out.fraction(micros % 1_000_000);
}

/// How a timestamp is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// As `DateStyle` ISO has it: `2026-01-02 03:04:05+00`.
    Iso,
    /// As the server's JSON and XML have it: `2026-01-02T03:04:05+00:00`.
    Xsd,
}

/// A `timestamp` or a `timestamptz` in UTC, in microseconds from the start of 2000.
pub(super) struct Timestamp {
    pub(super) micros: i64,
    pub(super) zoned: bool,
    pub(super) style: Style,
}

impl Timestamp {
    pub(super) fn text(&self) -> Short {
        let mut out = Short::new();
        match self.micros {
            i64::MAX => out.push("infinity"),
            i64::MIN => out.push("-infinity"),
            micros => {
                let (separator, zone) = match self.style {
                    Style::Iso => (" ", "+00"),
                    Style::Xsd => ("T", "+00:00"),
                };
                let civil = Civil::from_days(micros.div_euclid(MICROS_PER_DAY));
                civil.put(&mut out);
                out.push(separator);
                Clock(micros.rem_euclid(MICROS_PER_DAY)).put(&mut out);
                out.push(if self.zoned { zone } else { "" });
                out.push(civil.era());
            }
        }
        out
    }
}

/// A `timetz`: the time of day, and its zone in seconds west of UTC.
pub(super) fn zoned_clock(reader: Reader<'_>, out: &mut String) -> Result<(), Problem> {
    use std::fmt::Write;

    let (micros, west) = reader.last(|reader| Ok((reader.i64()?, reader.i32()?)))?;
    let offset = west.unsigned_abs();
    write!(out, "{}{}{:02}", Clock(micros).text().as_str(), if west > 0 { '-' } else { '+' }, offset / 3600)?;
    if offset % 3600 != 0 {
        write!(out, ":{:02}", offset / 60 % 60)?;
    }
    if offset % 60 != 0 {
        write!(out, ":{:02}", offset % 60)?;
    }
    Ok(())
}

/// An `interval` in the `IntervalStyle` that is the default, `postgres`: `1 year 2 mons -3 days +04:05:06`.
pub(super) fn interval(reader: Reader<'_>, out: &mut String) -> Result<(), Problem> {
    use std::fmt::Write;

    let (micros, days, months) = reader.last(|reader| Ok((reader.i64()?, reader.i32()?, reader.i32()?)))?;
    match (micros, days, months) {
        (i64::MAX, i32::MAX, i32::MAX) => out.push_str("infinity"),
        (i64::MIN, i32::MIN, i32::MIN) => out.push_str("-infinity"),
        _ => {
            let (mut separator, mut after_negative) = ("", false);
            for (amount, unit) in [(months / 12, "year"), (months % 12, "mon"), (days, "day")] {
                if amount != 0 {
                    let sign = if after_negative && amount > 0 { "+" } else { "" };
                    let plural = if amount == 1 { "" } else { "s" };
                    write!(out, "{separator}{sign}{amount} {unit}{plural}")?;
                    (separator, after_negative) = (" ", amount < 0);
                }
            }
            if separator.is_empty() || micros != 0 {
                let sign = match (micros < 0, after_negative) {
                    (true, _) => "-",
                    (false, true) => "+",
                    (false, false) => "",
                };
                let micros = micros.unsigned_abs();
                let minutes = micros / 60_000_000;
                write!(out, "{separator}{sign}{:02}:{:02}:", minutes / 60, minutes % 60)?;
                let mut rest = Short::new();
                seconds(micros % 60_000_000, &mut rest);
                out.push_str(rest.as_str());
            }
        }
    }
    Ok(())
}
