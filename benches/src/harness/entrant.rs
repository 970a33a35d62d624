//! A contestant that is ready to run.

use std::{fmt, sync::Arc, thread};

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;

use super::{Load, Record, Slice, slice::Stopwatch};
use crate::{Result, args::Args};

type Runner = Box<dyn Fn(&Load) -> Result<Slice>>;
type Prepare = Box<dyn Fn() -> Result<()>>;

pub struct Entrant {
    pub name: String,
    runner: Runner,
    prepare: Option<Prepare>,
    /// With how many tasks it takes part; with any, if there are none.
    only_with: Vec<usize>,
}

impl Entrant {
    /// One that runs slices by itself.
    pub fn new(name: impl Into<String>, runner: impl Fn(&Load) -> Result<Slice> + 'static) -> Self {
        Self { name: name.into(), runner: Box::new(runner), prepare: None, only_with: Vec::new() }
    }

    /// One whose operations run in so many tasks.
    pub fn tasks(
        name: impl Into<String>,
        handle: Handle,
        task: impl Fn(Load, usize) -> BoxFuture<'static, Result<Record>> + 'static,
    ) -> Self {
        Self::new(name, move |load| {
            let watch = Stopwatch::start();
            let records = handle.block_on(async {
                let tasks: Vec<_> = (0..load.tasks).map(|index| handle.spawn(task(*load, index))).collect();
                let mut records = Vec::new();
                for task in tasks {
                    records.push(task.await??);
                }
                Ok::<_, crate::Error>(records)
            })?;
            watch.stop(records)
        })
    }

    /// One whose operations run in so many threads.
    pub fn threads(
        name: impl Into<String>,
        thread: impl Fn(Load, usize) -> Result<Record> + Send + Sync + 'static,
    ) -> Self {
        let thread = Arc::new(thread);
        Self::new(name, move |load| {
            let watch = Stopwatch::start();
            let start = |index| {
                let (thread, load) = (thread.clone(), *load);
                thread::spawn(move || thread(load, index))
            };
            let threads: Vec<_> = (0..load.tasks).map(start).collect();
            let mut records = Vec::new();
            for thread in threads {
                records.push(thread.join().map_err(|_| "a thread panicked")??);
            }
            watch.stop(records)
        })
    }

    /// Does something before each slice that is not measured.
    pub fn prepared_by(mut self, prepare: impl Fn() -> Result<()> + 'static) -> Self {
        self.prepare = Some(Box::new(prepare));
        self
    }

    pub fn only_with(mut self, tasks: &[usize]) -> Self {
        self.only_with = tasks.to_vec();
        self
    }

    pub fn takes_part(&self, tasks: usize) -> bool {
        self.only_with.is_empty() || self.only_with.contains(&tasks)
    }

    pub fn run(&self, tasks: usize, duration: std::time::Duration) -> Result<Slice> {
        if let Some(prepare) = &self.prepare {
            prepare().map_err(|error| format!("{}: {error}", self.name))?;
        }
        (self.runner)(&Load::new(tasks, duration)).map_err(|error| format!("{}: {error}", self.name).into())
    }
}

impl fmt::Debug for Entrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entrant").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Those of a case that were asked for. The first one is the base, and always takes part.
#[derive(Debug)]
pub struct Entrants<'a> {
    args: &'a Args,
    pub list: Vec<Entrant>,
}

impl<'a> Entrants<'a> {
    pub fn new(args: &'a Args) -> Self {
        Self { args, list: Vec::new() }
    }

    pub fn wants(&self, name: &str) -> bool {
        self.list.is_empty() || self.args.wants_contestant(name)
    }

    pub fn add(&mut self, entrant: Entrant) {
        self.list.push(entrant);
    }

    /// Changes a contestant, if it takes part.
    pub fn change(&mut self, name: &str, change: impl FnOnce(Entrant) -> Entrant) {
        if let Some(place) = self.list.iter().position(|entrant| entrant.name == name) {
            let entrant = self.list.remove(place);
            self.list.insert(place, change(entrant));
        }
    }
}

/// Adds a contestant whose tasks run an operation, `await`ed in the expression, until the slice ends.
///
/// A macro and no function, so that the loop is compiled for the operation, with no call between them that is not there
/// in a program.
#[macro_export]
macro_rules! tasks {
    ($entrants:expr, $handle:expr, $name:expr, $pool:expr, |$ready:ident, $record:ident| $operation:expr) => {
        if $entrants.wants($name) {
            let pool = std::sync::Arc::new($pool);
            $entrants.add($crate::harness::Entrant::tasks($name, $handle.clone(), move |load, task| {
                let pool = std::sync::Arc::clone(&pool);
                Box::pin(async move {
                    let $ready = &*pool;
                    let mut record = $crate::harness::Record::new(&load, task);
                    while record.is_open() {
                        let $record = &mut record;
                        std::hint::black_box($operation);
                        record.done();
                    }
                    Ok(record)
                })
            }));
        }
    };
}

/// Adds a contestant whose threads run an operation until the slice ends. See [`tasks!`](crate::tasks).
#[macro_export]
macro_rules! threads {
    ($entrants:expr, $name:expr, $pool:expr, |$ready:ident, $record:ident| $operation:expr) => {
        if $entrants.wants($name) {
            let pool = std::sync::Arc::new($pool);
            $entrants.add($crate::harness::Entrant::threads($name, move |load, task| {
                let $ready = &*pool;
                let mut record = $crate::harness::Record::new(&load, task);
                while record.is_open() {
                    let $record = &mut record;
                    std::hint::black_box($operation);
                    record.done();
                }
                Ok(record)
            }));
        }
    };
}
