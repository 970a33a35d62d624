//! SeaORM, with entities as it generates them; the history is beyond them and stays SQL.

use sea_orm::{
    ActiveValue::{NotSet, Set},
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend, EntityTrait as _,
    FromQueryResult as _, Statement,
};

use crate::{
    Result,
    rows::{Item, Message},
    sql,
};

pub mod account {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "accounts")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub name: String,
        pub email: String,
        pub created: DateTimeUtc,
        pub score: f64,
        pub active: bool,
        pub visits: i32,
        pub note: Option<String>,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod item {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "items")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub name: String,
        pub label: String,
        pub value: f64,
        pub created: DateTimeUtc,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod event {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "events")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub account_id: i64,
        pub kind: String,
        pub amount: f64,
        pub at: DateTimeUtc,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub async fn connect(url: &str, size: usize) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(u32::try_from(size)?).sqlx_logging(false);
    Ok(Database::connect(options).await?)
}

pub async fn point_select(db: &DatabaseConnection, id: i64) -> Result<account::Model> {
    account::Entity::find_by_id(id).one(db).await?.ok_or_else(|| "there is no such account".into())
}

pub async fn history(db: &DatabaseConnection, agent: i64) -> Result<Vec<Message>> {
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql::HISTORY, [agent.into()]);
    Ok(Message::find_by_statement(statement).all(db).await?)
}

pub async fn many_rows(db: &DatabaseConnection) -> Result<Vec<item::Model>> {
    Ok(item::Entity::find().all(db).await?)
}

pub async fn insert(db: &DatabaseConnection, item: &Item) -> Result<u64> {
    let event = event::ActiveModel {
        id: NotSet,
        account_id: Set(item.id),
        kind: Set(item.name.clone()),
        amount: Set(item.value),
        at: Set(item.created),
    };
    Ok(event::Entity::insert(event).exec_without_returning(db).await?)
}

pub async fn sleep(db: &DatabaseConnection) -> Result<()> {
    db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql::SLEEP)).await?;
    Ok(())
}
