//! What only services do.

use std::time::Duration;

use catamaran::ErrorKind;
use serde_json::json;

use super::super::{case::*, expected::*};
use crate::p;

fn ping() -> Step {
    Action::Ping.into()
}

fn status() -> Step {
    Step::from(Action::Status).gives(Expected::Status(10))
}

fn holders() -> Step {
    Step::from(Action::Holders).gives(Expected::Texts(Vec::new()))
}

fn close() -> Step {
    Action::Close(Duration::from_secs(5)).into()
}

pub(super) fn cases() -> Vec<Case> {
    let one = || fetch_one("SELECT 1 AS one", p![]);
    let works = || one().gives(rows("one int4", json!([[1]])));
    let closed = || one().gives(fails(ErrorKind::PoolClosed));
    vec![
        case("ping").step(ping()).step(ping()),
        case("status has the configured size").step(status()).step(works()).step(status()),
        case("status while a session is open").step(session(vec![on_service(vec![status()]), works()])).step(status()),
        case("nobody holds a connection when a statement is over").step(works()).step(holders()),
        case("close refuses statements").step(works()).step(close()).step(closed()),
        case("close refuses everything else").step(close()).steps([
            ping().gives(fails(ErrorKind::PoolClosed)),
            begin(COMMIT, vec![]).gives(fails(ErrorKind::PoolClosed)),
            session(vec![]).gives(fails(ErrorKind::PoolClosed)),
            batch("SELECT 1").gives(fails(ErrorKind::PoolClosed)),
            stream("SELECT 1", p![]).gives(fails(ErrorKind::PoolClosed)),
            copy_out("COPY (SELECT 1) TO STDOUT").gives(fails(ErrorKind::PoolClosed)),
            copy_in("COPY t FROM STDIN", &[]).gives(fails(ErrorKind::PoolClosed)),
            describe("SELECT 1").gives(fails(ErrorKind::PoolClosed)),
        ]),
        case("close twice").step(works()).step(close()).step(close()),
        case("close before anything was asked").step(close()),
        case("close waits no longer than it may for a session").step(session(vec![
            works(),
            on_service(vec![Step::from(Action::Close(Duration::from_millis(50))).gives(fails(ErrorKind::Timeout))]),
        ])),
    ]
}
