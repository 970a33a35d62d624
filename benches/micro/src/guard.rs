//! What the guard costs where nothing is wrong.

use std::{future::ready, hint::black_box, sync::Arc};

use catamaran::{__bench, Executor, guard};
use futures_util::FutureExt as _;

use crate::{
    Operation,
    dispatch::{Nothing, SQL},
};

pub(crate) fn operations() -> Vec<Operation> {
    let row = catamaran::row! { "id" => 1i64 };
    let guarded: Arc<dyn Executor> = Arc::new(__bench::guarded(Nothing(row)));
    let route: Arc<str> = "GET /agents/{id}".into();
    vec![
        Operation::new("guard/execute", move || black_box(&guarded).execute(SQL, &[&1i64])),
        Operation::new("guard/scope", move || guard::scope(route.clone(), ready(1)).now_or_never()),
    ]
}
