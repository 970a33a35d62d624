//! A run of some cases.

use tokio::runtime::{Handle, Runtime};

use crate::{
    Result,
    args::Args,
    harness::{Entrants, Metric, Plan, Table, compare},
    site::Site,
};

/// As many connections as every pool may open.
pub const POOL: usize = 8;

/// What all cases share.
#[derive(Debug)]
pub struct Bench {
    pub args: Args,
    pub plan: Plan,
    pub site: Site,
    runtime: Runtime,
}

impl Bench {
    pub fn new(args: Args) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        Ok(Self { plan: Plan::new(args.quick), args, site: Site::default(), runtime })
    }

    pub fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    pub fn entrants(&self) -> Entrants<'_> {
        Entrants::new(&self.args)
    }

    pub fn compare(
        &self,
        case: &str,
        entrants: &Entrants<'_>,
        tasks: &[usize],
        metrics: &[Metric],
    ) -> Result<Vec<Table>> {
        compare(self.plan, case, &entrants.list, tasks, metrics)
    }

    /// Runs something async where nothing is measured.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}
