//! One SQL value in the form that the wire has, made by hand; and the one way of reading such a form.

mod decode;
mod edges;
mod instead;

use std::{fmt, sync::Arc};

use bytes::{Bytes, BytesMut};
use postgres_types::{Format, FromSql, IsNull, Kind, ToSql, Type, WrongType};

use self::decode::{decode, error, public_cause};
pub(crate) use self::decode::{decode_accepted, not_accepted};
use crate::{
    Error, ErrorKind, Result,
    json::WireJson,
    kinds::base_type,
    param::{self, Cause},
};

/// One SQL value of a known type, in the binary form that a server would send.
///
/// Values make up the rows that mocks return and stand for the parameters that mocks receive. Two values are equal if
/// their types and their bytes are. `Debug` shows what the value holds, as `json::type`.
///
/// ```
/// use catamaran::Value;
///
/// let value = Value::of(&42i64);
/// assert_eq!(value.get::<i64>()?, 42);
/// assert_eq!(format!("{value:?}"), "42::int8");
/// assert_ne!(value, Value::of(&42i32));
/// # Ok::<(), catamaran::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Value(Repr);

#[derive(Clone, PartialEq)]
enum Repr {
    Wire {
        ty: Type,
        bytes: Option<Bytes>,
    },
    /// What no type could be found for: reading it is an error, comparing it compares the `Debug` text.
    Unencodable {
        ty: Option<Type>,
        debug: Arc<str>,
    },
}

/// The types that [`Value::of`] tries, in this order: what several types could hold goes to the usual one.
static NATURAL: &[Type] = &[
    Type::BOOL,
    Type::INT8,
    Type::INT4,
    Type::INT2,
    Type::OID,
    Type::CHAR,
    Type::FLOAT8,
    Type::FLOAT4,
    Type::TEXT,
    Type::BYTEA,
    Type::NUMERIC,
    Type::TIMESTAMPTZ,
    Type::TIMESTAMP,
    Type::DATE,
    Type::TIME,
    Type::TIMETZ,
    Type::INTERVAL,
    Type::UUID,
    Type::JSONB,
    Type::JSON,
    Type::INET,
    Type::CIDR,
    Type::MACADDR,
    Type::MACADDR8,
    Type::VARBIT,
    Type::PG_LSN,
    Type::POINT,
    Type::BOX,
    Type::PATH,
    Type::INT4_RANGE,
    Type::INT8_RANGE,
    Type::NUM_RANGE,
    Type::TSTZ_RANGE,
    Type::TS_RANGE,
    Type::DATE_RANGE,
    Type::BOOL_ARRAY,
    Type::INT8_ARRAY,
    Type::INT4_ARRAY,
    Type::INT2_ARRAY,
    Type::OID_ARRAY,
    Type::CHAR_ARRAY,
    Type::FLOAT8_ARRAY,
    Type::FLOAT4_ARRAY,
    Type::TEXT_ARRAY,
    Type::BYTEA_ARRAY,
    Type::NUMERIC_ARRAY,
    Type::TIMESTAMPTZ_ARRAY,
    Type::TIMESTAMP_ARRAY,
    Type::DATE_ARRAY,
    Type::TIME_ARRAY,
    Type::TIMETZ_ARRAY,
    Type::INTERVAL_ARRAY,
    Type::UUID_ARRAY,
    Type::JSONB_ARRAY,
    Type::JSON_ARRAY,
    Type::INET_ARRAY,
    Type::CIDR_ARRAY,
    Type::MACADDR_ARRAY,
    Type::MACADDR8_ARRAY,
    Type::VARBIT_ARRAY,
    Type::PG_LSN_ARRAY,
    Type::POINT_ARRAY,
    Type::BOX_ARRAY,
    Type::PATH_ARRAY,
];

