//! The parameters of a call, kept.

use std::fmt;

use mockall::Predicate;
use postgres_types::{FromSql, ToSql};
use predicates_core::reflection::PredicateReflection;

use crate::{Error, ErrorKind, Result, Value};

/// A copy of a call's parameters.
///
/// Each has the type that is natural for its Rust type: what [`Value::of`] says. Two are equal if their types and their
/// bytes are: `7i64` differs from `7i32`, `None::<i64>` equals itself. What has no natural type, such as a derived
/// enum, is compared by its `Debug` text.
///
/// As a predicate it accepts what is equal to it; see [`params!`](crate::mock::params!).
///
/// ```
/// use catamaran::mock::{MockDatabaseService, sql};
///
/// let mut db = MockDatabaseService::new();
/// db.expect_execute().returning(|_, params| Ok(if params.get::<i64>(0)? > 5 { 1 } else { 0 }));
/// # use catamaran::Executor;
/// assert_eq!(db.execute("DELETE FROM agents WHERE id = $1", &[&7i64])?, 1);
/// # Ok::<(), catamaran::Error>(())
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct Params(Vec<Value>);

impl Params {
    /// A copy of what an executor's method is given.
    ///
    /// ```
    /// use catamaran::mock::{Params, params};
    /// assert_eq!(Params::of(&[&7i64, &"x"]), params![7i64, String::from("x")]);
    /// ```
    pub fn of(params: &[&(dyn ToSql + Sync)]) -> Self {
        Self(params.iter().map(|param| Value::of(*param)).collect())
    }

    /// Reads a parameter, counted from 0, as a Rust type.
    ///
    /// # Errors
    ///
    /// `ParameterCount` if there are not as many; `Decode` if it is no `T`.
    ///
    /// ```
    /// let params = catamaran::mock::params![7i64, None::<String>];
    /// assert_eq!(params.get::<i64>(0)?, 7);
    /// assert_eq!(params.get::<Option<String>>(1)?, None);
    /// assert!(params.get::<i64>(2).is_err());
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    pub fn get<'a, T: FromSql<'a>>(&'a self, index: usize) -> Result<T> {
        match self.0.get(index) {
            Some(value) => value.get(),
            None => Err(Error::new(
                ErrorKind::ParameterCount,
                format!("no parameter at position {index} of {}", self.0.len()),
            )),
        }
    }

    /// The parameters as values.
    ///
    /// ```
    /// use catamaran::{Value, mock::params};
    /// assert_eq!(params![7i64].values(), [Value::of(&7i64)]);
    /// ```
    pub fn values(&self) -> &[Value] {
        &self.0
    }

    /// The number of parameters.
    ///
    /// ```
    /// assert_eq!(catamaran::mock::params![7i64, "x"].len(), 2);
    /// ```
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    ///
    /// ```
    /// assert!(catamaran::mock::params![].is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The values, as `[7::int8, "x"::text]`. They come from a test, so that nothing in them is secret.
impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (index, value) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{value:?}")?;
        }
        f.write_str("]")
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "params are {self:?}")
    }
}

impl PredicateReflection for Params {}

impl Predicate<Params> for Params {
    fn eval(&self, params: &Params) -> bool {
        self == params
    }
}

/// The parameters of an expected call, as [`Params`]: by value, each of any type that can be a parameter.
///
/// ```
/// use catamaran::{Executor, mock::{MockDatabaseService, params, sql}};
///
/// let mut db = MockDatabaseService::new();
/// db.expect_execute().with(sql("UPDATE agents"), params!["ada", None::<i64>, 7i64]).returning(|_, _| Ok(1));
/// let (name, model) = (String::from("ada"), None::<i64>);
/// assert_eq!(db.execute("UPDATE agents SET name = $1, model_id = $2 WHERE id = $3", &[&name, &model, &7i64])?, 1);
/// # Ok::<(), catamaran::Error>(())
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __params {
    ($($value:expr),* $(,)?) => {
        $crate::mock::Params::of(&[$(&$value),*])
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::params;

    #[test]
    fn equal_means_the_same_type_and_the_same_value() {
        assert_eq!(Params::of(&[&7i64, &"x"]), params![7i64, String::from("x")]);
        assert_eq!(Params::of(&[&None::<i64>]), params![None::<i64>]);
        assert_eq!(Params::of(&[]), params![]);
        assert_ne!(params![7i64], params![7i32]);
        assert_ne!(params![7i64], params![7i64, 7i64]);
        assert_ne!(params![None::<i64>], params![None::<i32>]);
        assert_ne!(params![0i64], params![None::<i64>]);
    }

    #[test]
    fn a_derived_enum_is_compared_by_its_debug_text() {
        #[derive(Debug, Clone, Copy, ToSql)]
        enum Role {
            User,
            Tool,
        }
        assert_eq!(Params::of(&[&Role::User]), params![Role::User]);
        assert_ne!(params![Role::User], params![Role::Tool]);
    }

    #[test]
    fn one_can_be_read() {
        let params = params![7i64, "x"];
        assert_eq!(params.get::<i64>(0).unwrap(), 7);
        assert_eq!(params.get::<&str>(1).unwrap(), "x");
        assert_eq!(params.get::<i32>(0).unwrap_err().kind(), ErrorKind::Decode);
        assert_eq!(params.get::<i32>(2).unwrap_err().kind(), ErrorKind::ParameterCount);
    }
}
