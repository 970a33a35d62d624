//! Rows as JSON: what the server's own `row_to_json` gives, to the byte.

use std::collections::BTreeMap;

use catamaran::{Error, ErrorKind, Result, Row};
use serde_json::value::RawValue;

use super::super::{case::*, expected::*};
use crate::p;

/// Expressions, one a line; comments are kept with them.
const EXPRESSIONS: &str = include_str!("json.sql");

/// What the expressions need.
const SETUP: &str = r#"
    CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"');
    CREATE TYPE inner_t AS (a int, b text);
    CREATE TYPE outer_t AS (i inner_t, "Weird Name" numeric[], t timestamptz, j json, n inner_t[]);
    CREATE DOMAIN posint AS int CHECK (value > 0);
    CREATE DOMAIN dd AS posint;
    CREATE DOMAIN ddate AS date;
    CREATE DOMAIN ilist AS int[];
    CREATE DOMAIN dcomp AS inner_t;
    CREATE TYPE kept_t AS (p posint, l ilist, c dcomp);
    CREATE TYPE timerange AS RANGE (subtype = time);
    CREATE TYPE frange AS RANGE (subtype = float8);
    CREATE TYPE textrange AS RANGE (subtype = text);
    CREATE EXTENSION IF NOT EXISTS hstore;
    CREATE EXTENSION IF NOT EXISTS citext;
    CREATE EXTENSION IF NOT EXISTS ltree"#;

/// As many expressions as one case has.
const A_CASE: usize = 20;

/// A member of a JSON object as it stands in the text.
fn member(object: &str) -> Result<String> {
    let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(object)
        .map_err(|error| Error::with_source(ErrorKind::Decode, format!("{object} is no object"), error))?;
    Ok(members.get("v").map(|value| value.get().to_owned()).unwrap_or_default())
}

/// `same`, or both.
fn compare(row: &Row) -> Result<String> {
    let ours = serde_json::to_string(row)
        .map_err(|error| Error::with_source(ErrorKind::Decode, error.to_string(), error))
        .and_then(|text| member(&text))?;
    let theirs = member(row.get("json")?)?;
    Ok(if ours == theirs { "same".into() } else { format!("ours {ours}, the server's {theirs}") })
}

pub(super) fn cases() -> Vec<Case> {
    let expressions: Vec<_> =
        EXPRESSIONS.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("--")).collect();
    expressions
        .chunks(A_CASE)
        .enumerate()
        .map(|(index, chunk)| {
            let steps = chunk.iter().map(|expression| {
                fetch_one(
                    format!("SELECT t.v, row_to_json(t)::text AS json FROM (SELECT {expression} AS v) AS t"),
                    p![],
                )
                .reads([read_with("as JSON", compare)])
                .gives(Expected::Read(vec!["same".into()]))
            });
            case(format!("rows are the server's own JSON, part {}", index + 1)).setup(SETUP).steps(steps)
        })
        .collect()
}
