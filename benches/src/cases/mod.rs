//! What is compared: a file for each case.

mod bulk_insert;
mod checkout;
mod decode;
mod guard;
mod history;
mod insert;
mod instructions;
mod point_select;
mod round_trip;
mod stream;
mod tail;
mod ten_at_once;
mod transactions;

use crate::{Result, bench::Bench, harness::Table};

/// A comparison of its own.
#[derive(Debug)]
pub struct Case {
    pub name: &'static str,
    pub about: &'static str,
    pub run: fn(&Bench) -> Result<Vec<Table>>,
}

const fn case(name: &'static str, about: &'static str, run: fn(&Bench) -> Result<Vec<Table>>) -> Case {
    Case { name, about, run }
}

pub const ALL: &[Case] = &[
    case(
        "point_select",
        "one row of 4 columns by primary key into a struct, over a Unix socket",
        point_select::over_socket,
    ),
    case("tcp_point_select", "the same over TCP on the same machine", point_select::over_tcp),
    case("round_trip", "the same with 0.5 ms of round trip added by a proxy", round_trip::run),
    case("history", "a page of 50 chat messages with a jsonb column into structs", history::run),
    case("decode_10k", "10,000 rows of 5 columns into structs, one after the other", decode::run),
    case("insert_sync_on", "one row with synchronous_commit on, on a disk", insert::durably),
    case("insert_sync_off", "one row with synchronous_commit off, on a disk", insert::soon),
    case("bulk_insert", "10,000 rows of 5 columns at once, on a disk", bulk_insert::run),
    case("checkout", "a connection taken and given back, and nothing else", checkout::run),
    case("tail", "point selects, 1 in 500 of which sleeps 10 ms instead", tail::run),
    case("transactions", "4 tasks of transactions beside 64 tasks of point selects", transactions::run),
    case("blocking_point_select", "point selects of threads", point_select::blocking),
    case("blocking_history", "pages of 50 chat messages of threads", history::blocking),
    case("guard", "point selects as guarded requests, beside those that nobody guards", guard::run),
    case("stream_1m", "1,000,000 rows as a stream", stream::run),
    case(
        "ten_at_once",
        "10 statements that sleep 10 ms at once on 10 connections, beside one of them",
        ten_at_once::run,
    ),
    case("instructions", "the client's instructions for a point select, 1 and 32 at a time", instructions::run),
    case("allocations", "the client's allocations for a point select", instructions::allocations),
];
