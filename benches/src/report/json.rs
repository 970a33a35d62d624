//! Every ratio, for programs.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{Result, harness::Table};

/// A list of `{case, contestant, tasks, ratio, low, high}`, where `low` and `high` are quartiles; `count` is the figure
/// itself where that repeats.
pub(super) fn write(file: &Path, tables: &[Table]) -> Result<()> {
    let lines = tables.iter().flat_map(|table| table.lines.iter().map(move |line| (table, line)));
    let list: Vec<Value> = lines
        .map(|(table, line)| {
            let mut value = json!({
                "case": table.case,
                "contestant": line.contestant,
                "tasks": line.tasks,
                "ratio": line.ratio.median,
                "low": line.ratio.low,
                "high": line.ratio.high,
            });
            if let (Some(count), Some(fields)) = (line.count, value.as_object_mut()) {
                fields.insert("count".to_owned(), count.into());
            }
            value
        })
        .collect();
    Ok(fs::write(file, serde_json::to_string_pretty(&list)? + "\n")?)
}
