//! What several test files need.

#![allow(dead_code, unreachable_pub)]

use std::fs;
use std::path::Path;
use std::process::Command;

/// Connects without TLS.
pub fn connect(url: &str) -> Result<postgres::Client, postgres::Error> {
    postgres::Client::connect(url, postgres::NoTls)
}

/// Whether a process runs; one that only waits to be reaped does not.
pub fn runs(pid: u32) -> bool {
    state(pid).is_some_and(|state| !state.starts_with('Z'))
}

fn state(pid: u32) -> Option<String> {
    if Path::new("/proc/self/stat").exists() {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        return Some(stat.rsplit(')').next()?.trim_start().to_owned());
    }
    let output = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// The processes that mention a directory in their arguments or work in it.
pub fn users_of(directory: &str) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        let output = Command::new("ps").args(["-A", "-o", "pid=", "-o", "args="]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines = text.lines().filter(|line| line.contains(directory));
        return lines.filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
    };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let path = entry.path();
        let works_in = fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(directory));
        let mentions =
            fs::read(path.join("cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(directory));
        if (works_in || mentions) && runs(pid) {
            found.push(pid);
        }
    }
    found
}

/// Ends the test process at once, as the system does for lack of memory.
pub fn kill(pid: u32) {
    let status = Command::new("sh").args(["-c", "kill -KILL \"$1\"", "kill", &pid.to_string()]).status().unwrap();
    assert!(status.success());
}
