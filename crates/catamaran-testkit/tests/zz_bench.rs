#![allow(clippy::unwrap_used, missing_docs)]
use catamaran_testkit::Cluster;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
#[test]
fn bench() {
    let c = Cluster::builder().setting("log_checkpoints", "on").start().unwrap();
    c.template("t", |u| postgres::Client::connect(u, postgres::NoTls)?.batch_execute("CREATE TABLE t AS SELECT generate_series(1, 10000) AS id")).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|s| {
        s.spawn(|| {
            let mut cl = postgres::Client::connect(&c.url("template1"), postgres::NoTls).unwrap();
            let mut seen: BTreeMap<String, usize> = BTreeMap::new();
            while !stop.load(Ordering::SeqCst) {
                for r in cl.query("SELECT backend_type, coalesce(wait_event,'cpu'), left(query,15), state FROM pg_stat_activity WHERE query LIKE 'CREATE DATA%' OR backend_type IN ('checkpointer')", &[]).unwrap() {
                    *seen.entry(format!("{:?}", (r.get::<_, String>(0), r.get::<_, String>(1), r.get::<_, String>(2), r.get::<_, Option<String>>(3)))).or_default() += 1;
                }
                std::thread::sleep(Duration::from_millis(3));
            }
            eprintln!("{seen:#?}");
        });
        let mut times = vec![];
        for i in 0..10 {
            let t = Instant::now();
            c.execute("postgres", &format!("CREATE DATABASE e{i} TEMPLATE template0")).unwrap();
            times.push(t.elapsed().as_millis());
            let t = Instant::now();
            c.execute("postgres", &format!("CREATE DATABASE c{i} TEMPLATE template_t")).unwrap();
            times.push(t.elapsed().as_millis());
        }
        stop.store(true, Ordering::SeqCst);
        eprintln!("create {times:?}");
    });
    eprintln!("{}", &c.log()[c.log().len().saturating_sub(1500)..]);
}
