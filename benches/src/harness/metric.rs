//! What is compared.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Operations a second; more is better. Of everything else, less.
    Throughput,
    /// The time for an operation, where a case is about one that is long.
    Time,
    Mean,
    P50,
    P99,
    Max,
    /// The client's CPU time for an operation.
    Cpu,
    /// A figure of its case's own, by its name.
    Other(&'static str),
    /// A figure that repeats, and is therefore told as it is, by its name.
    Count(&'static str),
}

impl Metric {
    /// What stands behind the name of the case, if this is not the case's first metric.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::Time => "time",
            Self::Mean => "mean",
            Self::P50 => "p50",
            Self::P99 => "p99",
            Self::Max => "max",
            Self::Cpu => "cpu",
            Self::Other(name) | Self::Count(name) => name,
        }
    }

    pub fn title(self) -> String {
        match self {
            Self::Throughput => "throughput (more is better)".into(),
            Self::Time => "time (less is better)".into(),
            Self::Mean => "mean latency (less is better)".into(),
            Self::P50 => "median latency (less is better)".into(),
            Self::P99 => "p99 latency (less is better)".into(),
            Self::Max => "longest latency (less is better)".into(),
            Self::Cpu => "client CPU per operation (less is better)".into(),
            Self::Other(name) => format!("{name} (less is better)"),
            Self::Count(name) => format!("{name}, absolute (less is better)"),
        }
    }

    pub fn is_count(self) -> bool {
        matches!(self, Self::Count(_))
    }

    /// A figure in words, for whoever watches.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Throughput => format!("{value:.0}/s"),
            Self::Count(_) | Self::Other(_) => format!("{value:.1}"),
            _ if value < 1e-3 => format!("{:.1} µs", value * 1e6),
            _ => format!("{:.2} ms", value * 1e3),
        }
    }
}
