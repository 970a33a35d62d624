//! The two programs are one but for the service, `async` and `.await`.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::process::Command;

#[test]
fn they_differ_in_the_service_and_in_awaiting() {
    let blocking = include_str!("../src/bin/blocking.rs");
    let nonblocking = include_str!("../src/bin/nonblocking.rs");
    let erased = ["#[tokio::main]\n", "async ", ".await", "Async", "non"];
    assert_eq!(erased.iter().fold(nonblocking.to_owned(), |text, word| text.replace(word, "")), blocking);
}

#[test]
fn they_say_the_same() {
    let database = catamaran_testkit::shared().unwrap().database().unwrap();
    for program in [env!("CARGO_BIN_EXE_blocking"), env!("CARGO_BIN_EXE_nonblocking")] {
        let output = Command::new(program).env("DATABASE_URL", database.url()).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "3 boats\na catamaran has 2 hulls\n", "{program}");
    }
}
