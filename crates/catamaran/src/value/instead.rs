//! What to ask for instead of a type that no usual Rust type is read from.

use postgres_types::{Kind, Type};

/// What can be asked for in the statement; `None` where there is a usual Rust type.
pub(super) fn instead(ty: &Type) -> Option<&'static str> {
    const TEXT: &str = "read it as text, with `::text` in the statement";
    match ty.kind() {
        Kind::Range(_) | Kind::Multirange(_) => return Some("read `lower()` and `upper()` of it, or the text"),
        Kind::Enum(_) => return Some("derive `FromSql` for an enum of its labels, or read it as text, with `::text`"),
        Kind::Composite(_) => return Some("derive `FromSql` for a struct of its fields, or read these by name"),
        Kind::Array(member) => {
            return match member.kind() {
                Kind::Domain(_) => Some("cast it to an array of the domain's base type in the statement"),
                _ => instead(member).map(|_| "read it as an array of text, with `::text[]` in the statement"),
            };
        }
        _ => {}
    }
    match *ty {
        Type::INTERVAL => Some("read it as text, with `::text`, or as seconds, with `EXTRACT(EPOCH FROM …)`"),
        Type::MONEY => Some("read it as a number, with `::numeric` in the statement"),
        Type::RECORD => Some("name its columns in the statement"),
        Type::BIT | Type::VARBIT | Type::XML | Type::TIMETZ | Type::MACADDR | Type::MACADDR8 | Type::CIDR => Some(TEXT),
        Type::POINT | Type::LSEG | Type::BOX | Type::PATH | Type::POLYGON | Type::CIRCLE | Type::LINE => Some(TEXT),
        Type::TS_VECTOR | Type::TSQUERY | Type::JSONPATH | Type::TID | Type::XID | Type::XID8 | Type::CID => Some(TEXT),
        Type::REGCLASS | Type::REGTYPE | Type::REGPROC | Type::REGPROCEDURE | Type::REGROLE | Type::REGNAMESPACE => {
            Some(TEXT)
        }
        _ => None,
    }
}
