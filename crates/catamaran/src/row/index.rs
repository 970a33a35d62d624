//! How a column is found.

use super::Row;

mod sealed {
    pub trait Sealed {}
    impl Sealed for usize {}
    impl Sealed for str {}
    impl Sealed for String {}
    impl<T: Sealed + ?Sized> Sealed for &T {}
}

/// What a column is found by: its position from 0, or its name.
///
/// A name is looked for as it is first, and then without regard to the case of ASCII letters. Of several columns of one
/// name, the first is found; a field of a struct that is flattened into another can't be read from one of several.
pub trait RowIndex: sealed::Sealed {
    #[doc(hidden)]
    fn __find(&self, row: &Row) -> Option<usize>;
    #[doc(hidden)]
    fn __describe(&self) -> String;
    #[doc(hidden)]
    fn __is_name(&self) -> bool {
        true
    }
}

impl RowIndex for usize {
    #[inline]
    fn __find(&self, row: &Row) -> Option<usize> {
        (*self < row.len()).then_some(*self)
    }

    fn __describe(&self) -> String {
        format!("no column at position {self}")
    }

    fn __is_name(&self) -> bool {
        false
    }
}

impl RowIndex for str {
    #[inline]
    fn __find(&self, row: &Row) -> Option<usize> {
        row.find(self)
    }

    fn __describe(&self) -> String {
        format!("no column \"{self}\"")
    }
}

impl RowIndex for String {
    #[inline]
    fn __find(&self, row: &Row) -> Option<usize> {
        self.as_str().__find(row)
    }

    fn __describe(&self) -> String {
        self.as_str().__describe()
    }
}

impl<T: RowIndex + ?Sized> RowIndex for &T {
    #[inline]
    fn __find(&self, row: &Row) -> Option<usize> {
        T::__find(self, row)
    }

    fn __describe(&self) -> String {
        T::__describe(self)
    }

    fn __is_name(&self) -> bool {
        T::__is_name(self)
    }
}
