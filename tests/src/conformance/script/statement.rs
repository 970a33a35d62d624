//! One statement, expected of any of the six mocks.

use std::slice::Iter;

use catamaran::{
    Bytes, Error, ErrorKind, Outcome, Result, Row,
    mock::{
        Items, MockAsyncDatabaseService, MockAsyncSession, MockAsyncTransaction, MockDatabaseService, MockSession,
        MockTransaction, Params, Sequence, eq, sql_is,
    },
};

use super::{at_once, later};
use crate::conformance::{
    blocking::borrowed,
    case::{Action, Want},
    outcome::Reply,
    typed::{Pair, Typed},
};

/// A mock that can be told to expect a statement.
pub(super) trait ExpectStatement {
    /// Expects a statement next, and answers with what the tape has for it.
    fn expect_statement(&mut self, action: &Action, tape: &mut Iter<'_, Reply>, order: &mut Sequence);
}

fn built(rows: Vec<Row>) -> Vec<Row> {
    rows.iter().map(Row::to_built).collect()
}

fn items<T>(items: Result<Vec<Result<T>>>, copy: impl Fn(T) -> T) -> Result<Items<T>> {
    items.map(|items| items.into_iter().map(|item| item.map(&copy)).collect::<Vec<_>>().into())
}

fn is_own(error: &Error) -> bool {
    error.kind() != ErrorKind::Server
}

/// The number of rows in a text that says what was told.
fn rows_of(texts: &[String]) -> u64 {
    texts[0].split(' ').next().and_then(|number| number.parse().ok()).expect("a number of rows")
}

/// Answers of which the sum, or the first error, is what was recorded.
pub(super) fn of_each(calls: usize, recorded: Result<Vec<String>>) -> Vec<Result<u64>> {
    match recorded {
        Ok(texts) => (0..calls).map(|call| Ok(if call == 0 { rows_of(&texts) } else { 0 })).collect(),
        Err(error) => {
            let failing = error.index().unwrap_or(0);
            (0..failing).map(|_| Ok(0)).chain([Err(error)]).collect()
        }
    }
}

fn arrays(rows: &[Pair]) -> Params {
    let (ids, names): (Vec<_>, Vec<_>) = rows.iter().cloned().unzip();
    Params::of(&[&ids, &names])
}

macro_rules! expect_statement {
    ($($mock:ident: $expect_stream:ident, $ready:ident;)+) => {$(
        impl ExpectStatement for $mock {
            fn expect_statement(&mut self, action: &Action, tape: &mut Iter<'_, Reply>, order: &mut Sequence) {
                match action {
                    Action::Execute(sql, params) => {
                        let reply = reply_of!(tape, Count);
                        let call = self.expect_execute().with(sql_is(sql), Params::of(&borrowed(params))).times(1);
                        call.in_sequence(order).return_once(move |_, _| $ready(reply));
                    }
                    Action::FetchAll(sql, params) | Action::FetchEach(sql, params) => {
                        let reply = reply_of!(tape, Rows).map(built);
                        let call = self.expect_fetch_all().with(sql_is(sql), Params::of(&borrowed(params))).times(1);
                        call.in_sequence(order).return_once(move |_, _| $ready(reply));
                    }
                    Action::FetchOne(sql, params) => {
                        let reply = reply_of!(tape, Row).map(|row| row.to_built());
                        let call = self.expect_fetch_one().with(sql_is(sql), Params::of(&borrowed(params))).times(1);
                        call.in_sequence(order).return_once(move |_, _| $ready(reply));
                    }
                    Action::FetchOptional(sql, params) => {
                        let reply = reply_of!(tape, Optional).map(|row| row.map(|row| row.to_built()));
                        let call = self.expect_fetch_optional().with(sql_is(sql), Params::of(&borrowed(params)));
                        call.times(1).in_sequence(order).return_once(move |_, _| $ready(reply));
                    }
                    Action::Batch(sql) => {
                        let reply = reply_of!(tape, Done);
                        let call = self.expect_batch_execute().with(sql_is(sql)).times(1);
                        call.in_sequence(order).return_once(move |_| $ready(reply));
                    }
                    Action::Stream(sql, params, _, meanwhile) => {
                        let reply = items(reply_of!(tape, Stream), |row| row.to_built());
                        let opened = reply.is_ok();
                        let call = self.$expect_stream().with(sql_is(sql), Params::of(&borrowed(params))).times(1);
                        call.in_sequence(order).return_once(move |_, _| $ready(reply));
                        for step in meanwhile.iter().filter(|_| opened) {
                            self.expect_statement(&step.action, tape, order);
                        }
                    }
                    // A mock returns an error among the chunks by itself.
                    Action::CopyIn(_, chunks) if chunks.iter().any(Result::is_err) => {
                        let _ = reply_of!(tape, Count);
                    }
                    Action::CopyIn(sql, chunks) => {
                        let reply = reply_of!(tape, Count);
                        let data: Vec<u8> = chunks.iter().flatten().flatten().copied().collect();
                        let call = self.expect_copy_in().with(sql_is(sql), eq(Bytes::from(data))).times(1);
                        call.in_sequence(order).return_once(move |_, _| $ready(reply));
                    }
                    Action::CopyOut(sql, _) => {
                        let reply = items(reply_of!(tape, Chunks), |chunk| chunk);
                        let call = self.expect_copy_out().with(sql_is(sql)).times(1);
                        call.in_sequence(order).return_once(move |_| $ready(reply));
                    }
                    Action::Describe(sql) => {
                        let reply = reply_of!(tape, Description);
                        let call = self.expect_describe().with(sql_is(sql)).times(1);
                        call.in_sequence(order).return_once(move |_| $ready(reply));
                    }
                    Action::Many(sql, sets) => {
                        let counted = reply_of!(tape, Counts);
                        for (index, set) in sets.iter().enumerate() {
                            let reply = match &counted {
                                Ok(counts) => Ok(counts[index]),
                                Err(error) if error.index() == Some(index) => Err(error.clone()),
                                Err(_) => Ok(0),
                            };
                            let failed = reply.is_err();
                            let call = self.expect_execute().with(sql_is(sql), Params::of(&borrowed(set))).times(1);
                            call.in_sequence(order).return_once(move |_, _| $ready(reply));
                            if failed {
                                break;
                            }
                        }
                    }
                    Action::RunBatch(statements) => {
                        let came = reply_of!(tape, Each);
                        for (index, (want, sql, params)) in statements.iter().enumerate() {
                            let reply = match &came {
                                Ok(outcomes) => Ok(outcomes[index].clone()),
                                Err(error) if error.index() == Some(index) => Err(error.clone()),
                                Err(_) => Ok(Outcome::Count(0)),
                            };
                            let failed = reply.is_err();
                            let params = Params::of(&borrowed(params));
                            match want {
                                Want::Count => {
                                    let call = self.expect_execute().with(sql_is(sql), params).times(1);
                                    let reply = reply.map(|outcome| outcome.count());
                                    call.in_sequence(order).return_once(move |_, _| $ready(reply));
                                }
                                Want::Rows => {
                                    let call = self.expect_fetch_all().with(sql_is(sql), params).times(1);
                                    let reply = reply.map(|outcome| built(outcome.into_rows()));
                                    call.in_sequence(order).return_once(move |_, _| $ready(reply));
                                }
                            }
                            if failed {
                                break;
                            }
                        }
                    }
                    Action::Typed(typed) => {
                        let mut again = tape.clone();
                        for action in typed.base() {
                            self.expect_statement(&action, tape, order);
                        }
                        match typed {
                            // The texts of the rest are the library's own.
                            Typed::RowsIn(..) | Typed::IterIn(..) => {
                                let description = reply_of!(again, Description);
                                let counted = reply_of!(tape, Count);
                                let refused = counted.as_ref().is_err_and(|error| error.kind() != ErrorKind::Server);
                                let copies = description.is_ok() && !refused;
                                // An error's position is one in the library's own text.
                                let described = match (description, &counted) {
                                    (Err(_), Err(error)) => Err(error.clone()),
                                    (description, _) => description,
                                };
                                let call = self.expect_describe().times(1);
                                call.in_sequence(order).return_once(move |_| $ready(described));
                                if copies {
                                    let call = self.expect_copy_in().times(1);
                                    call.in_sequence(order).return_once(move |_, _| $ready(counted));
                                }
                            }
                            Typed::RowsOut(_) => {
                                let description = reply_of!(again, Description);
                                let chunks = items(reply_of!(again, Chunks), |chunk| chunk);
                                let _ = reply_of!(tape, Stream);
                                let copies = description.is_ok();
                                let call = self.expect_describe().times(1);
                                call.in_sequence(order).return_once(move |_| $ready(description));
                                if copies {
                                    let call = self.expect_copy_out().times(1);
                                    call.in_sequence(order).return_once(move |_| $ready(chunks));
                                }
                            }
                            // The same, told of their progress.
                            Typed::RowsInTold(..) | Typed::IterInTold(..) => {
                                let description = reply_of!(again, Description);
                                let counted = reply_of!(tape, Texts).map(|texts| rows_of(&texts));
                                let copies = description.is_ok() && !counted.as_ref().is_err_and(is_own);
                                let call = self.expect_describe().times(1);
                                call.in_sequence(order).return_once(move |_| $ready(description));
                                if copies {
                                    let call = self.expect_copy_in().times(1);
                                    call.in_sequence(order).return_once(move |_, _| $ready(counted));
                                }
                            }
                            Typed::Execute(sql, rows, _) => {
                                for (row, reply) in rows.iter().zip(of_each(rows.len(), reply_of!(tape, Texts))) {
                                    let params = Params::of(&[&row.0, &row.1]);
                                    let call = self.expect_execute().with(sql_is(sql), params).times(1);
                                    call.in_sequence(order).return_once(move |_, _| $ready(reply));
                                }
                            }
                            Typed::Unnest(sql, rows, chunk) => {
                                let chunks: Vec<_> = rows.chunks(*chunk).map(arrays).collect();
                                for (params, reply) in chunks.iter().zip(of_each(chunks.len(), reply_of!(tape, Texts))) {
                                    let call = self.expect_execute().with(sql_is(sql), params.clone()).times(1);
                                    call.in_sequence(order).return_once(move |_, _| $ready(reply));
                                }
                            }
                            Typed::FetchUnnest(sql, rows) => {
                                let reply = reply_of!(tape, Rows).map(built);
                                if !rows.is_empty() {
                                    let call = self.expect_fetch_all().with(sql_is(sql), arrays(rows)).times(1);
                                    call.in_sequence(order).return_once(move |_, _| $ready(reply));
                                }
                            }
                            _ => {
                                for action in typed.base() {
                                    self.expect_statement(&action, &mut again, order);
                                }
                                let _ = reply_of!(tape, Texts);
                            }
                        }
                    }
                    other => panic!("{other:?} is no statement"),
                }
            }
        }
    )+};
}

expect_statement! {
    MockDatabaseService: expect_fetch_iter, at_once;
    MockSession: expect_fetch_iter, at_once;
    MockTransaction: expect_fetch_iter, at_once;
    MockAsyncDatabaseService: expect_fetch_stream, later;
    MockAsyncSession: expect_fetch_stream, later;
    MockAsyncTransaction: expect_fetch_stream, later;
}
