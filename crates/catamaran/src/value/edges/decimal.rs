//! What a decimal number of fixed size holds.

use crate::json::wire::{Problem, Reader};

/// Whether a number is one of 96 bits and at most 28 decimals; `None` if it is not finite.
pub(super) fn fits(mut reader: Reader<'_>) -> Result<Option<bool>, Problem> {
    const NEGATIVE: u16 = 0x4000;
    const NOT_FINITE: u16 = 0xC000;
    const MOST_DECIMALS: i32 = 28;

    let (count, weight, sign, _scale) = (reader.u16()?, reader.i16()?, reader.u16()?, reader.u16()?);
    if sign & NOT_FINITE == NOT_FINITE {
        return Ok(None);
    }
    if sign & !NEGATIVE != 0 {
        return Err(Problem::Malformed);
    }
    let (mut number, mut wide) = (0u128, false);
    for _ in 0..count {
        let digit = reader.u16()?;
        if digit >= 10_000 {
            return Err(Problem::Malformed);
        }
        match number.checked_mul(10_000).and_then(|number| number.checked_add(digit.into())) {
            Some(sum) => number = sum,
            None => wide = true,
        }
    }
    reader.finish()?;
    let mut power = 4 * (i32::from(weight) + 1 - i32::from(count));
    if number == 0 {
        power = power.max(0);
    }
    while power < 0 && number % 10 == 0 {
        (number, power) = (number / 10, power + 1);
    }
    let in_bits = |number: u128| number >> 96 == 0;
    // The decoder makes the factor a number of its own, even for zero.
    let factor = 10u128.checked_pow(power.max(0).unsigned_abs()).filter(|factor| in_bits(*factor));
    let whole = factor.and_then(|factor| number.checked_mul(factor));
    Ok(Some(!wide && power >= -MOST_DECIMALS && whole.is_some_and(in_bits)))
}
