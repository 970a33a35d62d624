//! Where the twins differ on purpose.

/// One difference, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deviation {
    /// The async twin has another name for something.
    Renamed {
        /// The name among the blocking ones.
        blocking: &'static str,
        /// The name among the async ones.
        nonblocking: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// The async twin asks for one bound more.
    Bound {
        /// The bound.
        bound: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// The async twin answers at once.
    AtOnce {
        /// The method.
        method: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// Only the blocking twin has it.
    BlockingOnly {
        /// The method.
        method: &'static str,
        /// Why.
        reason: &'static str,
    },
}

use Deviation::{AtOnce, BlockingOnly, Bound, Renamed};

/// All of them. One that is no longer needed makes the comparison fail.
pub const DEVIATIONS: &[Deviation] = &[
    Renamed {
        blocking: "fetch_iter",
        nonblocking: "fetch_stream",
        reason: "what is awaited item by item is called a stream everywhere in Rust",
    },
    Renamed { blocking: "fetch_iter_as", nonblocking: "fetch_stream_as", reason: "as fetch_stream" },
    Renamed { blocking: "copy_iter_in", nonblocking: "copy_stream_in", reason: "as fetch_stream" },
    Renamed { blocking: "copy_iter_in_with", nonblocking: "copy_stream_in_with", reason: "as fetch_stream" },
    Renamed { blocking: "RowIter", nonblocking: "RowStream", reason: "as fetch_stream" },
    Renamed { blocking: "BytesIter", nonblocking: "BytesStream", reason: "as fetch_stream" },
    Renamed { blocking: "Iterator", nonblocking: "Stream", reason: "the async counterpart of the standard's trait" },
    Renamed { blocking: "I", nonblocking: "S", reason: "the customary letter for an iterator, and for a stream" },
    Bound { bound: "Unpin", reason: "only a stream that may be moved can be polled through a plain reference" },
    AtOnce { method: "status", reason: "it looks at counters, and waits for nothing" },
    AtOnce { method: "holders", reason: "as status" },
    BlockingOnly { method: "canceller", reason: "an async call is cancelled by dropping it" },
];
