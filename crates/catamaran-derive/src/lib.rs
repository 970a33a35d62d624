//! `#[derive(FromRow)]` for the `catamaran` crate, which re-exports it; not for direct use.

mod attributes;
mod from_row;
mod rename;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Reads a struct from a row: a field by the column of its name, a tuple struct's field by its position.
///
/// ```
/// use catamaran::{FromRow, row};
///
/// #[derive(FromRow, Debug, PartialEq)]
/// struct Provider {
///     id: i64,
///     #[from_row(rename = "display_name")]
///     name: String,
///     note: Option<String>,
/// }
///
/// let row = row! { "id" => 1i64, "display_name" => "Ada", "note" => None::<String> };
/// let provider = Provider::from_row(&row)?;
/// assert_eq!(provider, Provider { id: 1, name: "Ada".into(), note: None });
/// # Ok::<(), catamaran::Error>(())
/// ```
///
/// Columns that no field asks for are left alone. A field's type is any `FromSql` that borrows nothing from the row. The
/// struct may have type parameters, but no lifetimes.
///
/// # Attributes of a field
///
/// - `#[from_row(rename = "name")]`: the column of this name instead of the field's.
/// - `#[from_row(default)]`: the type's `Default` if the row has no such column. NULL in a column that is there is an
///   error as ever, unless the type is an `Option`.
/// - `#[from_row(json)]`: any type that serde can deserialise, from a `json` or `jsonb` column. NULL is read as JSON's
///   `null`.
/// - `#[from_row(flatten)]`: the field's own `FromRow` reads the same row. Columns read by position are counted from the
///   first again. A column read by its name has to be the only one of that name, as both tables of a join may have an
///   `id`: otherwise there is an error, of kind `Decode`.
///
/// # Attributes of the struct
///
/// - `#[from_row(rename_all = "camelCase")]`: how columns are named after fields without a `rename`: `lowercase`,
///   `UPPERCASE`, `PascalCase`, `camelCase`, `snake_case`, `SCREAMING_SNAKE_CASE`, `kebab-case` or
///   `SCREAMING-KEBAB-CASE`.
/// - `#[from_row(crate = "path")]`: where the `catamaran` crate is, if not at `::catamaran`.
///
/// # Errors
///
/// At run time, errors name the column and both types. Here are all attributes at once:
///
/// ```
/// use catamaran::{FromRow, row};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Settings {
///     theme: String,
/// }
///
/// #[derive(FromRow)]
/// struct Audit {
///     created_by: String,
/// }
///
/// #[derive(FromRow)]
/// #[from_row(rename_all = "camelCase")]
/// struct Account<Id> {
///     account_id: Id,
///     #[from_row(json)]
///     settings: Settings,
///     #[from_row(default)]
///     login_count: i64,
///     #[from_row(flatten)]
///     audit: Audit,
/// }
///
/// let row = row! {
///     "accountId" => 7i64,
///     "settings" => serde_json::json!({ "theme": "dark" }),
///     "created_by" => "root",
/// };
/// let account = Account::<i64>::from_row(&row)?;
/// assert_eq!((account.account_id, account.login_count), (7, 0));
/// assert_eq!((account.settings.theme.as_str(), account.audit.created_by.as_str()), ("dark", "root"));
/// assert_eq!(
///     Account::<i32>::from_row(&row).err().unwrap().to_string(),
///     "column \"accountId\" of type int8 can't be read as i32",
/// );
/// # Ok::<(), catamaran::Error>(())
/// ```
#[proc_macro_derive(FromRow, attributes(from_row))]
pub fn derive_from_row(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    from_row::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
