//! A parameter that fits two types.

use std::error::Error;

use postgres_types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked};

/// A number that is sent in as many bytes as are asked for.
#[derive(Debug)]
pub struct AnyInt(pub i32);

impl ToSql for AnyInt {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        if *ty == Type::INT8 { i64::from(self.0).to_sql(ty, out) } else { self.0.to_sql(ty, out) }
    }

    fn accepts(ty: &Type) -> bool {
        [Type::INT4, Type::INT8].contains(ty)
    }

    to_sql_checked!();
}
