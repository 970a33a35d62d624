//! Where connections are closed.

/// Runs something that blocks, on a thread of its own where the calling one belongs to a runtime: the blocking driver
/// panics there, even when a connection is merely dropped.
pub(crate) fn off_runtime(run: impl FnOnce() + Send + 'static) {
    if on_runtime() { elsewhere(run) } else { run() }
}

/// Runs something that may block for long on a thread of its own.
pub(crate) fn elsewhere(run: impl FnOnce() + Send + 'static) {
    if let Err(error) = std::thread::Builder::new().name("catamaran-teardown".into()).spawn(run) {
        tracing::error!(%error, "no thread could be started to close a connection");
    }
}

/// Whether the calling thread belongs to a runtime. Its threads for blocking work count too: they can't be told apart.
pub(crate) fn on_runtime() -> bool {
    tokio::runtime::Handle::try_current().is_ok()
}
