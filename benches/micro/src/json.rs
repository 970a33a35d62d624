//! Rows as JSON.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use catamaran::{Row, Value, types::Type};

use crate::{Operation, history, server::Error};

pub(crate) fn operations() -> Result<Vec<Operation>, Error> {
    let page = history::fetched()?.1;
    let one = page.first().cloned().ok_or("a page has rows")?;
    let mixed = mixed();
    Ok(vec![
        Operation::new("json/page", move || serde_json::to_vec(&page)),
        Operation::new("json/one_row", move || serde_json::to_vec(&one)),
        Operation::new("json/mixed_row", move || serde_json::to_vec(&mixed)),
    ])
}

/// Types that are written in a way of their own each.
fn mixed() -> Row {
    let uuid: Bytes = (0xA0..0xB0).collect();
    // 1234.5600
    let numeric: Bytes = [2u16, 0, 0, 4, 1_234, 5_600].iter().flat_map(|word| word.to_be_bytes()).collect();
    Row::builder()
        .value("uuid", Value::from_wire(Type::UUID, Some(uuid)))
        .value("numeric", Value::from_wire(Type::NUMERIC, Some(numeric)))
        .column("float8", &0.1f64)
        .column("float4", &2.5f32)
        .column("bool", &true)
        .column("tags", &vec!["port", "starboard"])
        .column("bytea", &vec![0xDEu8, 0xAD, 0xBE, 0xEF])
        .column("at", &(SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045)))
        .build()
}
