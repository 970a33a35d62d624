//! What types are made of.

use postgres_types::{Kind, Type};

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
    match ty.kind() {
        Kind::Composite(_) => true,
        Kind::Array(inner) | Kind::Domain(inner) | Kind::Range(inner) | Kind::Multirange(inner) => has_composite(inner),
        _ => false,
    }
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
        assert!(!has_composite(&named("mood", Kind::Enum(vec!["ok".into()]))));
    }
}
