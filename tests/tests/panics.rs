//! Parameters whose encoding panics: the panic goes on in the caller, and nobody else notices.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{
    error::Error as StdError,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use catamaran::{
    AsyncDatabaseService, AsyncExecutor as _, Batch, DeadpoolDatabase, Offloaded, R2d2Database, ToSql,
    TransactionOptions,
};
use catamaran_testkit::Database;
use catamaran_tests::{
    hull::both,
    ids::{INSERT, config, database},
};
use futures_util::FutureExt as _;
use postgres_types::{Format, IsNull, Type, private::BytesMut};
use tokio::runtime::Runtime;

/// Where a parameter panics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Boom {
    InValue,
    InFormat,
}

impl ToSql for Boom {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        out.extend_from_slice(b"half of it");
        panic!("as a user's own code may")
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        if *self == Self::InFormat { panic!("as a user's own code may") } else { Format::Binary }
    }

    postgres_types::to_sql_checked!();
}

/// Takes away what stands in the buffer that it is given.
#[derive(Debug)]
struct Grabs(i64);

impl ToSql for Grabs {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        out.clear();
        self.0.to_sql(ty, out)
    }

    fn accepts(ty: &Type) -> bool {
        <i64 as ToSql>::accepts(ty)
    }

    postgres_types::to_sql_checked!();
}

const BOTH: [Boom; 2] = [Boom::InValue, Boom::InFormat];

fn count(database: &Database) -> String {
    database.texts("SELECT count(*) FROM t").unwrap().remove(0).unwrap()
}

#[test]
fn a_panic_goes_on_in_the_caller_and_spares_the_next() {
    let database = database();
    for db in both(&config(&database)).unwrap() {
        for boom in BOTH {
            let boom = &boom as &(dyn ToSql + Sync);
            let panics: [&dyn Fn(); 4] = [
                &|| drop(db.execute(INSERT, &[boom])),
                &|| drop(db.fetch_all("SELECT $1::int8", &[boom])),
                &|| drop(db.execute_many(INSERT, &[&[&1i64], &[boom]])),
                &|| drop(db.run_batch(&Batch::new().execute(INSERT, &[&1i64]).execute(INSERT, &[boom]))),
            ];
            for call in panics {
                let panic = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
                assert_eq!(panic.downcast_ref(), Some(&"as a user's own code may"), "{db}");
                assert_eq!(count(&database), "0", "{db}");
                assert_eq!(db.execute(INSERT, &[&1i64]).unwrap(), 1, "{db}");
                assert_eq!(db.execute("DELETE FROM t", &[]).unwrap(), 1, "{db}");
            }
        }
    }
}

/// Callers beside one that panics, on the one connection that they share, get their own answers.
#[test]
fn neighbours_on_a_shared_connection_are_spared() {
    let database = database();
    Runtime::new().unwrap().block_on(async {
        let db: Arc<dyn AsyncDatabaseService> = Arc::new(DeadpoolDatabase::new(config(&database)).unwrap());
        let pid: i32 = db.fetch_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0).unwrap();
        let neighbours: Vec<_> = (0..8i64)
            .map(|task| {
                let db = db.clone();
                tokio::spawn(async move {
                    for turn in 0..200 {
                        let row = db.fetch_one("SELECT $1::int8", &[&(task * 1_000 + turn)]).await.unwrap();
                        assert_eq!(row.get::<i64>(0).unwrap(), task * 1_000 + turn);
                    }
                })
            })
            .collect();
        for turn in 0..100 {
            let boom = BOTH[turn % 2];
            let call = async { db.fetch_one("SELECT $1::int8", &[&boom]).await.map(drop) };
            assert!(AssertUnwindSafe(call).catch_unwind().await.is_err());
            let grabbed = db.fetch_one("SELECT $1::int8 + $2::int8", &[&1i64, &Grabs(2)]).await.unwrap();
            assert_eq!(grabbed.get::<i64>(0).unwrap(), 3);
        }
        for neighbour in neighbours {
            neighbour.await.unwrap();
        }
        let after: i32 = db.fetch_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0).unwrap();
        assert_eq!(after, pid, "the connection was given up");
    });
}

/// A transaction is dropped by the panic, and with it what was done in it; the session goes on.
#[test]
fn a_transaction_ends_with_the_panic() {
    let database = database();
    Runtime::new().unwrap().block_on(async {
        let config = config(&database);
        let blocking = Arc::new(R2d2Database::new(config.clone()).unwrap());
        let services: [Arc<dyn AsyncDatabaseService>; 2] =
            [Arc::new(DeadpoolDatabase::new(config).unwrap()), Arc::new(Offloaded::new(blocking))];
        for db in services {
            for boom in BOTH {
                let mut session = db.session().await.unwrap();
                let call = async {
                    let tx = session.begin(TransactionOptions::new()).await.unwrap();
                    tx.execute(INSERT, &[&1i64]).await.unwrap();
                    tx.execute(INSERT, &[&boom]).await.map(drop)
                };
                assert!(AssertUnwindSafe(call).catch_unwind().await.is_err());
                session.execute(INSERT, &[&2i64]).await.unwrap();
                drop(session);
                assert_eq!(
                    database.texts("WITH gone AS (DELETE FROM t RETURNING id) SELECT id FROM gone").unwrap(),
                    [Some("2".into())]
                );
            }
        }
    });
}
