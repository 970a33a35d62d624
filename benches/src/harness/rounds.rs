//! Rounds, and what they say.

use std::time::Duration;

use super::{Entrant, Metric, Slice};
use crate::{Result, report};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub rounds: usize,
    pub slice: Duration,
    /// Before the first round, for each contestant.
    pub warm_up: Duration,
}

impl Plan {
    pub fn new(quick: bool) -> Self {
        let ms = Duration::from_millis;
        if quick {
            Self { rounds: 9, slice: ms(120), warm_up: ms(100) }
        } else {
            Self { rounds: 15, slice: ms(300), warm_up: ms(200) }
        }
    }
}

/// How many contestants run between two slices of the base.
const BETWEEN: usize = 3;

/// Median and quartiles over the rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Spread {
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.retain(|value| value.is_finite());
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        let at = |share: f64| {
            let place = last as f64 * share;
            let (below, above) = (place.floor() as usize, place.ceil() as usize);
            values[below] + (values[above] - values[below]) * place.fract()
        };
        Some(Self { median: at(0.5), low: at(0.25), high: at(0.75) })
    }
}

/// A contestant beside the base of its case.
#[derive(Clone, Debug)]
pub struct Line {
    pub contestant: String,
    pub tasks: usize,
    pub ratio: Spread,
    /// The figure itself, where it repeats.
    pub count: Option<f64>,
}

/// One metric of a case.
#[derive(Clone, Debug)]
pub struct Table {
    /// With the metric behind a slash, unless it is the case's first.
    pub case: String,
    pub metric: Metric,
    pub base: String,
    pub lines: Vec<Line>,
}

/// Runs all rounds with each number of tasks, and compares everyone with the first contestant.
pub fn compare(
    plan: Plan,
    case: &str,
    entrants: &[Entrant],
    tasks: &[usize],
    metrics: &[Metric],
) -> Result<Vec<Table>> {
    let base = entrants.first().map(|base| base.name.clone()).unwrap_or_default();
    let name = |index: usize, metric: Metric| match index {
        0 => case.to_owned(),
        _ => format!("{case}/{}", metric.suffix()),
    };
    let mut tables: Vec<Table> = metrics
        .iter()
        .enumerate()
        .map(|(index, metric)| Table {
            case: name(index, *metric),
            metric: *metric,
            base: base.clone(),
            lines: Vec::new(),
        })
        .collect();
    for tasks in tasks.iter().copied() {
        let part: Vec<&Entrant> = entrants.iter().filter(|entrant| entrant.takes_part(tasks)).collect();
        let rounds = run(plan, &part, tasks)?;
        for table in &mut tables {
            let lines = part.iter().enumerate().filter_map(|(index, entrant)| {
                let ratios = rounds.iter().filter_map(|round| round[index].ratio(table.metric));
                let ratio = Spread::of(ratios.collect())?;
                Some(Line { contestant: entrant.name.clone(), tasks, ratio, count: None })
            });
            let lines: Vec<_> = lines.collect();
            table.lines.extend(lines);
        }
        let figure =
            |table: &Table| Spread::of(rounds.iter().filter_map(|round| round[0].slice.get(table.metric)).collect());
        let figures: Vec<_> = tables.iter().map(figure).collect();
        report::console::tables(&tables, tasks, &figures)?;
    }
    Ok(tables)
}

/// A slice, and those of the base next to it: what else runs on the machine changes within a round.
#[derive(Clone, Copy, Debug, Default)]
struct Compared {
    slice: Slice,
    before: Slice,
    after: Slice,
}

impl Compared {
    fn ratio(&self, metric: Metric) -> Option<f64> {
        let base = (self.before.get(metric)? + self.after.get(metric)?) / 2.0;
        Some(self.slice.get(metric)? / base)
    }
}

/// The slices of each round, in the order of the contestants, whatever the order they ran in.
fn run(plan: Plan, entrants: &[&Entrant], tasks: usize) -> Result<Vec<Vec<Compared>>> {
    for entrant in entrants {
        entrant.run(tasks, plan.warm_up)?;
    }
    let Some((base, others)) = entrants.split_first() else { return Ok(Vec::new()) };
    let mut rounds = Vec::new();
    for round in 0..plan.rounds {
        let mut order: Vec<usize> = (0..others.len()).collect();
        order.rotate_left(round % others.len().max(1));
        // Who runs behind whom changes as well as who is first.
        if round % 2 == 1 {
            order.reverse();
        }
        let mut all = vec![Compared::default(); entrants.len()];
        let mut before = base.run(tasks, plan.slice)?;
        all[0] = Compared { slice: before, before, after: before };
        for part in order.chunks(BETWEEN) {
            for index in part {
                all[index + 1].slice = others[*index].run(tasks, plan.slice)?;
            }
            let after = base.run(tasks, plan.slice)?;
            for index in part {
                (all[index + 1].before, all[index + 1].after) = (before, after);
            }
            before = after;
        }
        rounds.push(all);
    }
    Ok(rounds)
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn quartiles_lie_between_values() {
        let spread = Spread::of(vec![4.0, 1.0, 2.0, f64::NAN, 3.0]);
        assert_eq!(spread, Some(Spread { median: 2.5, low: 1.75, high: 3.25 }));
        assert_eq!(Spread::of(vec![]), None);
    }
}
