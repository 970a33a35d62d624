//! How long each operation takes: `cargo bench -p catamaran-micro [-- NAME]`.

#![allow(clippy::unwrap_used, missing_docs)]

use catamaran_micro::operations;
use criterion::{Criterion, criterion_group, criterion_main};

fn all(criterion: &mut Criterion) {
    for mut operation in operations().unwrap() {
        criterion.bench_function(operation.name, |bencher| bencher.iter(|| operation.run()));
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
