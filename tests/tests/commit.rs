//! What a commit reports is what the server has kept: every way to leave a statement unread, with every way to end its
//! transaction, behind every face.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::SeqCst},
    },
};

use catamaran::Config;
use catamaran_testkit::{Database, shared};
use catamaran_tests::{
    ends::{Claim, End, KEPT, run},
    faces::{Face, LONG, Opened},
    leaves::{LEAVES, Leave, SCHEMA, Spoils},
};
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

/// How many connections are used at once.
const AT_ONCE: usize = 6;

/// One combination, and what came of it.
struct Tried {
    label: String,
    claims: Vec<(i64, Claim)>,
    /// What is wrong whatever the server has kept.
    wrong: Option<String>,
}

fn database() -> Database {
    let database = shared().unwrap().database().unwrap();
    database.execute(SCHEMA).unwrap();
    database.execute(KEPT).unwrap();
    database
}

fn config(database: &Database) -> Config {
    Config::from_url(&database.url()).unwrap().max_size(1).checkout_timeout(LONG)
}

/// Tries one way to leave something unread with all ends, one after the other on one connection.
async fn try_all(face: Face, leave: Leave, config: Config, ids: Arc<AtomicI64>) -> Vec<Tried> {
    let mut tried = Vec::new();
    let mut opened = face.open(&config);
    for &times in leave.times {
        for end in End::all(face) {
            let id = ids.fetch_add(2, SeqCst);
            let label = format!("{face}: {} ({times}), {end:?}", leave.name);
            let one = face.host(one(opened.clone(), leave, times, end, id, label.clone())).await;
            let one = one.unwrap_or_else(|panic| Tried { label, claims: Vec::new(), wrong: Some(panic) });
            if one.wrong.is_some() {
                // The next one is not to suffer for it.
                opened = face.open(&config);
            }
            tried.push(one);
        }
    }
    tried
}

async fn one(opened: Opened, leave: Leave, times: usize, end: End, id: i64, label: String) -> Tried {
    let is_blocking = opened.face == Face::Blocking;
    let running = async {
        let ended = match run(&opened, &leave, times, end, id).await {
            Ok(ended) => ended,
            Err(error) => return (Vec::new(), Some(format!("could not begin: {error:?}"))),
        };
        let mut wrong = ended.wrong.map(|right| format!("{:?} instead of {right}", ended.result));
        for nonce in [id, id + 1] {
            let answer = opened.db.fetch_one("SELECT $1::int8", &[&nonce]).await.and_then(|row| row.get::<i64>(0));
            if !matches!(answer, Ok(answer) if answer == nonce) {
                wrong.get_or_insert(format!("{answer:?} to the next caller"));
            }
        }
        (ended.claims, wrong)
    };
    // A thread that blocks has no timer; nextest ends what hangs there.
    let ended = if is_blocking { Ok(running.await) } else { timeout(LONG, running).await };
    let (claims, wrong) = ended.unwrap_or_else(|_| (Vec::new(), Some("it hangs".into())));
    Tried { label, claims, wrong }
}

/// What the claims say that the server does not.
fn lies(tried: &[Tried], kept: &BTreeSet<i64>) -> Vec<String> {
    let lie = |tried: &Tried| {
        let lies = tried.claims.iter().find_map(|(id, claim)| match (claim, kept.contains(id)) {
            (Claim::Kept, false) => Some("reported as committed, and is not there".to_owned()),
            (Claim::Gone, true) => Some("reported as not committed, and is there".to_owned()),
            _ => None,
        });
        lies.or_else(|| tried.wrong.clone()).map(|lie| format!("{}: {lie}", tried.label))
    };
    tried.iter().filter_map(lie).collect()
}

fn kept(database: &Database) -> BTreeSet<i64> {
    let ids = database.texts("SELECT id::text FROM kept").unwrap();
    ids.into_iter().flatten().map(|id| id.parse().unwrap()).collect()
}

/// All combinations behind one face.
async fn combinations(face: Face) {
    let database = database();
    let (config, ids) = (config(&database), Arc::new(AtomicI64::new(0)));
    let (permits, mut tasks) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for leave in LEAVES.iter().copied().filter(|leave| face.is_async() || !leave.drops) {
        let (config, ids, permits) = (config.clone(), ids.clone(), permits.clone());
        tasks.spawn(async move {
            let _permit = permits.acquire_owned().await.unwrap();
            try_all(face, leave, config, ids).await
        });
    }
    let tried: Vec<Tried> = tasks.join_all().await.into_iter().flatten().collect();
    let kept = kept(&database);
    let lies = lies(&tried, &kept);
    println!("{face}: {} combinations, {} rows kept, {} wrong", tried.len(), kept.len(), lies.len());
    let committed = tried.iter().flat_map(|tried| &tried.claims).filter(|(_, claim)| *claim == Claim::Kept).count();
    assert!(committed > 100 && tried.len() > 300, "control: {committed} of {} were committed", tried.len());
    assert!(lies.is_empty(), "{} of {} are wrong:\n{}", lies.len(), tried.len(), lies.join("\n"));
}

macro_rules! faces {
    ($($name:ident: $face:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            combinations(Face::$face).await;
        }
    )*};
}

faces! {
    blocking: Blocking
    sharing: Sharing
    apart: Apart
    offloaded: Offloaded
    lent: Lent
}

/// The look at the server sees what it is there to see.
#[test]
fn control_false_claims_are_noticed() {
    let tried = |id, claim| Tried { label: format!("{id}"), claims: vec![(id, claim)], wrong: None };
    let tried = [
        tried(1, Claim::Kept),
        tried(2, Claim::Gone),
        tried(3, Claim::Kept),
        tried(4, Claim::Gone),
        tried(5, Claim::Unknown),
    ];
    let lies = lies(&tried, &BTreeSet::from([1, 2]));
    assert_eq!(lies.len(), 2, "{lies:?}");
    let spoils: BTreeMap<_, _> = LEAVES.iter().map(|leave| (format!("{:?}", leave.spoils), leave.name)).collect();
    assert_eq!(spoils.len(), 4, "{spoils:?}");
    assert_eq!(LEAVES[0].spoils, Spoils::Never);
}
