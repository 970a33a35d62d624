//! Mocks that expect a case's steps in their order, and answer what a backend gave when it was asked the same.
//!
//! Rows are answered as built copies, so that what a mock passes through is matched, snapshot and decoded as in a test
//! that has no database.

use std::sync::{Arc, Mutex};

use catamaran::{
    Error, Result, TransactionOptions,
    mock::{
        MockAsyncDatabaseService, MockAsyncSession, MockAsyncTransaction, MockDatabaseService, MockSession,
        MockTransaction, Params, Reply as Later, Sequence, eq, sql_is,
    },
};

use self::statement::{ExpectStatement as _, of_each};
use super::{
    case::{Action, End, Step},
    outcome::Reply,
};

/// A mock that answers from a tape, blocking.
pub(super) fn blocking(steps: &[Step], tape: &[Reply]) -> MockDatabaseService {
    blocking_mocks::script(steps, tape)
}

/// A mock that answers from a tape, async.
pub(super) fn nonblocking(steps: &[Step], tape: &[Reply]) -> MockAsyncDatabaseService {
    async_mocks::script(steps, tape)
}

fn at_once<T>(result: Result<T>) -> Result<T> {
    result
}

fn later<T: Send + 'static>(result: Result<T>) -> Later<T> {
    Box::pin(std::future::ready(result))
}

/// A reply of the kind that an action gives.
macro_rules! reply_of {
    ($tape:expr, $kind:ident) => {
        match $tape.next() {
            Some(Reply::$kind(reply)) => reply.clone(),
            other => panic!("the tape has {other:?} where {} was recorded", stringify!($kind)),
        }
    };
}

mod statement;

/// What a mock answers once it is known, when the expectation is already in its place in the order.
type Slot<T> = Arc<Mutex<Option<T>>>;

fn later_filled<T: Send + 'static>(begun: Result<()>) -> (Slot<T>, impl FnOnce() -> Result<T> + Send) {
    let slot = Slot::default();
    let filled = slot.clone();
    (slot, move || begun.map(|()| filled.lock().unwrap().take().expect("the mock was made")))
}

