//! Each trouble a proxy makes is seen by its client.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use catamaran_testkit::{Proxy, eventually, shared};
use common::connect;

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(10);

/// A proxy in front of a server that sends back what it is sent.
fn echo() -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::start_to(listener.local_addr().unwrap()).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let _ = std::io::copy(&mut &stream, &mut &stream);
                let _ = stream.shutdown(Shutdown::Write);
            });
        }
    });
    proxy
}

fn client(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Sends a few bytes, waits for them to come back and returns how long it took.
fn ping(mut stream: &TcpStream) -> std::io::Result<Duration> {
    let (start, mut answer) = (Instant::now(), [0; 4]);
    stream.write_all(b"ping")?;
    stream.read_exact(&mut answer)?;
    assert_eq!(&answer, b"ping");
    Ok(start.elapsed())
}

fn is_silent(mut stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(SHORT)).unwrap();
    let result = stream.read(&mut [0]);
    stream.set_read_timeout(Some(LONG)).unwrap();
    matches!(result, Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

#[test]
fn bytes_and_ends_pass_through_unchanged() {
    let proxy = echo();
    let mut stream = client(&proxy);
    let sent: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let writer = {
        let (mut stream, sent) = (stream.try_clone().unwrap(), sent.clone());
        thread::spawn(move || {
            stream.write_all(&sent).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
        })
    };
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    writer.join().unwrap();
    assert!(sent == received);
    let traffic = proxy.traffic();
    assert_eq!((traffic.bytes_to_server, traffic.bytes_to_client), (12_000_000, 12_000_000));
    assert!(eventually(LONG, || proxy.live() == 0), "a connection closed by both is over");
}

#[test]
fn each_direction_is_delayed_without_limiting_the_rate() {
    let proxy = echo();
    let mut stream = client(&proxy);
    assert!(ping(&stream).unwrap() < SHORT);
    proxy.set_delay(SHORT, Duration::ZERO);
    let one = ping(&stream).unwrap();
    proxy.set_delay(SHORT, SHORT / 2);
    let both = ping(&stream).unwrap();
    assert!(one >= SHORT && both >= SHORT * 3 / 2, "{one:?}, {both:?}");
    let start = Instant::now();
    for _ in 0..20 {
        stream.write_all(b"x").unwrap();
        thread::sleep(Duration::from_millis(5));
    }
    stream.read_exact(&mut [0; 20]).unwrap();
    assert!(start.elapsed() < SHORT * 5, "20 bytes in flight take one delay, not 20: {:?}", start.elapsed());
    proxy.set_delay(Duration::ZERO, Duration::ZERO);
    assert!(ping(&stream).unwrap() < SHORT);
}

#[test]
fn connections_are_refused_and_accepted_again() {
    let proxy = echo();
    let stream = client(&proxy);
    ping(&stream).unwrap();
    proxy.refuse();
    proxy.refuse();
    assert_eq!(TcpStream::connect(proxy.address()).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    ping(&stream).unwrap();
    proxy.accept().unwrap();
    ping(&client(&proxy)).unwrap();
    assert_eq!(proxy.traffic().connections, 2);
}

#[test]
fn a_hanging_server_accepts_and_says_nothing() {
    let proxy = echo();
    let old = client(&proxy);
    ping(&old).unwrap();
    let passed = proxy.traffic();
    proxy.hang().unwrap();
    let mut hanging = client(&proxy);
    hanging.write_all(b"ping").unwrap();
    assert!(is_silent(&hanging));
    assert_eq!(proxy.traffic().bytes_to_server, passed.bytes_to_server);
    ping(&old).unwrap();
    proxy.accept().unwrap();
    assert!(is_silent(&hanging), "it hangs for good");
    ping(&client(&proxy)).unwrap();
    proxy.hang().unwrap();
    let other = client(&proxy);
    assert!(eventually(LONG, || proxy.live() == 3), "{}", proxy.live());
    drop(other);
    assert!(eventually(LONG, || proxy.live() == 2), "a client that gives up is noticed");
    assert_eq!(proxy.cut(), 2);
    assert_ne!(hanging.read(&mut [0]).unwrap_or(0), 1);
    assert_eq!(proxy.live(), 0);
}

#[test]
fn all_connections_are_cut_at_once() {
    let proxy = echo();
    let mut streams = [client(&proxy), client(&proxy), client(&proxy)];
    assert!(streams.iter().all(|stream| ping(stream).is_ok()));
    assert_eq!(proxy.live(), 3);
    // Cutting must reach bytes on their way and connections that are stalled.
    proxy.set_delay(LONG, LONG);
    streams[0].write_all(b"late").unwrap();
    proxy.stall();
    let start = Instant::now();
    assert_eq!(proxy.cut(), 3);
    for stream in &mut streams {
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    }
    assert!(start.elapsed() < LONG / 2);
    assert_eq!((proxy.live(), proxy.cut()), (0, 0));
    proxy.resume();
    proxy.set_delay(Duration::ZERO, Duration::ZERO);
    ping(&client(&proxy)).unwrap();
}

#[test]
fn a_stalled_connection_stays_open_and_resumes() {
    let proxy = echo();
    let mut stream = client(&proxy);
    ping(&stream).unwrap();
    let passed = proxy.traffic();
    proxy.stall();
    stream.write_all(b"held").unwrap();
    let mut new = client(&proxy);
    new.write_all(b"also").unwrap();
    assert!(is_silent(&stream) && is_silent(&new));
    assert_eq!(proxy.traffic().since(&passed).bytes_to_server, 0);
    assert_eq!(proxy.live(), 2);
    proxy.resume();
    for (stream, expected) in [(&mut stream, b"held"), (&mut new, b"also")] {
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, expected);
    }
}

#[test]
fn a_dropped_proxy_is_gone_whatever_it_was_doing() {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let proxy = echo();
        let mut streams = vec![client(&proxy), client(&proxy)];
        ping(&streams[0]).unwrap();
        proxy.set_delay(LONG * 6, LONG * 6);
        streams[0].write_all(b"late").unwrap();
        proxy.stall();
        proxy.hang().unwrap();
        streams.push(client(&proxy));
        let address = proxy.address();
        drop(proxy);
        sender.send((address, streams)).unwrap();
    });
    let (address, mut streams) = receiver.recv_timeout(LONG).expect("dropping ends all threads");
    assert!(TcpStream::connect(address).is_err());
    for stream in &mut streams {
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    }
}

