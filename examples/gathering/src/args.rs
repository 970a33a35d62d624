//! What follows a command on the command line.

use std::net::{Ipv4Addr, SocketAddr};

/// The arguments of a command that serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Args {
    /// Where to listen. Default: 127.0.0.1:3000.
    pub addr: SocketAddr,
}

impl Args {
    /// Reads `--addr ADDRESS`.
    ///
    /// # Errors
    ///
    /// What is wrong, in words, for anything else.
    pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut parsed = Self { addr: (Ipv4Addr::LOCALHOST, 3000).into() };
        while let Some(arg) = args.next() {
            let value = match arg.strip_prefix("--addr") {
                Some("") => args.next().ok_or("--addr needs an address")?,
                Some(value) if value.starts_with('=') => value[1..].to_owned(),
                _ => return Err(format!("unknown argument {arg:?}")),
            };
            parsed.addr = value.parse().map_err(|_| format!("not an address and port: {value:?}"))?;
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<String, String> {
        Args::parse(args.iter().map(|arg| (*arg).to_owned())).map(|args| args.addr.to_string())
    }

    #[test]
    fn an_address_is_read() {
        assert_eq!(parse(&[]).unwrap(), "127.0.0.1:3000");
        assert_eq!(parse(&["--addr", "[::1]:80"]).unwrap(), "[::1]:80");
        assert_eq!(parse(&["--addr=0.0.0.0:0"]).unwrap(), "0.0.0.0:0");
        for wrong in [&["--addr"][..], &["--addr", "x"], &["--address=1.2.3.4:5"], &["x"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
