//! Constraints, and what an error says of them.

use serde_json::json;

use super::super::{case::*, expected::*};
use crate::p;

const TABLES: &str = "
    CREATE TABLE providers (id int8 CONSTRAINT providers_key PRIMARY KEY, name text CONSTRAINT providers_name UNIQUE);
    CREATE TABLE models (
        id int8 PRIMARY KEY,
        provider_id int8 NOT NULL CONSTRAINT models_provider REFERENCES providers DEFERRABLE,
        price numeric CONSTRAINT models_price CHECK (price >= 0),
        during int4range,
        CONSTRAINT models_during EXCLUDE USING gist (during WITH &&)
    );
    INSERT INTO providers VALUES (1, 'anthropic')";

fn violated(name: &str, step: Step, expected: Expected) -> Case {
    case(name).setup(TABLES).step(step.gives(expected))
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        violated(
            "a unique violation",
            execute("INSERT INTO providers VALUES ($1, $2)", p![2i64, "anthropic"]),
            sqlstate("23505").constraint("providers_name").table("providers"),
        ),
        violated(
            "a primary key violation",
            fetch_one("INSERT INTO providers VALUES ($1, $2) RETURNING id", p![1i64, "openai"]),
            sqlstate("23505").constraint("providers_key"),
        ),
        violated(
            "a foreign key violation",
            execute("INSERT INTO models VALUES ($1, $2)", p![1i64, 99i64]),
            sqlstate("23503").constraint("models_provider").table("models"),
        ),
        violated(
            "a check violation",
            execute("INSERT INTO models VALUES ($1, $2, $3::float8)", p![1i64, 1i64, -1.5f64]),
            sqlstate("23514").constraint("models_price").table("models"),
        ),
        violated(
            "a not-null violation",
            execute("INSERT INTO models VALUES ($1, $2)", p![1i64, None::<i64>]),
            sqlstate("23502").column("provider_id").table("models"),
        ),
        violated(
            "an exclusion violation",
            batch("INSERT INTO models VALUES (1, 1, 0, '[1,5)'), (2, 1, 0, '[4,9)')"),
            sqlstate("23P01").constraint("models_during"),
        ),
        violated(
            "a deleted row that others refer to",
            batch("INSERT INTO models VALUES (1, 1); DELETE FROM providers"),
            sqlstate("23503").constraint("models_provider"),
        ),
        case("a violation that is passed over").setup(TABLES).step(
            execute("INSERT INTO providers VALUES (2, 'anthropic') ON CONFLICT DO NOTHING", p![]).gives(count(0)),
        ),
        case("a constraint deferred to the commit")
            .setup(TABLES)
            .step(begin(
                End::Commit(sqlstate("23503").constraint("models_provider")),
                vec![
                    batch("SET CONSTRAINTS ALL DEFERRED"),
                    execute("INSERT INTO models VALUES (1, 99)", p![]).gives(count(1)),
                ],
            ))
            .step(fetch_one("SELECT count(*) AS n FROM models", p![]).gives(rows("n int8", json!([[0]])))),
    ]
}
