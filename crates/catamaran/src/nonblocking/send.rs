//! Running one statement, and once more for as long as what was kept does not fit any more.

use futures_util::future::BoxFuture;
use postgres_types::ToSql;
use tokio_postgres::RowStream;

use super::{connection::Connection, frame::Alone, param::Param};
use crate::{Result, driver_error::using, statement_cache::Kept};

impl Connection {
    pub(super) async fn execute_kept(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        let mut runs = 1;
        loop {
            let (kept, was_kept) = self.keep(sql).await?;
            kept.check_for(params)?;
            let _alone = if kept.commits { Some(Box::pin(self.alone_to_commit()).await?) } else { None };
            self.note_of(&kept);
            match self
                .client
                .execute_raw(&kept.statement, params.iter().map(|param| Param::new(*param)))
                .await
                .map_err(using)
            {
                Err(error) if self.runs_again(sql, &kept, was_kept, runs, &error) => runs += 1,
                result => return result,
            }
        }
    }

    /// Sends a statement and waits until the server has accepted it. A caller that has the connection `alone` shows it.
    pub(super) async fn send(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
        alone: Option<&Alone<'_>>,
    ) -> Result<RowStream> {
        let mut runs = 1;
        loop {
            let (kept, was_kept) = match self.kept(sql) {
                Some(kept) => (kept, true),
                None => (Box::pin(self.prepare_kept(sql)).await?, false),
            };
            kept.check_for(params)?;
            if kept.commits {
                return self.send_commit(&kept, params, alone).await;
            }
            self.note_of(&kept);
            // The driver's future is large: on its own it fits what an allocator keeps at hand, and made where it stays
            // it is not moved.
            let sending = Box::write(
                Box::new_uninit(),
                self.client.query_raw(&kept.statement, params.iter().map(|param| Param::new(*param))),
            );
            match Box::into_pin(sending).await.map_err(using) {
                Err(error) if self.runs_again(sql, &kept, was_kept, runs, &error) => runs += 1,
                result => return result,
            }
        }
    }

    /// Sends a `COMMIT` written by hand, which is seldom: no part of the futures of other statements.
    fn send_commit<'a>(
        &'a self,
        kept: &'a Kept,
        params: &'a [&(dyn ToSql + Sync)],
        alone: Option<&'a Alone<'_>>,
    ) -> BoxFuture<'a, Result<RowStream>> {
        Box::pin(async move {
            let _alone = match alone {
                Some(_) => self.may_commit().await.map(|()| None)?,
                None => Some(self.alone_to_commit().await?),
            };
            self.note_of(kept);
            self.client.query_raw(&kept.statement, params.iter().map(|param| Param::new(*param))).await.map_err(using)
        })
    }
}
