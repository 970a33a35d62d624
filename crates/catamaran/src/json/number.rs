//! Numbers, digit for digit as the server writes them.

use std::fmt::{LowerExp, Write};

use super::{
    short::Short,
    wire::{Problem, Reader},
};

/// A `numeric`: digits of base 10,000, the first of which counts 10,000 to the power of `weight`.
///
/// <https://www.postgresql.org/docs/current/datatype-numeric.html>
pub(super) fn numeric(mut reader: Reader<'_>, out: &mut String) -> Result<(), Problem> {
    const POSITIVE: u16 = 0x0000;
    const NEGATIVE: u16 = 0x4000;
    const NAN: u16 = 0xC000;
    const INFINITY: u16 = 0xD000;
    const NEGATIVE_INFINITY: u16 = 0xF000;

    let (count, weight, sign, scale) = (reader.u16()?, reader.i16()?, reader.u16()?, reader.u16()?);
    match sign {
        POSITIVE => {}
        NEGATIVE => out.push('-'),
        NAN => out.push_str("NaN"),
        INFINITY => out.push_str("Infinity"),
        NEGATIVE_INFINITY => out.push_str("-Infinity"),
        _ => return Err(Problem::Malformed),
    }
    if sign & NAN == NAN {
        return Ok(());
    }
    let mut digits = Vec::with_capacity(count.into());
    for _ in 0..count {
        digits.push(reader.numeric_digit()?);
    }
    reader.finish()?;

    let weight = i32::from(weight);
    let digit = |position: i32| {
        let index = usize::try_from(weight - position).ok();
        index.and_then(|index| digits.get(index)).copied().unwrap_or_default()
    };
    // Before the point, the first digit comes without zeros in front of it.
    write!(out, "{}", digit(weight.max(0)))?;
    for position in (0..weight).rev() {
        write!(out, "{:04}", digit(position))?;
    }
    if scale > 0 {
        out.push('.');
        let end = out.len() + usize::from(scale);
        let mut position = -1;
        while out.len() < end {
            write!(out, "{:04}", digit(position))?;
            position -= 1;
        }
        out.truncate(end);
    }
    Ok(())
}

impl Reader<'_> {
    fn numeric_digit(&mut self) -> Result<u16, Problem> {
        self.u16().and_then(|digit| if digit < 10_000 { Ok(digit) } else { Err(Problem::Malformed) })
    }
}

pub(super) fn float4(value: f32, out: &mut String) -> Result<(), Problem> {
    let bits = value.to_bits();
    let (exponent, fraction) = (bits >> 23 & 0xFF, bits & 0x7F_FFFF);
    let binary = Binary::new(exponent.into(), fraction.into(), 23, 150);
    float(value.into(), &value, binary, Digits { most: 9, positional: 6 }, |text| text.parse() == Ok(value), out)
}

pub(super) fn float8(value: f64, out: &mut String) -> Result<(), Problem> {
    let bits = value.to_bits();
    let (exponent, fraction) = (bits >> 52 & 0x7FF, bits & 0xF_FFFF_FFFF_FFFF);
    let binary = Binary::new(exponent, fraction, 52, 1_075);
    float(value, &value, binary, Digits { most: 17, positional: 15 }, |text| text.parse() == Ok(value), out)
}

/// A float as `mantissa` times two to the power of `exponent`.
#[derive(Clone, Copy)]
struct Binary {
    mantissa: u64,
    exponent: i32,
}

impl Binary {
    fn new(exponent: u64, fraction: u64, width: u32, bias: i32) -> Self {
        let normal = if exponent == 0 { 0 } else { 1 << width };
        Self { mantissa: fraction | normal, exponent: i32::try_from(exponent.max(1)).unwrap_or_default() - bias }
    }

    /// Whether a decimal number is exactly halfway to the next float on either side.
    fn is_halfway_to_a_neighbour(self, digits: u64, power_of_ten: i32) -> bool {
        let quarters = 4 * u128::from(self.mantissa);
        // The neighbour below a power of two is half as far away.
        let below = if self.mantissa.is_power_of_two() { 1 } else { 2 };
        [quarters + 2, quarters - below]
            .into_iter()
            .any(|halfway| equal(u128::from(digits), power_of_ten, halfway, self.exponent - 2))
    }
}

/// How many digits a float has at the most, and up to which power of ten it is written without an exponent.
#[derive(Clone, Copy)]
struct Digits {
    most: usize,
    positional: i32,
}