impl Value {
    /// The value with the type that is natural for the Rust type: `i64` is `int8`, `String` is `text`, and so on.
    ///
    /// | Rust | PostgreSQL |
    /// |---|---|
    /// | `bool` | `bool` |
    /// | `i8`, `i16`, `i32`, `i64`, `u32` | `"char"`, `int2`, `int4`, `int8`, `oid` |
    /// | `f32`, `f64`, `Decimal` | `float4`, `float8`, `numeric` |
    /// | `&str`, `String` | `text` |
    /// | `&[u8]`, `Vec<u8>` | `bytea` |
    /// | `SystemTime`, chrono's `DateTime` | `timestamptz` |
    /// | chrono's `NaiveDateTime`, `NaiveDate`, `NaiveTime` | `timestamp`, `date`, `time` |
    /// | `Uuid`, `IpAddr` | `uuid`, `inet` |
    /// | `serde_json::Value`, `Json<T>` | `jsonb` |
    /// | `Option<T>` | the type of `T`, or NULL of it |
    /// | `Vec<T>`, `&[T]` | the array type of `T` |
    ///
    /// A Rust type for which no built-in type is natural, such as a derived enum, gives a value that cannot be read but
    /// can be compared, by its `Debug` text; give such a value its type with [`Value::typed`].
    pub fn of(value: &(dyn ToSql + Sync)) -> Self {
        // What accepts even void accepts everything, and says nothing about its type.
        if let Ok(bytes) = encode(&Type::VOID, value) {
            return Self(Repr::Wire { ty: Type::UNKNOWN, bytes });
        }
        for ty in NATURAL {
            match encode(ty, value) {
                Ok(bytes) => return Self(Repr::Wire { ty: ty.clone(), bytes }),
                Err(cause) if cause.is::<WrongType>() => {}
                Err(_) => return Self::unencodable(Some(ty.clone()), value),
            }
        }
        Self::unencodable(None, value)
    }

    /// The value as a given type: one of `varchar` instead of `text`, or an enum of the schema. As a domain, it is a value
    /// of the domain's base type, as in the rows of a server.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Encode`] if the Rust type cannot be sent as `ty`.
    ///
    /// ```
    /// use catamaran::{Value, types::Type};
    ///
    /// let value = Value::typed(&Type::VARCHAR, &"user")?;
    /// assert_eq!(value.ty(), &Type::VARCHAR);
    /// assert!(Value::typed(&Type::INT4, &"user").is_err());
    /// # Ok::<(), catamaran::Error>(())
    /// ```
    pub fn typed(ty: &Type, value: &(dyn ToSql + Sync)) -> Result<Self> {
        match encode_in_domain(ty, value) {
            Ok(bytes) => Ok(Self::from_wire(ty.clone(), bytes)),
            Err(cause) => {
                let (text, source) = public_cause(cause);
                Err(error(ErrorKind::Encode, format!("a value can't be sent as type {ty}{text}"), source))
            }
        }
    }

    /// The bytes of a type's binary form as they are, `None` for NULL. They are not checked before they are read. Those of a
    /// domain are those of its base type.
    pub fn from_wire(ty: Type, bytes: Option<Bytes>) -> Self {
        Self(Repr::Wire { ty: without_domain(ty), bytes })
    }

    /// The bytes of NULL, of a type.
    ///
    /// ```
    /// use catamaran::{Value, types::Type};
    ///
    /// assert_eq!(Value::null(Type::INT8), Value::of(&None::<i64>));
    /// ```
    pub fn null(ty: Type) -> Self {
        Self::from_wire(ty, None)
    }

    pub(crate) fn typed_or_unencodable(ty: &Type, value: &(dyn ToSql + Sync)) -> Self {
        match encode_in_domain(ty, value) {
            Ok(bytes) => Self::from_wire(ty.clone(), bytes),
            Err(_) => Self::unencodable(Some(ty.clone()), value),
        }
    }

    fn unencodable(ty: Option<Type>, value: &(dyn ToSql + Sync)) -> Self {
        Self(Repr::Unencodable { ty: ty.map(without_domain), debug: format!("{value:?}").into() })
    }

