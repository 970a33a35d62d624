//! What the library wants to reach, and whether it did.

use std::fmt;

use crate::harness::{Spread, Table};

/// What is compared with a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
    /// Of the figure itself, where that repeats.
    CountAtMost(f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Goal {
    pub(super) case: &'static str,
    pub(super) tasks: usize,
    contestant: &'static str,
    /// The one it is beside, if that is not the base of the case.
    beside: Option<&'static str>,
    bound: Bound,
}

/// A goal of which there is a figure.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) goal: Goal,
    pub(super) beside: String,
    measured: Spread,
    is_count: bool,
}

const fn goal(case: &'static str, tasks: usize, contestant: &'static str, bound: Bound) -> Goal {
    Goal { case, tasks, contestant, beside: None, bound }
}

const fn beside(other: &'static str, goal: Goal) -> Goal {
    Goal { beside: Some(other), ..goal }
}

use Bound::{AtLeast, AtMost, CountAtMost};

pub(super) const OURS: &str = "catamaran";
pub(super) const BLOCKING: &str = "catamaran blocking";

pub(super) const GOALS: &[Goal] = &[
    goal("point_select", 1, OURS, AtLeast(0.97)),
    goal("point_select", 8, OURS, AtLeast(1.3)),
    goal("point_select", 64, OURS, AtLeast(1.9)),
    goal("point_select", 256, OURS, AtLeast(2.3)),
    beside("sqlx", goal("point_select", 64, OURS, AtLeast(3.0))),
    beside("diesel-async", goal("point_select", 64, OURS, AtLeast(3.0))),
    goal("point_select/cpu", 64, OURS, AtMost(0.5)),
    goal("point_select/p99", 64, OURS, AtMost(1.0)),
    goal("instructions/1", 1, OURS, CountAtMost(13_400.0)),
    goal("instructions/32", 32, OURS, CountAtMost(11_500.0)),
    goal("allocations", 1, OURS, CountAtMost(14.0)),
    goal("history", 8, OURS, AtLeast(1.05)),
    goal("history", 64, OURS, AtLeast(1.12)),
    goal("decode_10k", 1, OURS, AtMost(0.85)),
    goal("decode_10k/memory", 1, OURS, AtMost(0.4)),
    goal("insert_sync_on", 8, OURS, AtLeast(0.97)),
    goal("insert_sync_on", 64, OURS, AtLeast(1.15)),
    goal("bulk_insert", 1, "catamaran copy_rows_in", AtMost(1.1)),
    goal("tail", 8, OURS, AtLeast(1.1)),
    goal("tail", 64, OURS, AtLeast(2.0)),
    goal("tail/p99", 8, OURS, AtMost(1.0)),
    goal("tail/p99", 64, OURS, AtMost(1.5)),
    goal("transactions/max", 68, OURS, AtMost(1.0)),
    goal("round_trip", 64, OURS, AtLeast(4.0)),
    goal("stream_1m", 1, "catamaran fetch_stream", AtLeast(0.97)),
    goal("stream_1m/memory", 1, OURS, AtMost(1.05)),
    goal("ten_at_once", 10, OURS, AtMost(1.1)),
    goal("blocking_point_select", 1, BLOCKING, AtLeast(0.97)),
    goal("blocking_point_select", 8, BLOCKING, AtLeast(0.97)),
    beside("r2d2_postgres", goal("blocking_point_select", 1, BLOCKING, AtLeast(3.0))),
    beside("r2d2_postgres", goal("blocking_point_select", 8, BLOCKING, AtLeast(3.0))),
    goal("blocking_point_select", 64, BLOCKING, AtLeast(1.1)),
    goal("blocking_point_select/p99", 64, BLOCKING, AtMost(0.25)),
];

/// Those that something was measured for.
pub(super) fn outcomes(tables: &[Table]) -> Vec<Outcome> {
    GOALS.iter().filter_map(|goal| outcome(goal, tables)).collect()
}

fn outcome(goal: &Goal, tables: &[Table]) -> Option<Outcome> {
    let table = tables.iter().find(|table| table.case == goal.case)?;
    let line = |name: &str| table.lines.iter().find(|line| line.tasks == goal.tasks && line.contestant == name);
    let ours = line(goal.contestant)?;
    let Spread { median, low, high } = ours.ratio;
    let (measured, is_count) = match (goal.bound, goal.beside) {
        (CountAtMost(_), _) => {
            let count = ours.count?;
            (Spread { median: count, low: count, high: count }, true)
        }
        // Of two ratios to the same base.
        (_, Some(other)) => {
            let other = line(other)?.ratio.median;
            (Spread { median: median / other, low: low / other, high: high / other }, false)
        }
        _ => (ours.ratio, false),
    };
    let beside = goal.beside.map_or_else(|| table.base.clone(), str::to_owned);
    Some(Outcome { goal: *goal, beside, measured, is_count })
}

impl Goal {
    pub(super) fn bound(&self) -> String {
        match self.bound {
            AtLeast(bound) => format!("≥ {bound}"),
            AtMost(bound) | CountAtMost(bound) => format!("≤ {bound}"),
        }
    }
}

impl Outcome {
    pub(super) fn is_reached(&self) -> bool {
        match self.goal.bound {
            AtLeast(bound) => self.measured.median >= bound,
            AtMost(bound) | CountAtMost(bound) => self.measured.median <= bound,
        }
    }

    pub(super) fn verdict(&self) -> &'static str {
        if self.is_reached() { "reached" } else { "not reached" }
    }

    pub(super) fn contestant(&self) -> &'static str {
        self.goal.contestant
    }
}

/// What was measured.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spread { median, low, high } = self.measured;
        match self.is_count {
            true => write!(f, "{median:.1}"),
            false if low == high => write!(f, "{median:.3}"),
            false => write!(f, "{median:.3} ({low:.3} to {high:.3})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{Line, Metric};

    fn table(case: &str, ours: f64, other: (&str, f64)) -> Table {
        let line = |(name, ratio): (&str, f64)| Line {
            contestant: name.to_owned(),
            tasks: 64,
            ratio: Spread { median: ratio, low: ratio, high: ratio },
            count: None,
        };
        let lines = [(OURS, ours), other].map(line).to_vec();
        Table { case: case.to_owned(), metric: Metric::Throughput, base: "deadpool".to_owned(), lines }
    }

    #[test]
    fn goals_are_judged_by_their_direction_and_by_whom_they_are_beside() {
        let tables = [table("point_select", 1.8, ("sqlx", 0.5)), table("point_select/cpu", 0.5, ("sqlx", 2.0))];
        let told =
            outcomes(&tables).iter().map(|it| (it.goal.bound(), it.to_string(), it.is_reached())).collect::<Vec<_>>();
        let expected = [("≥ 1.9", "1.800", false), ("≥ 3", "3.600", true), ("≤ 0.5", "0.500", true)];
        assert_eq!(told, expected.map(|(bound, figure, reached)| (bound.to_owned(), figure.to_owned(), reached)));
    }
}
