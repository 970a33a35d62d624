//! A text that is short enough to be put together without an allocation.

use std::fmt;

/// No float and no date or time is longer, whatever its bytes: `290278-12-22T19:59:05.224193+00:00 BC` is about the
/// longest.
const CAPACITY: usize = 64;

/// ASCII characters on the stack. What does not fit is left out.
pub(super) struct Short {
    bytes: [u8; CAPACITY],
    length: usize,
}

impl Short {
    pub(super) fn new() -> Self {
        Self { bytes: [0; CAPACITY], length: 0 }
    }

    pub(super) fn as_str(&self) -> &str {
        let text = self.bytes.get(..self.length).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }

    pub(super) fn push(&mut self, text: &str) {
        if let Some(free) = self.bytes.get_mut(self.length..self.length + text.len()) {
            free.copy_from_slice(text.as_bytes());
            self.length += text.len();
        }
    }

    /// A number with at least so many digits, as `{:0width$}` has it.
    pub(super) fn number(&mut self, value: u64, width: usize) {
        let (mut digits, mut rest, mut first) = ([b'0'; 20], value, 20);
        for (at, digit) in digits.iter_mut().enumerate().rev() {
            if rest == 0 && 20 - first >= width.max(1) {
                break;
            }
            *digit = b'0' + (rest % 10) as u8;
            (rest, first) = (rest / 10, at);
        }
        let digits = digits.get(first..).unwrap_or_default();
        if let Some(free) = self.bytes.get_mut(self.length..self.length + digits.len()) {
            free.copy_from_slice(digits);
            self.length += digits.len();
        }
    }

    /// A number below 100 as two digits.
    pub(super) fn pair(&mut self, value: u64) {
        if let Some(free) = self.bytes.get_mut(self.length..self.length + 2) {
            free.copy_from_slice(&[b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8]);
            self.length += 2;
        }
    }

    /// The microseconds of a second without the zeros at their end, and with the point in front; nothing for none.
    pub(super) fn fraction(&mut self, micros: u64) {
        if micros == 0 {
            return;
        }
        self.push(".");
        self.number(micros, 6);
        while self.length.checked_sub(1).and_then(|last| self.bytes.get(last)) == Some(&b'0') {
            self.length -= 1;
        }
    }
}

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() > CAPACITY - self.length {
            return Err(fmt::Error);
        }
        self.push(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(put: impl FnOnce(&mut Short)) -> String {
        let mut short = Short::new();
        put(&mut short);
        short.as_str().to_owned()
    }

    #[test]
    fn numbers_are_as_the_standard_library_writes_them() {
        for value in [0, 1, 9, 10, 99, 100, 12_345, 999_999, 1_000_000, u64::MAX] {
            for width in [0, 1, 2, 4, 6, 20] {
                assert_eq!(text(|short| short.number(value, width)), format!("{value:0width$}"));
            }
        }
        for value in 0..100 {
            assert_eq!(text(|short| short.pair(value)), format!("{value:02}"));
        }
    }

    #[test]
    fn a_fraction_ends_in_no_zero() {
        for (micros, expected) in [(0, ""), (1, ".000001"), (120_000, ".12"), (999_999, ".999999"), (100_100, ".1001")]
        {
            assert_eq!(text(|short| short.fraction(micros)), expected);
        }
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let written = text(|short| (0..10).for_each(|_| short.number(u64::MAX, 0)));
        assert_eq!(written.len(), 60);
    }
}
