//! What `#[from_row(…)]` says, on the struct and on its fields.

use proc_macro2::Span;
use syn::{Attribute, Error, LitStr, Path, Result, meta::ParseNestedMeta, parse_quote};

use crate::rename::Case;

/// The struct's attributes.
pub(crate) struct Container {
    /// Where the facade is.
    pub(crate) krate: Path,
    pub(crate) rename_all: Option<(Case, Span)>,
}

impl Container {
    pub(crate) fn parse(attributes: &[Attribute]) -> Result<Self> {
        let (mut krate, mut rename_all) = (None, None);
        for_each(attributes, |meta| {
            if meta.path.is_ident("crate") {
                once(&krate, &meta)?;
                krate = Some(meta.value()?.parse::<LitStr>()?.parse()?);
            } else if meta.path.is_ident("rename_all") {
                once(&rename_all, &meta)?;
                let name: LitStr = meta.value()?.parse()?;
                rename_all = Some((Case::parse(&name)?, name.span()));
            } else {
                return Err(meta.error("unknown attribute of a struct; there are `crate` and `rename_all`"));
            }
            Ok(())
        })?;
        Ok(Self { krate: krate.unwrap_or_else(|| parse_quote!(::catamaran)), rename_all })
    }
}

/// A field's attributes.
#[derive(Default)]
pub(crate) struct Field {
    pub(crate) rename: Option<LitStr>,
    pub(crate) default: Option<Span>,
    pub(crate) json: Option<Span>,
    pub(crate) flatten: Option<Span>,
}

impl Field {
    pub(crate) fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut field = Self::default();
        for_each(attributes, |meta| {
            let flag = if meta.path.is_ident("rename") {
                once(&field.rename, &meta)?;
                field.rename = Some(meta.value()?.parse()?);
                return Ok(());
            } else if meta.path.is_ident("default") {
                &mut field.default
            } else if meta.path.is_ident("json") {
                &mut field.json
            } else if meta.path.is_ident("flatten") {
                &mut field.flatten
            } else {
                return Err(
                    meta.error("unknown attribute of a field; there are `rename`, `default`, `json` and `flatten`")
                );
            };
            once(flag, &meta)?;
            *flag = meta.path.get_ident().map(proc_macro2::Ident::span);
            Ok(())
        })?;
        field.check()?;
        Ok(field)
    }

    /// `flatten` reads no column of its own, so there is nothing that the others could be about.
    fn check(&self) -> Result<()> {
        if self.flatten.is_none() {
            return Ok(());
        }
        let others =
            [("rename", self.rename.as_ref().map(LitStr::span)), ("default", self.default), ("json", self.json)];
        match others.into_iter().find_map(|(name, span)| Some((name, span?))) {
            Some((name, span)) => Err(Error::new(span, format!("`{name}` makes no sense together with `flatten`"))),
            None => Ok(()),
        }
    }
}

fn for_each(attributes: &[Attribute], mut item: impl FnMut(ParseNestedMeta<'_>) -> Result<()>) -> Result<()> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("from_row"))
        .try_for_each(|attribute| attribute.parse_nested_meta(&mut item))
}

fn once<T>(seen: &Option<T>, meta: &ParseNestedMeta<'_>) -> Result<()> {
    if seen.is_some() { Err(meta.error("given twice")) } else { Ok(()) }
}
