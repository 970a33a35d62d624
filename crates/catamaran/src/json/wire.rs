//! Reading the binary form without trusting it.

/// Why a value has no JSON form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    /// The bytes are not what the type's binary form is.
    Malformed,
    /// They are those of a type with other parts.
    Changed,
    /// The text depends on what only the server has: its catalog, its locale, an extension's code.
    Unsupported,
}

impl From<std::fmt::Error> for Problem {
    fn from(_: std::fmt::Error) -> Self {
        Self::Malformed
    }
}

/// What is left to read.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

macro_rules! integers {
    ($($name:ident)*) => {
        $(pub(crate) fn $name(&mut self) -> Result<$name, Problem> {
            self.array().map($name::from_be_bytes)
        })*
    };
}

impl<'a> Reader<'a> {
    integers! { u8 u16 i16 u32 i32 u64 i64 f32 f64 }

    pub(crate) fn new(raw: &'a [u8]) -> Self {
        Self(raw)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        let (head, tail) = self.0.split_first_chunk().ok_or(Problem::Malformed)?;
        self.0 = tail;
        Ok(*head)
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Problem> {
        let (head, tail) = self.0.split_at_checked(length).ok_or(Problem::Malformed)?;
        self.0 = tail;
        Ok(head)
    }

    /// Bytes up to a zero, which is skipped.
    pub(crate) fn terminated(&mut self) -> Result<&'a [u8], Problem> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or(Problem::Malformed)?;
        let head = self.take(end)?;
        self.u8()?;
        Ok(head)
    }

    /// A count of bytes or elements; `None` if negative.
    pub(crate) fn length(&mut self) -> Result<Option<usize>, Problem> {
        Ok(usize::try_from(self.i32()?).ok())
    }

    /// A value after its length; `None` is NULL.
    pub(crate) fn value(&mut self) -> Result<Option<&'a [u8]>, Problem> {
        self.length()?.map(|length| self.take(length)).transpose()
    }

    /// The number of bytes that are left.
    pub(crate) fn left(&self) -> usize {
        self.0.len()
    }

    /// The most values that can follow, each of which has at least a length.
    pub(crate) fn most_values(&self) -> usize {
        self.0.len() / size_of::<i32>()
    }

    /// Reads what is to be all that is left.
    pub(crate) fn last<T>(mut self, read: impl FnOnce(&mut Self) -> Result<T, Problem>) -> Result<T, Problem> {
        let value = read(&mut self)?;
        self.finish()?;
        Ok(value)
    }

    /// Makes sure that nothing is left.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::Malformed) }
    }
}

/// Text, which the connection's encoding makes UTF-8.
pub(crate) fn utf8(raw: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(raw).map_err(|_| Problem::Malformed)
}
