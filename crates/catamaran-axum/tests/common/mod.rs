//! A blocking service that holds its callers until it is told to let them go, and counts them.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode},
};
use catamaran::{
    Bytes, BytesIter, DatabaseService, Description, Error, ErrorKind, Executor, PoolStatus, Result, Row, RowIter,
    Session, ToSql, Transaction, TransactionOptions, row,
};
use tower::ServiceExt as _;

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Default)]
struct State {
    open: bool,
    running: usize,
    most: usize,
    calls: usize,
    sessions: usize,
}

pub struct Gate {
    size: usize,
    state: Mutex<State>,
    changed: Condvar,
}

impl Gate {
    pub fn closed(size: usize) -> Arc<Self> {
        Arc::new(Self { size, state: Mutex::default(), changed: Condvar::new() })
    }

    pub fn opened(size: usize) -> Arc<Self> {
        let gate = Self::closed(size);
        gate.open();
        gate
    }

    pub fn open(&self) {
        self.state.lock().unwrap().open = true;
        self.changed.notify_all();
    }

    /// How many calls are being held, how many there were at most at one time, and how many there have been.
    pub fn counts(&self) -> (usize, usize, usize) {
        let state = self.state.lock().unwrap();
        (state.running, state.most, state.calls)
    }

    /// How many sessions there have been.
    pub fn sessions(&self) -> usize {
        self.state.lock().unwrap().sessions
    }

    /// Waits until so many calls are being held.
    pub async fn until_running(self: &Arc<Self>, running: usize) {
        let gate = self.clone();
        let reached = tokio::task::spawn_blocking(move || {
            let state = gate.state.lock().unwrap();
            !gate.changed.wait_timeout_while(state, PATIENCE, |state| state.running != running).unwrap().1.timed_out()
        });
        assert!(reached.await.unwrap(), "{:?} instead of {running} running", self.counts());
    }

    fn pass(&self, sql: &str) -> Result<Vec<Row>> {
        let mut state = self.state.lock().unwrap();
        state.calls += 1;
        state.running += 1;
        state.most = state.most.max(state.running);
        self.changed.notify_all();
        let (mut state, timeout) = self.changed.wait_timeout_while(state, PATIENCE, |state| !state.open).unwrap();
        state.running -= 1;
        self.changed.notify_all();
        assert!(!timeout.timed_out(), "nobody opened the gate");
        match sql {
            "empty" => Ok(Vec::new()),
            "broken" => Err(Error::server("42P01", "relation \"secret_table\" does not exist")),
            _ => Ok(vec![row! { "sql" => sql }]),
        }
    }
}

struct OneConnection(Arc<Gate>);

macro_rules! executor {
    ($type:ty, |$this:ident| $gate:expr) => {
        impl Executor for $type {
            fn execute(&self, sql: &str, _: &[&(dyn ToSql + Sync)]) -> Result<u64> {
                let $this = self;
                $gate.pass(sql).map(|rows| rows.len() as u64)
            }

            fn fetch_all(&self, sql: &str, _: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
                let $this = self;
                $gate.pass(sql)
            }

            fn fetch_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row> {
                self.fetch_optional(sql, params)?.ok_or_else(|| Error::new(ErrorKind::NoRows, "no rows"))
            }

            fn fetch_optional(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
                Ok(self.fetch_all(sql, params)?.pop())
            }

            fn batch_execute(&self, _: &str) -> Result<()> {
                unimplemented!()
            }

            fn fetch_iter(&self, _: &str, _: &[&(dyn ToSql + Sync)]) -> Result<RowIter<'_>> {
                unimplemented!()
            }

            fn copy_in(&self, _: &str, _: &mut (dyn Iterator<Item = Result<Bytes>> + Send)) -> Result<u64> {
                unimplemented!()
            }

            fn copy_out(&self, _: &str) -> Result<BytesIter<'_>> {
                unimplemented!()
            }

            fn describe(&self, _: &str) -> Result<Description> {
                unimplemented!()
            }
        }
    };
}

executor!(OneConnection, |this| this.0);

impl Session for OneConnection {
    fn begin(&mut self, _: TransactionOptions) -> Result<Box<dyn Transaction + '_>> {
        unimplemented!()
    }
}

/// A [`Gate`] as a service.
pub struct Held(pub Arc<Gate>);

executor!(Held, |this| this.0);

impl DatabaseService for Held {
    fn begin(&self, _: TransactionOptions) -> Result<Box<dyn Transaction>> {
        unimplemented!()
    }

    fn session(&self) -> Result<Box<dyn Session>> {
        self.0.state.lock().unwrap().sessions += 1;
        Ok(Box::new(OneConnection(self.0.clone())))
    }

    fn ping(&self) -> Result<()> {
        Ok(())
    }

    fn status(&self) -> PoolStatus {
        PoolStatus::empty(self.0.size)
    }

    fn close(&self, _: Duration) -> Result<()> {
        Ok(())
    }
}

pub async fn send(app: &Router, method: &str, path: &str, body: &str) -> (StatusCode, HeaderMap, String) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    (parts.status, parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
}

pub async fn get(app: &Router, path: &str) -> (StatusCode, String) {
    let (status, _, body) = send(app, "GET", path, "").await;
    (status, body)
}
