//! A blocking call: whether it may run here, and how.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tokio::task::block_in_place;

use super::{
    policy::{Policy, Rules},
    report::{self, Noticed},
    thread::{Allowed, Standing, note_call, standing},
};
use crate::{Error, ErrorKind, Result, call::Call, holders::Origin};

/// What looks at each call of a blocking service before it has a connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guard(Arc<Rules>);

impl Guard {
    pub(crate) fn new(rules: Rules) -> Self {
        Self(Arc::new(rules))
    }

    /// Runs a call where it may run: here, or where this thread's tasks do not wait for it.
    #[track_caller]
    pub(crate) fn call<T: Send>(
        &self,
        operation: &'static str,
        statement: Option<&str>,
        run: impl FnOnce() -> Result<T> + Send,
    ) -> Result<T> {
        self.run(Call::here(operation), statement, run)
    }

    /// The same for a call that belongs to a place where something was begun.
    pub(crate) fn run<T: Send>(
        &self,
        call: Call,
        statement: Option<&str>,
        run: impl FnOnce() -> Result<T> + Send,
    ) -> Result<T> {
        let run = move || call.pin(run);
        let poll = match standing() {
            Standing::Free => return run(),
            Standing::FreeOnRuntime => return block_in_place(run),
            Standing::Polls(poll) if poll.is_allowed => return elsewhere(poll.hands_over, run),
            Standing::Polls(poll) => poll,
        };
        note_call(call.site());
        let (policy, ended) = self.0.of(poll.route.as_deref(), call.location);
        let noticed = Noticed { route: poll.route.clone(), call, statement, ended };
        match policy {
            Policy::Off => elsewhere(poll.hands_over, run),
            Policy::Warn => {
                let began = Instant::now();
                let result = elsewhere(poll.hands_over, run);
                report::note_call(&noticed, began.elapsed());
                result
            }
            Policy::Error => {
                report::note_call(&noticed, Duration::ZERO);
                Err(Error::on_runtime(&noticed.to_string()))
            }
            Policy::Panic => {
                report::note_call(&noticed, Duration::ZERO);
                refuse(noticed.to_string())
            }
        }
    }
}

#[allow(clippy::panic, reason = "a policy that has to be chosen, for tests")]
fn refuse(call: String) -> ! {
    panic_any(call)
}

/// Runs a call that blocks while the calling thread polls a future.
///
/// On a worker of several, another thread takes over its tasks. Elsewhere, and within a `LocalSet`, where tokio does not
/// permit that, the call runs on a thread of its own, since the driver can't be used on this one.
fn elsewhere<T: Send>(hands_over: bool, call: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let mut call = Some(call);
    if hands_over {
        let tried = catch_unwind(AssertUnwindSafe(|| {
            block_in_place(|| {
                let _allowed = Allowed::begin();
                call.take().map(|call| call())
            })
        }));
        match tried {
            Ok(Some(result)) => return result,
            Ok(None) => {}
            Err(panic) if call.is_none() => resume_unwind(panic),
            Err(_) => {}
        }
    }
    let Some(call) = call else { return Err(Error::on_runtime("the call was not made")) };
    let origin = Origin::here();
    thread::scope(|scope| {
        let call = || origin.enter(call);
        let helper = thread::Builder::new().name("catamaran-helper".into()).spawn_scoped(scope, call);
        match helper.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(error) => Err(Error::with_source(ErrorKind::OnRuntime, "no thread could be started for it", error)),
        }
    })
}