macro_rules! scripted {
    ($module:ident: $service:ident, $session:ident, $transaction:ident, $ready:ident) => {
        mod $module {
            use super::*;

            enum At<'a> {
                Service,
                Session(&'a mut $session),
                Transaction(&'a mut $transaction),
            }

            struct Script<'t> {
                service: $service,
                tape: std::slice::Iter<'t, Reply>,
                order: Sequence,
            }

            pub(super) fn script(steps: &[Step], tape: &[Reply]) -> $service {
                let mut script = Script { service: $service::new(), tape: tape.iter(), order: Sequence::new() };
                script.steps(&mut At::Service, steps);
                script.service
            }

            impl Script<'_> {
                fn steps(&mut self, at: &mut At<'_>, steps: &[Step]) {
                    for step in steps {
                        self.step(at, &step.action);
                    }
                }

                fn step(&mut self, at: &mut At<'_>, action: &Action) {
                    match action {
                        Action::Begin(options, steps, end) => {
                            let begun = reply_of!(self.tape, Done);
                            let (slot, answer) = later_filled(begun.clone());
                            match at {
                                At::Session(session) => {
                                    let call = session.expect_begin().with(eq(*options)).times(1);
                                    call.in_sequence(&mut self.order).return_once(move |_| $ready(answer()));
                                }
                                _ => {
                                    let call = self.service.expect_begin().with(eq(*options)).times(1);
                                    call.in_sequence(&mut self.order).return_once(move |_| $ready(answer()));
                                }
                            }
                            if begun.is_ok() {
                                *slot.lock().unwrap() = Some(self.transaction(steps, end));
                            }
                        }
                        Action::Savepoint(steps, end) => {
                            let At::Transaction(transaction) = at else { panic!("a savepoint outside a transaction") };
                            let begun = reply_of!(self.tape, Done);
                            let (slot, answer) = later_filled(begun.clone());
                            let call = transaction.expect_savepoint().times(1);
                            call.in_sequence(&mut self.order).return_once(move || $ready(answer()));
                            if begun.is_ok() {
                                *slot.lock().unwrap() = Some(self.transaction(steps, end));
                            }
                        }
                        Action::Session(steps) => {
                            let begun = reply_of!(self.tape, Done);
                            let (slot, answer) = later_filled(begun.clone());
                            let call = self.service.expect_session().times(1);
                            call.in_sequence(&mut self.order).return_once(move || $ready(answer()));
                            if begun.is_ok() {
                                let mut session = $session::new();
                                self.steps(&mut At::Session(&mut session), steps);
                                *slot.lock().unwrap() = Some(session);
                            }
                        }
                        Action::Closure(options, runs) => self.closure(*options, runs),
                        Action::OnService(steps) => self.steps(&mut At::Service, steps),
                        Action::RowsInTransaction(sql, rows, _) => {
                            let texts = reply_of!(self.tape, Texts);
                            let (slot, answer) = later_filled(Ok(()));
                            let call = self.service.expect_begin().with(eq(TransactionOptions::new())).times(1);
                            call.in_sequence(&mut self.order).return_once(move |_| $ready(answer()));
                            let (mut transaction, failed) = ($transaction::new(), texts.is_err());
                            for (row, reply) in rows.iter().zip(of_each(rows.len(), texts)) {
                                let params = Params::of(&[&row.0, &row.1]);
                                let call = transaction.expect_execute().with(sql_is(sql), params).times(1);
                                call.in_sequence(&mut self.order).return_once(move |_, _| $ready(reply));
                            }
                            if failed {
                                let call = transaction.expect_rollback().times(1);
                                call.in_sequence(&mut self.order).return_once(|| $ready(Ok(())));
                            } else {
                                let call = transaction.expect_commit().times(1);
                                call.in_sequence(&mut self.order).return_once(|| $ready(Ok(())));
                            }
                            *slot.lock().unwrap() = Some(transaction);
                        }
                        Action::Ping => {
                            let pong = reply_of!(self.tape, Done);
                            let call = self.service.expect_ping().times(1);
                            call.in_sequence(&mut self.order).return_once(move || $ready(pong));
                        }
                        Action::Status => {
                            let _ = reply_of!(self.tape, Status);
                        }
                        Action::Holders => {
                            let _ = reply_of!(self.tape, Texts);
                        }
                        Action::Close(deadline) => {
                            let closed = reply_of!(self.tape, Done);
                            let call = self.service.expect_close().with(eq(*deadline)).times(1);
                            call.in_sequence(&mut self.order).return_once(move |_| $ready(closed));
                        }
                        _ => self.statement(at, action),
                    }
                }

                fn transaction(&mut self, steps: &[Step], end: &End) -> $transaction {
                    let mut transaction = $transaction::new();
                    self.steps(&mut At::Transaction(&mut transaction), steps);
                    match end {
                        End::Commit(_) => {
                            let ended = reply_of!(self.tape, Done);
                            let call = transaction.expect_commit().times(1);
                            call.in_sequence(&mut self.order).return_once(move || $ready(ended));
                        }
                        End::Rollback(_) => {
                            let ended = reply_of!(self.tape, Done);
                            let call = transaction.expect_rollback().times(1);
                            call.in_sequence(&mut self.order).return_once(move || $ready(ended));
                        }
                        End::Drop => {}
                    }
                    transaction
                }

                /// A begin and an end for each time that the closure was run.
                fn closure(&mut self, options: TransactionOptions, runs: &[(Vec<Step>, Result<()>)]) {
                    for (steps, returned) in runs {
                        if !self.at_attempt() {
                            break;
                        }
                        self.tape.next();
                        let (slot, answer) = later_filled(Ok(()));
                        let call = self.service.expect_begin().with(eq(options)).times(1);
                        call.in_sequence(&mut self.order).return_once(move |_| $ready(answer()));
                        let recorded = self.tape.as_slice();
                        let mut transaction = $transaction::new();
                        self.steps(&mut At::Transaction(&mut transaction), steps);
                        let recorded = &recorded[..recorded.len() - self.tape.len()];
                        if returned.is_err() || recorded.iter().any(|reply| reply.error().is_some()) {
                            let call = transaction.expect_rollback().times(1);
                            call.in_sequence(&mut self.order).return_once(move || $ready(Ok(())));
                        } else {
                            // Only a commit that may be tried again is followed by another run.
                            let again = Err(Error::server("40001", "could not serialize access"));
                            let ended = if self.at_attempt() { again } else { reply_of!(self.tape.clone(), Done) };
                            let call = transaction.expect_commit().times(1);
                            call.in_sequence(&mut self.order).return_once(move || $ready(ended));
                        }
                        *slot.lock().unwrap() = Some(transaction);
                    }
                    let _ = reply_of!(self.tape, Done);
                }

                fn at_attempt(&self) -> bool {
                    matches!(self.tape.as_slice().first(), Some(Reply::Attempt))
                }

                fn statement(&mut self, at: &mut At<'_>, action: &Action) {
                    match at {
                        At::Service => self.service.expect_statement(action, &mut self.tape, &mut self.order),
                        At::Session(mock) => mock.expect_statement(action, &mut self.tape, &mut self.order),
                        At::Transaction(mock) => mock.expect_statement(action, &mut self.tape, &mut self.order),
                    }
                }
            }
        }
    };
}

scripted!(blocking_mocks: MockDatabaseService, MockSession, MockTransaction, at_once);
scripted!(async_mocks: MockAsyncDatabaseService, MockAsyncSession, MockAsyncTransaction, later);
