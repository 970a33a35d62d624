//! The interpreter on the blocking traits. Its twin is `nonblocking`, function by function.

use std::sync::Mutex;

use catamaran::{
    Batch, BulkOptions, BytesIter, DatabaseService, DatabaseServiceExt as _, Executor, Iter, Result, RowIter, Session,
    ToSql, Transaction, TransactionOptions,
};

use super::{
    case::{Action, End, Param, Step, Want},
    outcome::{Reply, operations},
    typed::told_as_text,
};

/// What steps are done to.
enum At<'a> {
    Service,
    Session(&'a mut dyn Session),
    Transaction(&'a mut dyn Transaction),
    /// One whose stream is open.
    Streaming(&'a dyn Executor),
}

/// Does the steps, and returns what each gave.
pub(super) fn run(service: &dyn DatabaseService, steps: &[Step]) -> Vec<Reply> {
    let mut run = Run { service: Some(service), tape: Vec::new() };
    run.steps(&mut At::Service, steps);
    run.tape
}

/// Does one statement, and returns what came of it.
pub(super) fn statement(db: &dyn Executor, action: &Action) -> Vec<Reply> {
    let mut run = Run { service: None, tape: Vec::new() };
    run.statement(db, action);
    run.tape
}

struct Run<'s> {
    /// `None` where an executor is all there is.
    service: Option<&'s dyn DatabaseService>,
    tape: Vec<Reply>,
}

impl<'s> Run<'s> {
    fn service(&self) -> &'s dyn DatabaseService {
        self.service.expect("a step on the service where there is none")
    }

    fn steps(&mut self, at: &mut At<'_>, steps: &[Step]) {
        for step in steps {
            self.step(at, &step.action);
        }
    }

    fn step(&mut self, at: &mut At<'_>, action: &Action) {
        match action {
            Action::Begin(options, steps, end) => {
                let transaction: Result<Box<dyn Transaction + '_>> = match at {
                    At::Session(session) => session.begin(*options),
                    _ => self.service().begin(*options).map(|transaction| transaction as _),
                };
                self.transaction(transaction, steps, end);
            }
            Action::Savepoint(steps, end) => {
                let At::Transaction(transaction) = at else { panic!("a savepoint outside a transaction") };
                let savepoint = transaction.savepoint();
                self.transaction(savepoint, steps, end);
            }
            Action::Session(steps) => match self.service().session() {
                Ok(mut session) => {
                    self.tape.push(Reply::Done(Ok(())));
                    self.steps(&mut At::Session(&mut *session), steps);
                }
                Err(error) => self.tape.push(Reply::Done(Err(error))),
            },
            Action::Closure(options, runs) => self.closure(*options, runs),
            Action::OnService(steps) => self.steps(&mut At::Service, steps),
            Action::RowsInTransaction(sql, rows, chunk) => {
                let mut told = Vec::new();
                let options = BulkOptions::new().chunk(*chunk).progress(|rows| told.push(rows));
                let begin = TransactionOptions::new();
                let affected = self.service().execute_rows_in_transaction(begin, sql, rows.clone(), options);
                self.tape.push(Reply::Texts(affected.map(|affected| vec![told_as_text(affected, &told)])));
            }
            Action::Ping => self.tape.push(Reply::Done(self.service().ping())),
            Action::Status => self.tape.push(Reply::Status(self.service().status())),
            Action::Holders => self.tape.push(operations(&self.service().holders())),
            Action::Close(deadline) => self.tape.push(Reply::Done(self.service().close(*deadline))),
            _ => match at {
                At::Service => self.statement(self.service(), action),
                At::Session(session) => self.statement(&**session, action),
                At::Transaction(transaction) => self.statement(&**transaction, action),
                At::Streaming(executor) => self.statement(*executor, action),
            },
        }
    }

    fn transaction(&mut self, begun: Result<Box<dyn Transaction + '_>>, steps: &[Step], end: &End) {
        let mut transaction = match begun {
            Ok(transaction) => transaction,
            Err(error) => return self.tape.push(Reply::Done(Err(error))),
        };
        self.tape.push(Reply::Done(Ok(())));
        self.steps(&mut At::Transaction(&mut *transaction), steps);
        match end {
            End::Commit(_) => self.tape.push(Reply::Done(transaction.commit())),
            End::Rollback(_) => self.tape.push(Reply::Done(transaction.rollback())),
            End::Drop => drop(transaction),
        }
    }

    fn closure(&mut self, options: TransactionOptions, runs: &[(Vec<Step>, Result<()>)]) {
        let service = self.service();
        let state = Mutex::new((self, runs.iter()));
        let ended = service.transaction(options, |transaction| {
            let (run, runs) = &mut *state.lock().unwrap();
            let (steps, returned) = runs.next().expect("no more runs than the case has");
            run.tape.push(Reply::Attempt);
            let begun = run.tape.len();
            run.steps(&mut At::Transaction(&mut **transaction), steps);
            run.tape[begun..].iter().find_map(Reply::error).map_or_else(|| returned.clone(), |error| Err(error.clone()))
        });
        state.into_inner().unwrap().0.tape.push(Reply::Done(ended));
    }

    fn statement(&mut self, db: &dyn Executor, action: &Action) {
        let reply = match action {
            Action::Execute(sql, params) => Reply::Count(db.execute(sql, &borrowed(params))),
            Action::FetchAll(sql, params) => Reply::Rows(db.fetch_all(sql, &borrowed(params))),
            Action::FetchEach(sql, params) => {
                let mut rows = Vec::new();
                let mut keep = |row: &catamaran::Row| {
                    rows.push(row.clone());
                    Ok(())
                };
                let ended = db.fetch_each(sql, &borrowed(params), &mut keep);
                Reply::Rows(ended.map(|()| rows))
            }
            Action::FetchOne(sql, params) => Reply::Row(db.fetch_one(sql, &borrowed(params))),
            Action::FetchOptional(sql, params) => Reply::Optional(db.fetch_optional(sql, &borrowed(params))),
            Action::Batch(sql) => Reply::Done(db.batch_execute(sql)),
            Action::Stream(sql, params, some, meanwhile) => {
                return self.stream(db, db.fetch_iter(sql, &borrowed(params)), *some, meanwhile);
            }
            Action::CopyIn(sql, chunks) => Reply::Count(db.copy_in(sql, &mut chunks.iter().cloned())),
            Action::CopyOut(sql, some) => {
                Reply::Chunks(db.copy_out(sql).map(|mut chunks: BytesIter<'_>| take(&mut chunks, *some)))
            }
            Action::Describe(sql) => Reply::Description(db.describe(sql)),
            Action::Many(sql, sets) => {
                let sets: Vec<_> = sets.iter().map(|set| borrowed(set)).collect();
                let sets: Vec<_> = sets.iter().map(Vec::as_slice).collect();
                Reply::Counts(db.execute_many(sql, &sets))
            }
            Action::RunBatch(statements) => Reply::Each(db.run_batch(&batch(statements))),
            Action::Typed(typed) => {
                for action in typed.base() {
                    self.statement(db, &action);
                }
                typed.run(db)
            }
            other => panic!("{other:?} is no statement"),
        };
        self.tape.push(reply);
    }

    fn stream(&mut self, db: &dyn Executor, opened: Result<RowIter<'_>>, some: Option<usize>, meanwhile: &[Step]) {
        match opened {
            Ok(mut rows) => {
                let taken = take(&mut rows, some);
                self.tape.push(Reply::Stream(Ok(taken)));
                self.steps(&mut At::Streaming(db), meanwhile);
            }
            Err(error) => self.tape.push(Reply::Stream(Err(error))),
        }
    }
}

pub(super) fn take<T>(items: &mut Iter<'_, T>, some: Option<usize>) -> Vec<Result<T>> {
    let mut taken = Vec::new();
    while some.is_none_or(|some| taken.len() < some) {
        let Some(item) = items.next() else { break };
        let failed = item.is_err();
        taken.push(item);
        if failed {
            break;
        }
    }
    taken
}

/// Statements as the traits take them.
pub(super) fn batch(statements: &[(Want, String, Vec<Param>)]) -> Batch<'_> {
    statements.iter().fold(Batch::new(), |batch, (want, sql, params)| match want {
        Want::Count => batch.execute(sql, &borrowed(params)),
        Want::Rows => batch.fetch_all(sql, &borrowed(params)),
    })
}

/// Parameters as the traits take them.
pub(super) fn borrowed(params: &[Param]) -> Vec<&(dyn ToSql + Sync)> {
    params.iter().map(|param| &**param as &(dyn ToSql + Sync)).collect()
}
