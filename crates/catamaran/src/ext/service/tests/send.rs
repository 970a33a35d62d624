//! Handlers as a service has them: their futures must be `Send`, whatever the closure captures.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    async_helper, block_on,
    fake::{Fake, Opaque},
    options,
};
use crate::{Result, Row, prelude::*};

struct Request<'a> {
    ids: &'a [i64],
    name: Option<&'a str>,
}

async fn by_reference(db: Arc<dyn AsyncDatabaseService>, id: i64, name: String) -> Result<Vec<Row>> {
    let rows = db
        .transaction(options(), async |tx| {
            async_helper(tx, &name).await?;
            tx.execute(&name, &[&id, &name]).await?;
            let mut nested = tx.savepoint().await?;
            nested.savepoint().await?.commit().await?;
            async_helper(&nested, &name).await?;
            nested.commit().await?;
            let mut rows = tx.fetch_stream("SELECT 1", &[&id]).await?;
            while let Some(row) = rows.next().await {
                row?;
            }
            drop(rows);
            let found: Option<(i64,)> = tx.fetch_optional_as("SELECT 1", &[&id]).await?;
            tx.copy_rows_in("t", &["id"], found.iter()).await?;
            tx.fetch_all("SELECT 1", &[&name]).await
        })
        .await?;
    drop(name);
    Ok(rows)
}

async fn by_move(db: Arc<dyn AsyncDatabaseService>, id: i64, names: Vec<String>) -> Result<(), Opaque> {
    db.transaction(options(), async move |tx| {
        for name in names {
            tx.execute(&name, &[&id, &name]).await?;
        }
        Ok(())
    })
    .await
}

async fn borrowing(db: &(dyn AsyncDatabaseService + '_), request: &Request<'_>) -> Result<u64> {
    let shout = |name: &str| name.to_uppercase();
    db.transaction(options(), async |tx| {
        let mut done = 0;
        for id in request.ids {
            done += tx.execute(&shout("a"), &[id, &request.name]).await?;
        }
        write(tx, request).await?;
        Ok(done)
    })
    .await
}

async fn write(tx: &mut dyn AsyncTransaction, request: &Request<'_>) -> Result<u64> {
    tx.savepoint().await?.execute("a", &[&request.name]).await
}

async fn generic<D: AsyncDatabaseService + ?Sized>(db: &D, id: i64) -> Result<()> {
    db.transaction(options(), async |tx| tx.execute("a", &[&id]).await.map(drop)).await
}

#[async_trait]
trait Repository {
    async fn save(&self, ids: &[i64]) -> Result<()>;
}

#[async_trait]
impl Repository for Arc<dyn AsyncDatabaseService> {
    async fn save(&self, ids: &[i64]) -> Result<()> {
        self.transaction(options(), async |tx| {
            tx.copy_rows_in("t", &["id", "double"], ids.iter().map(|id| (id, id * 2))).await?;
            tx.fetch_scalar::<i64>("SELECT 1", &[&ids]).await?;
            Ok(())
        })
        .await
    }
}

#[test]
fn everything_can_be_spawned() {
    let db: Arc<dyn AsyncDatabaseService> = Arc::new(Fake::default());
    block_on(async {
        tokio::spawn(by_move(db.clone(), 1, vec!["a".into()])).await.unwrap().unwrap();
        let _ = tokio::spawn(by_reference(db.clone(), 1, "a".into())).await.unwrap();
        let db = db.clone();
        let run = tokio::spawn(async move {
            let ids = [1, 2];
            generic(&*db, 1).await?;
            generic(&Fake::default(), 1).await?;
            let _ = db.save(&ids).await;
            borrowing(&*db, &Request { ids: &ids, name: None }).await
        });
        assert_eq!(run.await.unwrap().unwrap(), 2);
    });
}