/// Whether `a · 10^p` is `b · 2^q`: the odd parts and the powers of two are to be the same.
fn equal(a: u128, p: i32, b: u128, q: i32) -> bool {
    if a == 0 || b == 0 {
        return a == b;
    }
    let (a_twos, b_twos) = (a.trailing_zeros(), b.trailing_zeros());
    let (a_odd, b_odd) = (a >> a_twos, b >> b_twos);
    let fives = 5u128.checked_pow(p.unsigned_abs());
    // What overflows is larger than the other side can be.
    let odd_parts = if p >= 0 {
        fives.and_then(|fives| a_odd.checked_mul(fives)).map(|a| (a, b_odd))
    } else {
        fives.and_then(|fives| b_odd.checked_mul(fives)).map(|b| (a_odd, b))
    };
    odd_parts.is_some_and(|(a, b)| a == b) && i64::from(a_twos) + i64::from(p) == i64::from(b_twos) + i64::from(q)
}

/// The fewest digits that read back as the same float, as the server finds them: unlike Rust, it does not count on the
/// reader to resolve a number halfway between two floats to this one.
fn float(
    value: f64,
    exact: &impl LowerExp,
    binary: Binary,
    digits: Digits,
    reads_back: impl Fn(&str) -> bool,
    out: &mut String,
) -> Result<(), Problem> {
    if value.is_nan() {
        out.push_str("NaN");
        return Ok(());
    }
    if value.is_infinite() {
        out.push_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
        return Ok(());
    }
    let mut shortest = Short::new();
    write!(shortest, "{exact:e}")?;
    let (mut significant, mut exponent) = parts(shortest.as_str())?;
    if value != 0.0 {
        // Formatting with a precision also rounds a tie to the even digit, as the server does.
        for precision in significant.as_str().len() - 1..digits.most {
            let mut candidate = Short::new();
            write!(candidate, "{exact:.precision$e}")?;
            let (rounded, power) = parts(candidate.as_str())?;
            if reads_back(candidate.as_str()) && !is_halfway(binary, rounded.as_str(), power)? {
                (significant, exponent) = (rounded, power);
                break;
            }
            if !is_halfway(binary, significant.as_str(), exponent)? {
                break;
            }
        }
    }
    if value.is_sign_negative() {
        out.push('-');
    }
    positional_or_scientific(significant.as_str(), exponent, digits.positional, out)
}

fn is_halfway(binary: Binary, significant: &str, exponent: i32) -> Result<bool, Problem> {
    let integer = significant.parse().map_err(|_| Problem::Malformed)?;
    let power_of_ten = i32::try_from(significant.len()).map_err(|_| Problem::Malformed)? - 1;
    Ok(binary.is_halfway_to_a_neighbour(integer, exponent - power_of_ten))
}

/// The digits and the exponent of Rust's `-1.25e-7`, the sign left out: `125` and -7.
fn parts(scientific: &str) -> Result<(Short, i32), Problem> {
    let (mantissa, exponent) = scientific.split_once('e').ok_or(Problem::Malformed)?;
    let mantissa = mantissa.trim_start_matches('-');
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = Short::new();
    digits.push(whole);
    digits.push(fraction);
    Ok((digits, exponent.parse().map_err(|_| Problem::Malformed)?))
}

fn positional_or_scientific(digits: &str, exponent: i32, positional: i32, out: &mut String) -> Result<(), Problem> {
    let (first, rest) = digits.split_at_checked(1).ok_or(Problem::Malformed)?;
    if !(-4..positional).contains(&exponent) {
        out.push_str(first);
        if !rest.is_empty() {
            out.push('.');
            out.push_str(rest);
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        return Ok(write!(out, "e{sign}{:02}", exponent.unsigned_abs())?);
    }
    match usize::try_from(exponent) {
        Err(_) => {
            out.push_str("0.");
            out.extend((1..exponent.unsigned_abs()).map(|_| '0'));
            out.push_str(digits);
        }
        Ok(exponent) => match digits.split_at_checked(exponent + 1) {
            Some((whole, "")) => out.push_str(whole),
            Some((whole, fraction)) => write!(out, "{whole}.{fraction}")?,
            None => {
                out.push_str(digits);
                out.extend((digits.len()..=exponent).map(|_| '0'));
            }
        },
    }
    Ok(())
}
