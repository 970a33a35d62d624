//! A call through the traits that ends in nothing: what they and their extensions cost.

use std::{hint::black_box, sync::Arc};

use bytes::Bytes;
use catamaran::{
    AsyncExecutor, BytesIter, BytesStream, Description, Error, ErrorKind, Executor, Result, Row, RowIter, RowStream,
    ToSql, async_trait, prelude::*,
};
use futures_util::{FutureExt as _, Stream};

use crate::Operation;

pub(crate) const SQL: &str = "SELECT 1";

/// Has one row for everybody, and cannot do much else.
pub(crate) struct Nothing(pub(crate) Row);

fn refused<T>() -> Result<T> {
    Err(Error::new(ErrorKind::WrongStatement, "this is not measured"))
}

impl Executor for Nothing {
    fn execute(&self, _: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        Ok(params.len() as u64)
    }

    fn fetch_all(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        Ok(vec![self.0.clone()])
    }

    fn fetch_one(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        Ok(self.0.clone())
    }

    fn fetch_optional(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        Ok(None)
    }

    fn batch_execute(&self, _: &str) -> Result<()> {
        refused()
    }

    fn fetch_iter(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<RowIter<'_>> {
        refused()
    }

    fn copy_in(&self, _: &str, _: &mut (dyn Iterator<Item = Result<Bytes>> + Send)) -> Result<u64> {
        refused()
    }

    fn copy_out(&self, _: &str) -> Result<BytesIter<'_>> {
        refused()
    }

    fn describe(&self, _: &str) -> Result<Description> {
        refused()
    }
}

#[async_trait]
impl AsyncExecutor for Nothing {
    async fn execute(&self, _: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        Ok(params.len() as u64)
    }

    async fn fetch_all(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        Ok(vec![self.0.clone()])
    }

    async fn fetch_one(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        Ok(self.0.clone())
    }

    async fn fetch_optional(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        Ok(None)
    }

    async fn batch_execute(&self, _: &str) -> Result<()> {
        refused()
    }

    async fn fetch_stream(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<RowStream<'_>> {
        refused()
    }

    async fn copy_in(&self, _: &str, _: &mut (dyn Stream<Item = Result<Bytes>> + Send + Unpin)) -> Result<u64> {
        refused()
    }

    async fn copy_out(&self, _: &str) -> Result<BytesStream<'_>> {
        refused()
    }

    async fn describe(&self, _: &str) -> Result<Description> {
        refused()
    }
}

pub(crate) fn operations() -> Vec<Operation> {
    let row = catamaran::row! { "id" => 1i64, "name" => "Ada" };
    let blocking: Arc<dyn Executor> = Arc::new(Nothing(row.clone()));
    let nonblocking: Arc<dyn AsyncExecutor> = Arc::new(Nothing(row));
    let (typed, async_typed) = (Arc::clone(&blocking), Arc::clone(&nonblocking));
    vec![
        Operation::new("dispatch/execute", move || black_box(&blocking).execute(SQL, &[&1i64])),
        Operation::new("dispatch/execute_async", move || black_box(&nonblocking).execute(SQL, &[&1i64]).now_or_never()),
        Operation::new("dispatch/fetch_one_as", move || black_box(&typed).fetch_one_as::<(i64, String)>(SQL, &[&1i64])),
        Operation::new("dispatch/fetch_one_as_async", move || {
            black_box(&async_typed).fetch_one_as::<(i64, String)>(SQL, &[&1i64]).now_or_never()
        }),
    ]
}