    /// The value's type; `unknown` if none could be found.
    pub fn ty(&self) -> &Type {
        match &self.0 {
            Repr::Wire { ty, .. } | Repr::Unencodable { ty: Some(ty), .. } => ty,
            Repr::Unencodable { ty: None, .. } => &Type::UNKNOWN,
        }
    }

    /// Whether the value is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self.0, Repr::Wire { bytes: None, .. })
    }

    /// Reads the value as a Rust type.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if the value's type cannot be read as `T`, or the value is NULL and `T` no `Option`.
    pub fn get<'a, T: FromSql<'a>>(&'a self) -> Result<T> {
        let what = "the value";
        decode(&what, self.ty(), self.wire(&what)?)
    }

    /// The type and the bytes, if it has any; otherwise [`wire`](Self::wire) tells why.
    #[inline]
    pub(crate) fn as_wire(&self) -> Option<(&Type, Option<&[u8]>)> {
        match &self.0 {
            Repr::Wire { ty, bytes } => Some((ty, bytes.as_deref())),
            Repr::Unencodable { .. } => None,
        }
    }

    /// The bytes, or the error that there are none; `what` names the value.
    pub(crate) fn wire(&self, what: &dyn fmt::Display) -> Result<Option<&[u8]>> {
        match &self.0 {
            Repr::Wire { bytes, .. } => Ok(bytes.as_deref()),
            Repr::Unencodable { ty: Some(ty), .. } => {
                Err(Error::new(ErrorKind::Decode, format!("{what} was made from what can't be sent as type {ty}")))
            }
            Repr::Unencodable { ty: None, .. } => Err(Error::new(
                ErrorKind::Decode,
                format!("{what} was made from a Rust type that has no built-in type; name its type when making it"),
            )),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Wire { ty, bytes } => match serde_json::to_string(&WireJson::new(ty, bytes.as_deref())) {
                Ok(json) => write!(f, "{json}::{ty}"),
                Err(_) => write!(f, "{:?}::{ty}", bytes.as_deref().unwrap_or_default()),
            },
            Repr::Unencodable { debug, .. } => write!(f, "{debug}::?"),
        }
    }
}

/// A value's binary form. The error is `WrongType` if the Rust type does not accept `ty`.
fn encode(ty: &Type, value: &(dyn ToSql + Sync)) -> Result<Option<Bytes>, Cause> {
    let mut buffer = BytesMut::new();
    let is_null = param::encode(value, ty, &mut buffer)?;
    match (is_null, value.encode_format(ty)) {
        (IsNull::Yes, _) => Ok(None),
        (IsNull::No, Format::Binary) => Ok(Some(buffer.freeze())),
        (IsNull::No, Format::Text) => Err("only the text form is known".into()),
    }
}

/// The binary form as a type, or, if that is a domain which the Rust type does not know, as the type that it stands for.
fn encode_in_domain(ty: &Type, value: &(dyn ToSql + Sync)) -> Result<Option<Bytes>, Cause> {
    match (encode(ty, value), ty.kind()) {
        (Err(cause), Kind::Domain(base)) if cause.is::<WrongType>() => encode_in_domain(base, value),
        (encoded, _) => encoded,
    }
}

pub(crate) fn without_domain(ty: Type) -> Type {
    match ty.kind() {
        Kind::Domain(_) => base_type(&ty).clone(),
        _ => ty,
    }
}

/// A column's bytes as they are, whatever its type; `None` is NULL.
#[cfg(feature = "driver")]
pub(crate) struct Raw<'a>(pub(crate) Option<&'a [u8]>);

