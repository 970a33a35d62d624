//! What the server says of a statement before it runs.

use postgres_types::Type;

use crate::row::Column;

/// The types of a statement's parameters and columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    params: Vec<Type>,
    columns: Vec<Column>,
}

impl Description {
    /// A description made by hand, for mocks.
    pub fn new(params: Vec<Type>, columns: Vec<Column>) -> Self {
        Self { params, columns }
    }

    /// The types of `$1`, `$2`, …
    pub fn params(&self) -> &[Type] {
        &self.params
    }

    /// The columns of the result; none for a statement that returns no rows.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }
}
