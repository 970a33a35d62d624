//! The traits of a source file, in the form in which they are compared.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::{
    Attribute, Expr, ExprLit, ExprMacro, FnArg, GenericArgument, Item, ItemTrait, Lit, Meta, PathArguments, ReturnType,
    TraitItem, TraitItemFn, Type, TypeParamBound,
};

use super::erase::Eraser;

/// A trait, with `async` erased.
#[derive(Debug, Clone)]
pub struct Trait {
    /// Its name, or that of its blocking twin.
    pub name: String,
    /// Whether it is the async one.
    pub is_async: bool,
    /// What it asks of an implementation.
    pub supertraits: String,
    /// Its methods.
    pub methods: Vec<Method>,
}

/// A method, with `async` erased.
#[derive(Debug, Clone)]
pub struct Method {
    /// Its name, or that of its blocking twin.
    pub name: String,
    /// Type parameters, parameters, result and bounds.
    pub signature: String,
    /// Whether an async one has to be awaited.
    pub is_awaited: bool,
    /// The files that document it, or its documentation if it includes none.
    pub docs: Vec<String>,
}

/// The public traits of a source file.
pub(super) fn traits(source: &str, eraser: &Eraser<'_>) -> Vec<Trait> {
    let file = syn::parse_file(source).expect("the source is Rust");
    let items = file.items.into_iter().filter_map(|item| match item {
        Item::Trait(item) if matches!(item.vis, syn::Visibility::Public(_)) => Some(item),
        _ => None,
    });
    items.map(|item| compared(&item, eraser)).collect()
}

fn compared(item: &ItemTrait, eraser: &Eraser<'_>) -> Trait {
    let name = item.ident.to_string();
    let is_async = name.starts_with("Async");
    let erased = |tokens: TokenStream| if is_async { eraser.tokens(tokens) } else { tokens };
    let methods = item.items.iter().filter_map(|item| match item {
        TraitItem::Fn(method) => Some(method),
        _ => None,
    });
    Trait {
        name: erased(item.ident.to_token_stream()).to_string(),
        is_async,
        supertraits: erased(item.supertraits.to_token_stream()).to_string(),
        methods: methods
            .map(|method| Method {
                name: erased(method.sig.ident.to_token_stream()).to_string(),
                signature: erased(signature(method)).to_string(),
                is_awaited: method.sig.asyncness.is_some() || output(&method.sig.output).1,
                docs: docs(&method.attrs),
            })
            .collect(),
    }
}

/// Everything between the method's name and its body, without `async` and with a trailing comma or none.
fn signature(method: &TraitItemFn) -> TokenStream {
    let signature = &method.sig;
    let generics = &signature.generics.params;
    let inputs = signature.inputs.iter().map(FnArg::to_token_stream);
    let (output, _) = output(&signature.output);
    let bounds = signature.generics.where_clause.iter().flat_map(|bounds| &bounds.predicates);
    quote!(<#generics> (#(#inputs),*) -> #output where #(#bounds),*)
}

/// The result, or what a future of it is a future of; and which of the two it is.
fn output(output: &ReturnType) -> (TokenStream, bool) {
    let ReturnType::Type(_, ty) = output else { return (quote!(()), false) };
    let Type::ImplTrait(returned) = &**ty else { return (ty.to_token_stream(), false) };
    let future = returned.bounds.iter().find_map(|bound| match bound {
        TypeParamBound::Trait(bound) => bound.path.segments.last().filter(|segment| segment.ident == "Future"),
        _ => None,
    });
    let Some(PathArguments::AngleBracketed(arguments)) = future.map(|future| &future.arguments) else {
        return (ty.to_token_stream(), false);
    };
    let awaited = arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(assoc) => Some(assoc.ty.to_token_stream()),
        _ => None,
    });
    awaited.map_or_else(|| (ty.to_token_stream(), false), |awaited| (awaited, true))
}

/// What a method is documented by: the included files, since what follows them tells the twins apart, or the text.
fn docs(attributes: &[Attribute]) -> Vec<String> {
    let values: Vec<_> = attributes
        .iter()
        .filter_map(|attribute| match &attribute.meta {
            Meta::NameValue(meta) if meta.path.is_ident("doc") => Some(&meta.value),
            _ => None,
        })
        .collect();
    let included: Vec<_> = values
        .iter()
        .filter_map(|value| match value {
            Expr::Macro(ExprMacro { mac, .. }) if mac.path.is_ident("include_str") => Some(mac.tokens.to_string()),
            _ => None,
        })
        .collect();
    if !included.is_empty() {
        return included;
    }
    let text = values.iter().filter_map(|value| match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    });
    text.collect()
}
