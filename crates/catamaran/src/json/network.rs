//! Addresses of networks and hardware.

use std::{
    fmt::Write,
    net::{Ipv4Addr, Ipv6Addr},
};

use super::wire::{Problem, Reader};

/// An address with its netmask's length, which is left out if an `inet` is a single host.
pub(super) fn inet(mut reader: Reader<'_>, out: &mut String) -> Result<(), Problem> {
    const IPV4: u8 = 2;
    const IPV6: u8 = 3;

    let (family, bits, is_cidr) = (reader.u8()?, reader.u8()?, reader.u8()? != 0);
    let length = reader.u8()?;
    let address = reader.take(usize::from(length))?;
    reader.finish()?;
    let all_bits = match (family, length) {
        (IPV4, 4) => {
            let octets: [u8; 4] = address.try_into().map_err(|_| Problem::Malformed)?;
            write!(out, "{}", Ipv4Addr::from(octets))?;
            32
        }
        (IPV6, 16) => {
            let octets: [u8; 16] = address.try_into().map_err(|_| Problem::Malformed)?;
            ipv6(Ipv6Addr::from(octets), out)?;
            128
        }
        _ => return Err(Problem::Malformed),
    };
    if is_cidr || bits != all_bits {
        write!(out, "/{bits}")?;
    }
    Ok(())
}

/// Rust writes the last 32 bits after 96 zero bits in hex; the server, as an IPv4 address.
fn ipv6(address: Ipv6Addr, out: &mut String) -> Result<(), Problem> {
    let [high @ .., seventh, eighth] = address.segments();
    if high == [0; 6] && seventh != 0 {
        let low = u32::from(seventh) << 16 | u32::from(eighth);
        Ok(write!(out, "::{}", Ipv4Addr::from(low))?)
    } else {
        Ok(write!(out, "{address}")?)
    }
}

pub(super) fn mac(raw: &[u8], length: usize, out: &mut String) -> Result<(), Problem> {
    if raw.len() != length {
        return Err(Problem::Malformed);
    }
    for (at, byte) in raw.iter().enumerate() {
        let colon = if at > 0 { ":" } else { "" };
        write!(out, "{colon}{byte:02x}")?;
    }
    Ok(())
}
