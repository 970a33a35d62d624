//! Handles, errors and futures can be sent to other threads.
#![allow(missing_docs)]

use std::{panic::UnwindSafe, sync::Arc};

use catamaran::{
    AsyncBulkExt as _, AsyncDatabaseService, AsyncDatabaseServiceExt as _, AsyncExecutor, AsyncSession,
    AsyncTransaction, Batch, BulkOptions, Config, DatabaseService, DeadpoolDatabase, Error, Executor, Outcome,
    R2d2Database, Row, RowIter, RowStream, Services, Session, Transaction, TransactionOptions, Unnest, Value,
};

fn send<T: Send + ?Sized>() {}
fn send_sync<T: Send + Sync + ?Sized>() {}
fn sent<T: Send>(_: T) {}

#[test]
fn handles_and_values() {
    send_sync::<R2d2Database>();
    send_sync::<DeadpoolDatabase>();
    send_sync::<Services>();
    send_sync::<Arc<dyn DatabaseService>>();
    send_sync::<Arc<dyn AsyncDatabaseService>>();
    send_sync::<Box<dyn Transaction>>();
    send_sync::<Box<dyn AsyncTransaction>>();
    send_sync::<Box<dyn Session>>();
    send_sync::<Box<dyn AsyncSession>>();
    send_sync::<dyn Executor>();
    send_sync::<dyn AsyncExecutor>();
    send_sync::<Row>();
    send_sync::<Value>();
    send_sync::<Config>();
    send_sync::<Error>();
    send_sync::<Batch<'static>>();
    send_sync::<Outcome>();
    send_sync::<Unnest<'static>>();
    send::<BulkOptions<'static>>();
    send::<RowIter<'static>>();
    send::<RowStream<'static>>();
    fn unwind<T: UnwindSafe>() {}
    unwind::<Config>();
}

#[test]
fn futures() {
    #[allow(dead_code)]
    fn check(db: &dyn AsyncDatabaseService, stream: &mut RowStream<'_>) {
        sent(db.execute("", &[&1i64]));
        sent(db.fetch_all("", &[]));
        sent(db.fetch_stream("", &[]));
        sent(db.execute_many("", &[&[&1i64]]));
        sent(db.run_batch(&Batch::new()));
        sent(db.execute_rows("", [(1i64,)], BulkOptions::new()));
        sent(db.execute_rows_in_transaction(TransactionOptions::new(), "", [(1i64,)], BulkOptions::new()));
        sent(db.execute_unnest("", [(1i64,)], BulkOptions::new()));
        sent(db.copy_rows_in_with("", &[], [(1i64,)], BulkOptions::new()));
        sent(db.begin(TransactionOptions::new()));
        sent(db.session());
        sent(stream.next());
    }
}