#[test]
fn the_round_trips_of_a_client_are_counted() {
    let database = shared().unwrap().database().unwrap();
    let proxy = Proxy::start(database.server()).unwrap();
    let mut client = connect(&database.url_via(proxy.address())).unwrap();
    let start = proxy.traffic();
    assert_eq!((start.connections, start.syncs()), (1, 0));
    let statement = client.prepare("SELECT $1::text").unwrap();
    let prepared = proxy.traffic();
    assert_eq!((prepared.since(&start).parses(), prepared.since(&start).turns), (1, 1));
    // A Q in the data is no Query.
    for _ in 0..5 {
        assert_eq!(client.query_one(&statement, &[&"QSQSQ"]).unwrap().get::<_, &str>(0), "QSQSQ");
    }
    client.batch_execute("SELECT 1; SELECT 2").unwrap();
    let used = proxy.traffic().since(&prepared);
    assert_eq!((used.syncs(), used.queries(), used.parses(), used.turns), (5, 1, 0, 6));
    assert_eq!((used.messages(b'B'), used.messages(b'E')), (5, 5));

    let token = client.cancel_token();
    token.cancel_query(postgres::NoTls).unwrap();
    assert!(eventually(LONG, || proxy.traffic().cancels == 1));
}

#[test]
fn what_clients_send_is_captured_while_wanted() {
    let proxy = echo();
    let stream = client(&proxy);
    ping(&stream).unwrap();
    proxy.capture(true);
    ping(&stream).unwrap();
    ping(&client(&proxy)).unwrap();
    ping(&stream).unwrap();
    proxy.capture(false);
    ping(&stream).unwrap();
    assert_eq!(proxy.captured(), [b"pingping".to_vec(), b"ping".to_vec()]);
}

#[test]
fn a_client_of_a_server_that_is_not_there_is_closed() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = Proxy::start_to(free).unwrap();
    assert_eq!(client(&proxy).read(&mut [0]).unwrap_or(0), 0);
    assert!(eventually(LONG, || proxy.live() == 0));
}
