//! What can be written as one row.

use std::sync::Arc;

use postgres_types::{BorrowToSql, ToSql};

/// One row for [`copy_rows_in`](crate::ExecutorExt::copy_rows_in): a field for each column, in order.
///
/// Tuples of up to sixteen [`ToSql`] values are rows. So are arrays, slices and `Vec`s of one type, or of
/// `Box<dyn ToSql + Sync + Send>` and `&(dyn ToSql + Sync)` where types and number are known at run time only.
///
/// ```
/// use catamaran::{CopyRow, types::ToSql};
///
/// struct Provider {
///     id: i64,
///     name: String,
/// }
///
/// impl CopyRow for Provider {
///     fn fields(&self) -> usize {
///         2
///     }
///
///     fn field(&self, at: usize) -> Option<&dyn ToSql> {
///         match at {
///             0 => Some(&self.id),
///             1 => Some(&self.name),
///             _ => None,
///         }
///     }
/// }
/// ```
pub trait CopyRow {
    /// The number of fields.
    fn fields(&self) -> usize;

    /// The field at a position from 0; `None` if there is none.
    fn field(&self, at: usize) -> Option<&dyn ToSql>;
}

macro_rules! pointers {
    ($($pointer:ty),+) => {$(
        impl<R: CopyRow + ?Sized> CopyRow for $pointer {
            fn fields(&self) -> usize {
                (**self).fields()
            }

            fn field(&self, at: usize) -> Option<&dyn ToSql> {
                (**self).field(at)
            }
        }
    )+};
}

pointers!(&R, Box<R>, Arc<R>);

impl<T: BorrowToSql> CopyRow for [T] {
    fn fields(&self) -> usize {
        self.len()
    }

    fn field(&self, at: usize) -> Option<&dyn ToSql> {
        self.get(at).map(BorrowToSql::borrow_to_sql)
    }
}

impl<T: BorrowToSql> CopyRow for Vec<T> {
    fn fields(&self) -> usize {
        self.len()
    }

    fn field(&self, at: usize) -> Option<&dyn ToSql> {
        self.as_slice().field(at)
    }
}

impl<T: BorrowToSql, const N: usize> CopyRow for [T; N] {
    fn fields(&self) -> usize {
        N
    }

    fn field(&self, at: usize) -> Option<&dyn ToSql> {
        self.as_slice().field(at)
    }
}

macro_rules! tuples {
    ($($T:ident $at:tt)*) => { tuples!(@ [] $($T $at)*); };
    (@ [$($done:ident $done_at:tt)*]) => {};
    (@ [$($done:ident $done_at:tt)*] $T:ident $at:tt $($rest:tt)*) => {
        impl<$($done: ToSql,)* $T: ToSql> CopyRow for ($($done,)* $T,) {
            fn fields(&self) -> usize {
                $at + 1
            }

            fn field(&self, at: usize) -> Option<&dyn ToSql> {
                match at {
                    $($done_at => Some(&self.$done_at),)*
                    $at => Some(&self.$at),
                    _ => None,
                }
            }
        }
        tuples!(@ [$($done $done_at)* $T $at] $($rest)*);
    };
}

tuples!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14 P 15);