#[cfg(feature = "driver")]
impl<'a> FromSql<'a> for Raw<'a> {
    #[inline]
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Cause> {
        Ok(Self(Some(raw)))
    }

    #[inline]
    fn from_sql_null(_: &Type) -> Result<Self, Cause> {
        Ok(Self(None))
    }

    #[inline]
    fn accepts(_: &Type) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, time::SystemTime};

    use postgres_types::{Json, to_sql_checked};

    use super::*;

    #[derive(Debug, ToSql)]
    #[postgres(name = "mood")]
    enum Mood {
        #[postgres(name = "happy")]
        Happy,
        #[postgres(name = "sad")]
        Sad,
    }

    fn mood() -> Type {
        Type::new("mood".into(), 90_000, Kind::Enum(vec!["happy".into(), "sad".into()]), "public".into())
    }

    /// What is NULL whatever the type.
    #[derive(Debug)]
    struct Nothing;

    impl ToSql for Nothing {
        fn to_sql(&self, _: &Type, _: &mut BytesMut) -> Result<IsNull, Cause> {
            Ok(IsNull::Yes)
        }

        fn accepts(_: &Type) -> bool {
            true
        }

        to_sql_checked!();
    }

    #[test]
    fn a_rust_type_has_one_natural_type() {
        let cases: &[(&(dyn ToSql + Sync), Type)] = &[
            (&true, Type::BOOL),
            (&1i64, Type::INT8),
            (&1i32, Type::INT4),
            (&1i16, Type::INT2),
            (&1u32, Type::OID),
            (&1i8, Type::CHAR),
            (&1f64, Type::FLOAT8),
            (&1f32, Type::FLOAT4),
            (&"a", Type::TEXT),
            (&"a".to_owned(), Type::TEXT),
            (&vec![1u8], Type::BYTEA),
            (&[1u8].as_slice(), Type::BYTEA),
            (&SystemTime::UNIX_EPOCH, Type::TIMESTAMPTZ),
            (&serde_json::json!({}), Type::JSONB),
            (&Json(1), Type::JSONB),
            (&IpAddr::from([127, 0, 0, 1]), Type::INET),
            (&vec![1i64], Type::INT8_ARRAY),
            (&Vec::<String>::new(), Type::TEXT_ARRAY),
            (&vec![Some("a"), None], Type::TEXT_ARRAY),
            (&None::<i64>, Type::INT8),
            (&None::<Vec<Vec<u8>>>, Type::BYTEA_ARRAY),
            (&Nothing, Type::UNKNOWN),
        ];
        for (value, ty) in cases {
            assert_eq!(Value::of(*value).ty(), ty, "{value:?}");
        }
        assert!(Value::of(&None::<i64>).is_null());
        assert!(!Value::of(&Some(1i64)).is_null());
    }

    #[test]
    #[cfg(feature = "decimal")]
    fn a_decimal_is_numeric() {
        let decimal = rust_decimal::Decimal::new(150, 2);
        assert_eq!(format!("{:?}", Value::of(&decimal)), "1.50::numeric");
        assert_eq!(Value::of(&vec![decimal]).ty(), &Type::NUMERIC_ARRAY);
    }

    #[test]
    fn debug_shows_what_the_value_holds() {
        assert_eq!(format!("{:?}", Value::of(&vec![Some("a"), None])), "[\"a\",null]::_text");
        assert_eq!(format!("{:?}", Value::of(&Mood::Sad)), "Sad::?");
        assert_eq!(format!("{:?}", Value::typed(&mood(), &Mood::Sad).unwrap()), "\"sad\"::mood");
        assert_eq!(format!("{:?}", Value::from_wire(Type::MONEY, Some(Bytes::from_static(b"1")))), "[49]::money");
    }

    #[test]
    fn values_of_unknown_types_compare_but_cannot_be_read() {
        assert_eq!(Value::of(&Mood::Sad), Value::of(&Mood::Sad));
        assert_ne!(Value::of(&Mood::Sad), Value::of(&Mood::Happy));
        let error = Value::of(&Mood::Sad).get::<String>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.to_string().ends_with("has no built-in type; name its type when making it"), "{error}");
        let error = Value::typed(&Type::INT8, &"hunter2").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Encode);
        assert!(error.to_string().starts_with("a value can't be sent as type int8: "), "{error}");
    }
}
