//! Everyone who takes part in a case, by the names of the functions that all have.

/// Adds the async contestants: deadpool, the base, then the driver on one connection, the library, and the peers.
///
/// In the operation `$peer` stands for each contestant's module.
#[macro_export]
macro_rules! everyone {
    ($bench:expr, $entrants:expr, $url:expr, |$peer:ident, $pool:ident, $record:ident| $operation:expr) => {{
        let (bench, url, handle): (&$crate::bench::Bench, &str, _) = ($bench, $url, $bench.handle());
        $crate::deadpool_first!(bench, $entrants, url, |$peer, $pool, $record| $operation);
        {
            use $crate::peers::raw as $peer;
            let raw = "raw tokio-postgres";
            $crate::tasks!($entrants, handle, raw, bench.wait($peer::connect(url))?, |$pool, $record| $operation);
            $entrants.change(raw, |raw| raw.only_with(&[1]));
        }
        {
            use $crate::peers::ours as $peer;
            for (name, db) in $peer::connect(url, $crate::bench::POOL)? {
                $crate::tasks!($entrants, handle, name, db, |$pool, $record| $operation);
            }
        }
        #[cfg(feature = "peers")]
        $crate::peers_too!(bench, $entrants, url, |$peer, $pool, $record| $operation);
    }};
}

/// Adds deadpool as the base of a case.
#[macro_export]
macro_rules! deadpool_first {
    ($bench:expr, $entrants:expr, $url:expr, |$peer:ident, $pool:ident, $record:ident| $operation:expr) => {{
        use $crate::peers::deadpool as $peer;
        let pool = $peer::connect($url, $crate::bench::POOL, $peer::Recycling::Fast)?;
        $crate::tasks!($entrants, $bench.handle(), $peer::FAST, pool, |$pool, $record| $operation);
    }};
}

/// Adds what is built with the feature `peers`.
#[cfg(feature = "peers")]
#[macro_export]
macro_rules! peers_too {
    ($bench:expr, $entrants:expr, $url:expr, |$peer:ident, $pool:ident, $record:ident| $operation:expr) => {{
        let (bench, url, handle, size): (&$crate::bench::Bench, &str, _, _) =
            ($bench, $url, $bench.handle(), $crate::bench::POOL);
        {
            use $crate::peers::bb8 as $peer;
            for (name, test) in [("bb8", true), ("bb8 without test", false)] {
                let pool = bench.wait($peer::connect(url, size, test))?;
                $crate::tasks!($entrants, handle, name, pool, |$pool, $record| $operation);
            }
        }
        {
            use $crate::peers::sqlx as $peer;
            for (name, test) in [("sqlx", true), ("sqlx without test", false)] {
                let pool = bench.wait($peer::connect(url, size, test))?;
                $crate::tasks!($entrants, handle, name, pool, |$pool, $record| $operation);
            }
        }
        {
            use $crate::peers::sea_orm as $peer;
            let pool = bench.wait($peer::connect(url, size))?;
            $crate::tasks!($entrants, handle, "sea-orm", pool, |$pool, $record| $operation);
        }
        {
            use $crate::peers::diesel_async as $peer;
            for (name, test) in [("diesel-async", true), ("diesel-async Fast", false)] {
                let pool = $peer::connect(url, size, test)?;
                $crate::tasks!($entrants, handle, name, pool, |$pool, $record| $operation);
            }
        }
    }};
}

/// Adds the blocking contestants: r2d2 with everything that makes it fast, the base, then the others.
#[macro_export]
macro_rules! everyone_blocking {
    ($bench:expr, $entrants:expr, $url:expr, |$peer:ident, $pool:ident, $record:ident| $operation:expr) => {{
        let (url, size): (&str, usize) = ($url, $crate::bench::POOL);
        {
            use $crate::peers::r2d2_tuned as $peer;
            $crate::threads!($entrants, "r2d2 tuned", $peer::connect(url, size)?, |$pool, $record| $operation);
        }
        {
            use $crate::peers::raw_blocking as $peer;
            let raw = "raw postgres";
            $crate::threads!($entrants, raw, $peer::connect(url)?, |$pool, $record| $operation);
            $entrants.change(raw, |raw| raw.only_with(&[1]));
        }
        {
            use $crate::peers::ours_blocking as $peer;
            $crate::threads!($entrants, "catamaran blocking", $peer::connect(url, size)?, |$pool, $record| $operation);
        }
        {
            use $crate::peers::r2d2_as_documented as $peer;
            $crate::threads!($entrants, "r2d2_postgres", $peer::connect(url, size)?, |$pool, $record| $operation);
        }
        #[cfg(feature = "peers")]
        {
            use $crate::peers::diesel as $peer;
            for (name, test) in [("diesel", true), ("diesel without test", false)] {
                $crate::threads!($entrants, name, $peer::connect(url, size, test)?, |$pool, $record| $operation);
            }
        }
    }};
}
