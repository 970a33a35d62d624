//! Rows: reading those that a server sent and those made by hand, and making them.

use std::rc::Rc;

use catamaran::{Column, FromRow as _, Row, RowReader};

use crate::{
    Operation,
    history::{self, Message, MessageTuple, Usage},
    server::Error,
};

pub(crate) fn operations() -> Result<Vec<Operation>, Error> {
    let fetched: Rc<[Row]> = history::fetched()?.1.into();
    let built: Rc<[Row]> = history::built().into();
    let (structs, tuples, one, by_hand) = (Rc::clone(&fetched), Rc::clone(&fetched), Rc::clone(&fetched), built);
    let usage = history::usage()?;
    let values = history::row_values();
    let columns: Vec<Column> = values.iter().map(|value| Column::new("column", value.ty().clone())).collect();
    let shared: std::sync::Arc<[Column]> = columns.into();
    Ok(vec![
        Operation::new("decode/page_of_structs", move || RowReader::<Message>::read_all(&structs)),
        Operation::new("decode/page_of_tuples", move || RowReader::<MessageTuple>::read_all(&tuples)),
        Operation::new("decode/page_of_numbers", move || RowReader::<Usage>::read_all(&usage)),
        Operation::new("decode/one_struct", move || one.first().map(Message::from_row)),
        Operation::new("decode/page_of_built_rows", move || RowReader::<Message>::read_all(&by_hand)),
        Operation::new("build/row_of_values", move || Row::from_values(shared.clone(), values.clone())),
        Operation::new("build/row_macro", || catamaran::row! { "id" => 1i64, "role" => "user" }),
    ])
}
