//! Notices blocking calls on threads that drive futures, before they happen.
//!
//! The blocking service may be called anywhere; on a runtime's thread it holds up whatever else that thread should
//! drive. There, each call is noticed before it has a connection, and what happens is up to a [`Policy`]: by default it
//! is reported, once for each route and place, and still works. [`report`] has what was noticed.
//!
//! A future is guarded by [`scope`], by [`spawn`], or by the `GuardLayer` of catamaran-axum, which names the route. In
//! one that is not guarded, calls are noticed too, without a route.
//! What is guarded is also watched: a poll that takes longer than 100 ms is told while it does, and counted as a
//! [`Stall`], whatever it does.
//!
//! Blocking is in order on threads outside a runtime, in `spawn_blocking`, in `block_in_place`, and in [`allow`].
//!
//! Within `tokio::task::unconstrained` a call works without being noticed on a runtime of several threads. On one of a
//! single thread it is noticed if the future is guarded; if it is not, the driver panics.

#[cfg(feature = "blocking")]
mod call;
#[cfg(feature = "blocking")]
mod guarded;
#[cfg(feature = "mock")]
mod mocked;
mod policy;
mod report;
mod scope;
mod thread;
mod watchdog;

#[cfg(feature = "blocking")]
pub(crate) use call::Guard;
#[cfg(feature = "blocking")]
pub(crate) use guarded::{Guarded, guarded_executor};
#[cfg(feature = "mock")]
pub(crate) use mocked::mocked;
pub use policy::{Exception, Policy, Rules};
pub use report::{BlockingCall, Report, Stall, report};
pub(crate) use scope::current_route;
pub use scope::{Scope, allow, carry, enter, installed, scope, self_test, spawn};
#[cfg(any(feature = "async", feature = "blocking"))]
pub(crate) use watchdog::stuck_since;

pub use crate::call::Site;
