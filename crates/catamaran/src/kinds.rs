//! What types are made of.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::SystemTime,
};

use postgres_types::{Kind, Type};

/// When a Rust type last refused an enum, which may have got a value that the driver does not know of, in parts of a second:
/// a type that refuses always does not have connections look for types all the time.
static DOUBTED: AtomicU64 = AtomicU64::new(0);

/// Notes that a Rust type can't be read from a type. Of an enum, what the drivers know may be out of date.
pub(crate) fn doubt(ty: &Type) {
    let base = match ty.kind() {
        Kind::Array(member) => base_type(member),
        _ => base_type(ty),
    };
    if matches!(base.kind(), Kind::Enum(_)) {
        let now = SystemTime::UNIX_EPOCH
            .elapsed()
            .map_or(0, |since| since.as_secs() * 20 + u64::from(since.subsec_millis() / 50));
        DOUBTED.store(now, Relaxed);
    }
}

/// The doubts that a connection has followed: it has looked for types anew since.
#[cfg(feature = "driver")]
#[derive(Default)]
pub(crate) struct Followed(AtomicU64);

#[cfg(feature = "driver")]
impl Followed {
    /// Whether there is a doubt that the connection has not followed, which it does now.
    #[inline]
    pub(crate) fn is_behind(&self) -> bool {
        let doubted = DOUBTED.load(Relaxed);
        doubted != self.0.load(Relaxed) && self.0.swap(doubted, Relaxed) != doubted
    }
}

/// The type that a domain stands for, and any other type itself. A server gives a column of a domain as one of this.
#[inline]
pub(crate) fn base_type(mut ty: &Type) -> &Type {
    while let Kind::Domain(base) = ty.kind() {
        ty = base;
    }
    ty
}

/// Whether a value of the type may hold one of a composite type, however deep. What the driver knows of such a type is
/// wrong once its fields are altered.
#[cfg(feature = "driver")]
pub(crate) fn has_composite(ty: &Type) -> bool {
    matches!(innermost(ty).kind(), Kind::Composite(_))
}

/// Whether a value of the type may hold one of an enum, but for those in the fields of composites.
#[cfg(feature = "driver")]
pub(crate) fn has_enum(ty: &Type) -> bool {
    matches!(innermost(ty).kind(), Kind::Enum(_))
}

#[cfg(feature = "driver")]
fn innermost(mut ty: &Type) -> &Type {
    while let Kind::Array(inner) | Kind::Domain(inner) | Kind::Range(inner) | Kind::Multirange(inner) = ty.kind() {
        ty = inner;
    }
    ty
}

#[cfg(test)]
mod tests {
    use postgres_types::Field;

    use super::*;

    fn named(name: &str, kind: Kind) -> Type {
        Type::new(name.into(), 90_000, kind, "public".into())
    }

    #[test]
    fn a_domain_stands_for_what_it_is_made_of_in_the_end() {
        let positive = named("positive", Kind::Domain(Type::INT4));
        assert_eq!(base_type(&named("small", Kind::Domain(positive.clone()))), &Type::INT4);
        assert_eq!(base_type(&Type::TEXT), &Type::TEXT);
        let list = named("list", Kind::Array(positive));
        assert_eq!(base_type(&list), &list);
    }

    #[test]
    #[cfg(feature = "driver")]
    fn composites_are_found_however_deep() {
        let pair = named("pair", Kind::Composite(vec![Field::new("a".into(), Type::INT4)]));
        let wraps: [fn(Type) -> Kind; 4] = [Kind::Array, Kind::Domain, Kind::Range, Kind::Multirange];
        assert!(has_composite(&pair));
        for outer in wraps {
            for inner in wraps {
                assert!(has_composite(&named("x", outer(named("y", inner(pair.clone()))))));
                assert!(!has_composite(&named("x", outer(named("y", inner(Type::INT4))))));
            }
        }
        let mood = named("mood", Kind::Enum(vec!["ok".into()]));
        assert!(!has_composite(&mood) && has_enum(&named("moods", Kind::Array(mood))) && !has_enum(&pair));
    }
}
