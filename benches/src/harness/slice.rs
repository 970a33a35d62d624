//! What one contestant did in one slice.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::{Metric, Record};
use crate::Result;

/// Figures of a slice; what was not measured is `None`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slice {
    /// Operations a second.
    pub rate: f64,
    /// Latencies in seconds.
    pub mean: Option<f64>,
    pub p50: Option<f64>,
    pub p99: Option<f64>,
    pub max: Option<f64>,
    /// This process's CPU seconds for an operation.
    pub cpu: Option<f64>,
    /// What a case measures that nothing else does.
    pub other: Option<f64>,
}

/// The start of a slice.
#[derive(Debug)]
pub(super) struct Stopwatch {
    begin: Instant,
    cpu: Duration,
}

impl Stopwatch {
    pub(super) fn start() -> Self {
        Self { begin: Instant::now(), cpu: cpu_time() }
    }

    pub(super) fn stop(self, records: Vec<Record>) -> Result<Slice> {
        let (elapsed, cpu) = (self.begin.elapsed(), cpu_time().saturating_sub(self.cpu));
        let count: u64 = records.iter().map(|record| record.count).sum();
        if count == 0 {
            return Err("nothing was done in a slice".into());
        }
        let count = count as f64;
        let mut all: Vec<u32> = records.into_iter().flat_map(|record| record.latencies).collect();
        let mut at = |share: f64| {
            let place = ((all.len() as f64 * share) as usize).min(all.len().checked_sub(1)?);
            Some(f64::from(*all.select_nth_unstable(place).1) * 1e-9)
        };
        let (p50, p99, max) = (at(0.5), at(0.99), at(1.0));
        let sum: f64 = all.iter().map(|latency| f64::from(*latency)).sum();
        Ok(Slice {
            rate: count / elapsed.as_secs_f64(),
            mean: (!all.is_empty()).then(|| sum * 1e-9 / all.len() as f64),
            p50,
            p99,
            max,
            cpu: Some(cpu.as_secs_f64() / count),
            other: None,
        })
    }
}

impl Slice {
    pub fn get(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Throughput => Some(self.rate),
            Metric::Time => Some(1.0 / self.rate),
            Metric::Mean => self.mean,
            Metric::P50 => self.p50,
            Metric::P99 => self.p99,
            Metric::Max => self.max,
            Metric::Cpu => self.cpu,
            Metric::Other(_) => self.other,
            Metric::Count(_) => None,
        }
    }
}

/// What all threads of this process used.
fn cpu_time() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), u32::try_from(spent.tv_nsec).unwrap_or_default())
}
