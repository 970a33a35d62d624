//! The derive, on rows made by hand.

#![allow(clippy::unwrap_used, missing_docs)]

use catamaran::{ErrorKind, FromRow, FromSqlOwned, Row, RowReader, row};
use serde::Deserialize;

#[derive(FromRow, Debug, PartialEq)]
struct Provider {
    id: i64,
    #[from_row(rename = "display_name")]
    name: String,
    note: Option<String>,
    r#type: Option<i32>,
}

fn provider() -> Row {
    row! { "note" => None::<String>, "type" => 3i32, "id" => 1i64, "display_name" => "Ada", "unasked" => true }
}

#[test]
fn fields_are_read_by_name() {
    let expected = Provider { id: 1, name: "Ada".into(), note: None, r#type: Some(3) };
    assert_eq!(Provider::from_row(&provider()).unwrap(), expected);
}

#[test]
fn errors_name_the_column_and_both_types() {
    let error = Provider::from_row(&row! { "id" => "1" }).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Decode, "column \"id\" of type text can't be read as i64")
    );
    let error = Provider::from_row(&row! { "id" => 1i64, "name" => "Ada" }).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::UnknownColumn, "no column \"display_name\"; the row has \"id\", \"name\"")
    );
}

#[derive(FromRow, Debug, PartialEq)]
struct Pair<T>(T, #[from_row(rename = "last")] Vec<T>, #[from_row(default)] Option<i64>);

#[derive(FromRow, Debug, PartialEq)]
struct Unit;

#[test]
fn fields_of_tuple_structs_are_read_by_position() {
    let row = row! { "a" => 1i32, "last" => vec![2i32] };
    assert_eq!(Pair::from_row(&row).unwrap(), Pair(1, vec![2], None));
    assert_eq!(Unit::from_row(&row).unwrap(), Unit);
    assert_eq!(<(i32, Vec<i32>)>::from_row(&row).unwrap(), (1, vec![2]));
}

#[derive(FromRow, Debug, PartialEq)]
struct Counted {
    #[from_row(default)]
    count: i64,
}

#[test]
fn default_stands_for_a_missing_column_and_not_for_null() {
    assert_eq!(Counted::from_row(&row! {}).unwrap(), Counted { count: 0 });
    assert_eq!(Counted::from_row(&row! { "count" => 2i64 }).unwrap(), Counted { count: 2 });
    assert_eq!(
        Counted::from_row(&row! { "count" => None::<i64> }).unwrap_err().to_string(),
        "column \"count\" is NULL and can't be read as i64"
    );
}

#[derive(Deserialize, Debug, PartialEq)]
struct Settings {
    theme: String,
}

#[derive(FromRow, Debug, PartialEq)]
struct Account {
    #[from_row(json)]
    settings: Settings,
    #[from_row(json)]
    former: Option<Settings>,
}

#[test]
fn json_columns_go_through_serde() {
    let dark = serde_json::json!({ "theme": "dark" });
    let null = None::<serde_json::Value>;
    let account = Account::from_row(&row! { "settings" => dark, "former" => null }).unwrap();
    assert_eq!(account, Account { settings: Settings { theme: "dark".into() }, former: None });
    let error = Account::from_row(&row! { "settings" => null, "former" => null }).unwrap_err();
    assert_eq!(error.to_string(), "column \"settings\" is NULL and can't be read as from_row::Settings");
    let error = Account::from_row(&row! { "settings" => 1i64 }).unwrap_err();
    assert_eq!(error.to_string(), "column \"settings\" of type int8 can't be read as from_row::Settings");
}

#[derive(FromRow, Debug, PartialEq)]
#[from_row(rename_all = "camelCase", crate = "catamaran")]
struct Page<T, Id>
where
    Id: FromSqlOwned,
{
    page_number: Id,
    #[from_row(flatten)]
    item: T,
}

#[test]
fn a_flattened_field_reads_the_same_row() {
    let row = row! { "pageNumber" => 1i32, "count" => 5i64 };
    let page = Page::<Counted, i32>::from_row(&row).unwrap();
    assert_eq!(page, Page { page_number: 1, item: Counted { count: 5 } });
    let whole = Page::<Row, i32>::from_row(&row).unwrap();
    assert_eq!(whole.item.get::<i64>("count").unwrap(), 5);
}

#[derive(FromRow, Debug, PartialEq)]
struct Named {
    id: i64,
    #[from_row(default)]
    count: i64,
}

#[derive(FromRow, Debug, PartialEq)]
struct Joined {
    #[from_row(flatten)]
    first: Counted,
    #[from_row(flatten)]
    second: Named,
    note: i64,
}

#[test]
fn a_flattened_field_takes_none_of_several_columns_of_its_name() {
    let joined = |row: &Row| {
        let alone = Joined::from_row(row).map_err(|error| (error.kind(), error.to_string()));
        let read = RowReader::<Joined>::new().read(row).map_err(|error| (error.kind(), error.to_string()));
        assert_eq!(alone, read);
        alone
    };
    let expected = Joined { first: Counted { count: 2 }, second: Named { id: 1, count: 2 }, note: 3 };
    assert_eq!(joined(&row! { "id" => 1i64, "count" => 2i64, "note" => 3i64, "note" => 4i64 }), Ok(expected));
    for row in [
        row! { "id" => 1i64, "count" => 2i64, "id" => 7i64, "note" => 3i64 },
        row! { "id" => 1i64, "note" => 3i64, "count" => 2i64, "count" => 2i64 },
        row! { "ID" => 1i64, "count" => 2i64, "note" => 3i64, "ID" => 7i64 },
    ] {
        let (kind, text) = joined(&row).unwrap_err();
        assert_eq!(kind, ErrorKind::Decode);
        assert!(text.contains("is there more than once") && text.contains("AS in the statement"), "{text}");
    }
    // Outside a flattened field, the first of them is read, as by `Row::get`.
    assert_eq!(Named::from_row(&row! { "id" => 1i64, "id" => 2i64 }).unwrap(), Named { id: 1, count: 0 });
}
