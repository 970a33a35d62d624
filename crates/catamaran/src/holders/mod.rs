//! Who holds which connection: for pool timeouts, for connections that are kept too long, and for a second checkout in
//! a request that has one already.

mod holder;
#[cfg(any(feature = "async", feature = "blocking"))]
mod leaks;
#[cfg(any(feature = "async", feature = "blocking", feature = "mock"))]
mod origin;
#[cfg(any(feature = "async", feature = "blocking", feature = "mock"))]
mod registry;
mod shortage;
#[cfg(any(feature = "async", feature = "blocking"))]
mod wait;

pub use holder::Holder;
#[cfg(any(feature = "async", feature = "blocking", feature = "mock"))]
pub(crate) use origin::Origin;
#[cfg(any(feature = "async", feature = "blocking"))]
pub(crate) use registry::Listed;
#[cfg(feature = "async")]
pub(crate) use registry::Shared;
#[cfg(any(feature = "async", feature = "blocking", feature = "mock"))]
pub(crate) use registry::{Hold, Holders, Work};
pub use shortage::{Cause, Shortage};
#[cfg(any(feature = "async", feature = "blocking"))]
pub(crate) use wait::{Connects, Wait};
