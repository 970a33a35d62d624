//! The service over a database of its own. Run with `cargo run -p gathering --bin demo`.
//!
//! `--addr ADDRESS` says where to listen (127.0.0.1:3000). With DATABASE_URL set, that database is migrated, seeded and
//! used instead.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks on its standard streams")]

use std::{error::Error, net::SocketAddr, process::ExitCode, time::Duration};

use catamaran::Config;
use catamaran_testkit::Cluster;
use gathering::{Args, migrate, seed, serve};

/// How long threads that still wait for the database may hold up the end of the program.
const LAST_MOMENT: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error + Send + Sync>> {
    let args = Args::parse(std::env::args().skip(1))?;
    if std::env::var_os("DATABASE_URL").is_some_and(|url| !url.is_empty()) {
        return demonstrate(Config::from_env()?, args);
    }
    println!("DATABASE_URL is not set: starting a PostgreSQL server for this demo");
    let cluster = Cluster::start()?;
    // The whole cluster goes away at the end, and this database with it.
    demonstrate(Config::from_url(&cluster.url("postgres"))?, args)
}

fn demonstrate(config: Config, args: Args) -> Result<(), Box<dyn Error + Send + Sync>> {
    let config = config.application_name("gathering-demo");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        migrate(&config).await?;
        seed(&config).await?;
        serve(config, args.addr, introduce).await
    });
    runtime.shutdown_timeout(LAST_MOMENT);
    result
}

fn introduce(address: SocketAddr) {
    println!(
        "\
listening on http://{address}

Moved to the async service:
  curl 'http://{address}/health/checks'
  curl 'http://{address}/config/providers'
  curl 'http://{address}/config/providers/1'
  curl 'http://{address}/agents/1/history?limit=4'
  curl -H 'content-type: application/json' -d '{{\"message\": \"Hello\"}}' 'http://{address}/agents/1/chat'
Still on the blocking service:
  curl 'http://{address}/config/models?provider_id=1'
  curl 'http://{address}/agents'
  curl 'http://{address}/circles/engineering/tasks'
  curl -X POST 'http://{address}/circles/research/start'
Ctrl-C ends it."
    );
}
