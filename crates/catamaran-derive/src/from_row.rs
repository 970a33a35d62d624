//! The code that the derive writes.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    Data, DeriveInput, Error, GenericParam, Index, LitStr, Member, Path, Result, Type, ext::IdentExt, parse_quote,
    spanned::Spanned,
};

use crate::{
    attributes::{Container, Field},
    rename::Case,
};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(input.ident.span(), "`FromRow` can be derived for structs only"));
    };
    if let Some(lifetime) = input.generics.lifetimes().next() {
        let message = "`FromRow` can't be derived for a struct that borrows: it outlives the row";
        return Err(Error::new(lifetime.span(), message));
    }
    let Container { krate, rename_all } = Container::parse(&input.attrs)?;
    if let (Some((_, span)), true) = (&rename_all, data.fields.iter().all(|field| field.ident.is_none())) {
        return Err(Error::new(*span, "`rename_all` needs fields that have names"));
    }

    let parameters: Vec<&Ident> = input
        .generics
        .params
        .iter()
        .filter_map(|parameter| match parameter {
            GenericParam::Type(parameter) => Some(&parameter.ident),
            _ => None,
        })
        .collect();
    let mut generics = input.generics.clone();
    let mut values = Vec::new();
    // Errors of all fields at once.
    let mut errors: Option<Error> = None;
    for (position, field) in data.fields.iter().enumerate() {
        let attributes = match Field::parse(&field.attrs) {
            Ok(attributes) => attributes,
            Err(error) => {
                match &mut errors {
                    Some(errors) => errors.combine(error),
                    None => errors = Some(error),
                }
                continue;
            }
        };
        let member = match &field.ident {
            Some(name) => Member::Named(name.clone()),
            None => Member::Unnamed(Index::from(position)),
        };
        if mentions(field.ty.to_token_stream(), &parameters) {
            let predicates = &mut generics.make_where_clause().predicates;
            let (ty, bound) = (&field.ty, bound(&attributes, &krate));
            predicates.push(parse_quote!(#ty: #bound));
            if attributes.default.is_some() {
                predicates.push(parse_quote!(#ty: ::core::default::Default));
            }
        }
        let value = value(&member, &field.ty, &attributes, rename_all.map(|(case, _)| case), &krate);
        values.push(quote!(#member: #value));
    }
    if let Some(errors) = errors {
        return Err(errors);
    }

    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #krate::FromRow for #name #type_generics #where_clause {
            fn from_row(__row: &#krate::Row) -> #krate::Result<Self> {
                let mut __positions = #krate::__private::Positions::of_one_row();
                <Self as #krate::FromRow>::from_row_with(__row, &mut __positions)
            }

            #[inline]
            fn from_row_with(
                __row: &#krate::Row,
                __positions: &mut #krate::__private::Positions,
            ) -> #krate::Result<Self> {
                ::core::result::Result::Ok(Self { #(#values),* })
            }
        }
    })
}

/// What a generic field's type has to be.
fn bound(attributes: &Field, krate: &Path) -> TokenStream {
    if attributes.flatten.is_some() {
        quote!(#krate::FromRow)
    } else if attributes.json.is_some() {
        quote!(#krate::__private::DeserializeOwned)
    } else {
        quote!(#krate::FromSqlOwned)
    }
}

/// The expression that reads a field. What the compiler says about it, it says at the field's type.
fn value(member: &Member, ty: &Type, attributes: &Field, case: Option<Case>, krate: &Path) -> TokenStream {
    let span = ty.span();
    if attributes.flatten.is_some() {
        return quote_spanned!(span=> #krate::__private::Positions::flatten::<#ty>(__positions, __row)?);
    }
    let column = match (&attributes.rename, member) {
        (Some(name), _) => name.to_token_stream(),
        (None, Member::Named(name)) => {
            let name = name.unraw().to_string();
            let name = case.map(|case| case.apply(&name)).unwrap_or(name);
            LitStr::new(&name, Span::call_site()).to_token_stream()
        }
        (None, Member::Unnamed(position)) => {
            let position = position.index as usize;
            quote!(#position)
        }
    };
    let read = match (attributes.json, attributes.default) {
        (None, None) => "read",
        (None, Some(_)) => "read_or_default",
        (Some(_), None) => "read_json",
        (Some(_), Some(_)) => "read_json_or_default",
    };
    let read = Ident::new(read, span);
    quote_spanned!(span=> #krate::__private::Positions::#read::<#ty>(__positions, __row, #column)?)
}

/// Whether a type is made of one of the struct's parameters.
fn mentions(tokens: TokenStream, parameters: &[&Ident]) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => parameters.contains(&&ident),
        TokenTree::Group(group) => mentions(group.stream(), parameters),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use syn::{DeriveInput, parse_quote};

    fn error(input: &DeriveInput) -> String {
        let errors: Vec<String> =
            super::expand(input).unwrap_err().into_iter().map(|error| error.to_string()).collect();
        errors.join("; ")
    }

    #[test]
    fn misuse_is_told_apart() {
        let cases: Vec<(DeriveInput, &str)> = vec![
            (
                parse_quote!(
                    enum E {
                        A,
                    }
                ),
                "`FromRow` can be derived for structs only",
            ),
            (
                parse_quote!(
                    struct S<'a> {
                        a: &'a str,
                    }
                ),
                "`FromRow` can't be derived for a struct that borrows: it outlives the row",
            ),
            (
                parse_quote!(
                    struct S {
                        #[from_row(renam = "x")]
                        a: i64,
                    }
                ),
                "unknown attribute of a field; there are `rename`, `default`, `json` and `flatten`",
            ),
            (
                parse_quote!(
                    #[from_row(rename = "x")]
                    struct S {
                        a: i64,
                    }
                ),
                "unknown attribute of a struct; there are `crate` and `rename_all`",
            ),
            (
                parse_quote!(
                    struct S {
                        #[from_row(rename = "x", flatten)]
                        a: A,
                        #[from_row(default, default)]
                        b: i64,
                    }
                ),
                "`rename` makes no sense together with `flatten`; given twice",
            ),
            (
                parse_quote!(
                    #[from_row(rename_all = "Title Case")]
                    struct S {
                        a: i64,
                    }
                ),
                "unknown case; there are \"lowercase\", \"UPPERCASE\", \"PascalCase\", \"camelCase\", \"snake_case\", \
                 \"SCREAMING_SNAKE_CASE\", \"kebab-case\", \"SCREAMING-KEBAB-CASE\"",
            ),
            (
                parse_quote!(
                    #[from_row(rename_all = "camelCase")]
                    struct S(i64);
                ),
                "`rename_all` needs fields that have names",
            ),
        ];
        for (input, expected) in cases {
            assert_eq!(error(&input), expected);
        }
    }

    #[test]
    fn bounds_are_on_the_fields_types_that_mention_a_parameter() {
        let input: DeriveInput = parse_quote! {
            #[from_row(crate = "other::path")]
            struct S<T, U> { a: Vec<T>, b: i64, #[from_row(flatten)] c: U, #[from_row(json, default)] d: Option<T> }
        };
        let code = super::expand(&input).unwrap().to_string();
        for bound in [
            "Vec < T > : other :: path :: FromSqlOwned",
            "U : other :: path :: FromRow",
            "Option < T > : other :: path :: __private :: DeserializeOwned",
            "Option < T > : :: core :: default :: Default",
        ] {
            assert!(code.contains(bound), "{bound} in {code}");
        }
        assert!(!code.contains("i64 :") && !code.contains(":: catamaran"), "{code}");
    }
}
