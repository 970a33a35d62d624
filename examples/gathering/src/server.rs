//! Serving until told to stop.

use std::{error::Error, io, net::SocketAddr, time::Duration};

use catamaran::{Config, Services, guard};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    task::spawn_blocking,
    time::timeout,
};

use crate::{AppState, app};

/// How long requests may go on after the signal, and how long each pool may then take to close.
const GRACE: Duration = Duration::from_secs(10);

/// Serves on an address, which is then reported, until SIGINT or SIGTERM; then lets requests end and closes both pools.
///
/// # Errors
///
/// What makes the services or the listener fail; `Timeout` if connections are still in use at the end.
pub async fn serve(
    config: Config,
    addr: SocketAddr,
    listening: impl FnOnce(SocketAddr),
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let stop = stop_signal()?;
    // Routes move from one pool to the other, which together have no more connections than one had.
    let connections = config.get_max_size().max(2 * config.get_budget_reserve());
    let services = catamaran::connect(config.budget(connections))?;
    let listener = TcpListener::bind(addr).await.map_err(|error| format!("can't listen on {addr}: {error}"))?;
    listening(listener.local_addr()?);
    let app = app(AppState::new(services.nonblocking(), services.blocking()));
    guard::self_test().await?;

    let (stopping, stopped) = oneshot::channel();
    let server = axum::serve(listener, app).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let mut server = tokio::spawn(server.into_future());
    let served = tokio::select! {
        ended = &mut server => ended?,
        () = stop => {
            tracing::info!("stopping");
            let _ = stopping.send(());
            match timeout(GRACE, &mut server).await {
                Ok(ended) => ended?,
                Err(_) => {
                    tracing::warn!("requests were still running after {GRACE:?}");
                    server.abort();
                    Ok(())
                }
            }
        }
    };
    let closed = close(services).await;
    served?;
    Ok(closed?)
}

async fn close(services: Services) -> catamaran::Result<()> {
    let (blocking, nonblocking) = (services.blocking(), services.nonblocking());
    // Closing blocks, and so may dropping what was not closed.
    let blocking = spawn_blocking(move || {
        let closed = blocking.close(GRACE);
        drop((blocking, services));
        closed
    });
    let (nonblocking, blocking) = tokio::join!(nonblocking.close(GRACE), blocking);
    nonblocking.and(blocking.unwrap_or(Ok(())))
}

/// Waits for SIGINT or SIGTERM, which count from now on.
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
