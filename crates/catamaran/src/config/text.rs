//! Connection strings, as URL or as pairs, into options by name.
//!
//! The driver has a parser too, but it takes any `@`, even one in the query, for the end of the user name and password,
//! which would put a password into places that are shown. Values are left to the driver.

use super::{
    config_error,
    params::{Origin, Param},
};
use crate::{Error, Result};

const ESCAPE: &str = "in a user name or password write `@` as %40, `/` as %2F, `?` as %3F and `%` as %25";

pub(super) fn parse(text: &str) -> Result<Vec<Param>> {
    let text = text.trim();
    match text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://")) {
        Some(rest) => url(rest),
        None => pairs(text),
    }
}

/// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>
fn url(text: &str) -> Result<Vec<Param>> {
    let (authority, rest) = text.split_at(text.find(['/', '?']).unwrap_or(text.len()));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (login, hosts) = match authority.split_once('@') {
        Some((login, hosts)) => (Some(login), hosts),
        None => (None, authority),
    };
    if hosts.contains('@') || path.contains('@') {
        return Err(malformed(&format!("too many `@`; {ESCAPE}")));
    }
    // A `/` or `?` in the password moves a piece of it to the right, along with the `@` that ends it.
    let suspect = query.contains('@');
    let mut params = Params { list: Vec::new(), quotable: !suspect };
    if let Some(login) = login {
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        for (key, value) in [("user", user), ("password", password)] {
            if !value.is_empty() {
                params.push(key, decode(value)?);
            }
        }
    }
    // Without an `@` what looks like host and port may be user and password of a URL whose host was left out.
    params.quotable = !suspect && login.is_some();
    endpoint(hosts, &mut params)?;
    params.quotable = !suspect;
    if let Some(dbname) = path.strip_prefix('/').filter(|dbname| !dbname.is_empty()) {
        params.push("dbname", decode(dbname)?);
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) =
            pair.split_once('=').ok_or_else(|| malformed(&format!("an option in the query has no `=`; {ESCAPE}")))?;
        let key = decode(key)?;
        let is_password = key == "password";
        params.push(key, decode(value)?);
        params.quotable &= !is_password;
    }
    Ok(params.list)
}

struct Params {
    list: Vec<Param>,
    quotable: bool,
}

impl Params {
    fn push(&mut self, key: impl Into<String>, value: String) {
        self.list.push(Param { key: key.into(), value, origin: Origin::Text, quotable: self.quotable });
    }
}

/// `host:port,host:port`, any part of which may be left out.
fn endpoint(text: &str, params: &mut Params) -> Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for part in text.split(',') {
        let (host, port) = match part.strip_prefix('[') {
            Some(part) => {
                let (host, port) = part.split_once(']').ok_or_else(|| malformed("`[` without `]`"))?;
                if !port.is_empty() && !port.starts_with(':') {
                    return Err(malformed("only a port may follow `]`"));
                }
                (host, port.strip_prefix(':'))
            }
            None => part.split_once(':').map_or((part, None), |(host, port)| (host, Some(port))),
        };
        hosts.push(decode(host)?);
        ports.push(decode(port.unwrap_or_default())?);
    }
    if hosts.iter().any(|host| !host.is_empty()) || hosts.len() > 1 {
        let hosts: Vec<_> = hosts.iter().map(|host| non_empty_host(host)).collect();
        params.push("host", hosts.join(","));
    }
    if ports.iter().any(|port| !port.is_empty()) {
        params.push("port", ports.join(","));
    }
    Ok(())
}

fn non_empty_host(host: &str) -> &str {
    if host.is_empty() { super::driver::default_host() } else { host }
}

fn decode(text: &str) -> Result<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                match (digit(bytes.next()), digit(bytes.next())) {
                    (Some(high), Some(low)) => (high * 16 + low) as u8,
                    _ => return Err(malformed(&format!("`%` without two hexadecimal digits; {ESCAPE}"))),
                }
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).map_err(|_| malformed("percent-encoding that is not UTF-8"))
}

/// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE>
fn pairs(text: &str) -> Result<Vec<Param>> {
    let mut params = Params { list: Vec::new(), quotable: true };
    let mut rest = text;
    while !rest.is_empty() {
        let (key, value) = rest.split_once('=').ok_or_else(not_pairs)?;
        let key = key.trim_end();
        if key.is_empty() || key.contains(|c: char| c.is_whitespace() || c == ':') {
            return Err(not_pairs());
        }
        let (value, after) = take_value(value.trim_start())?;
        params.push(key, value);
        // What follows a password with an unquoted space is a piece of it.
        params.quotable &= key != "password";
        rest = after.trim_start();
    }
    Ok(params.list)
}

/// One value, quoted or not, and what follows it.
fn take_value(text: &str) -> Result<(String, &str)> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut chars = text.char_indices().skip(usize::from(quoted));
    while let Some((index, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            '\'' if quoted => return Ok((value, &text[index + 1..])),
            c if c.is_whitespace() && !quoted => return Ok((value, &text[index..])),
            c => value.push(c),
        }
    }
    if quoted { Err(malformed("a quoted value does not end")) } else { Ok((value, "")) }
}

fn malformed(problem: &str) -> Error {
    config_error(format!("invalid connection string: {problem}"))
}

fn not_pairs() -> Error {
    malformed("neither a URL that starts with postgres:// or postgresql:// nor pairs of key=value")
}
