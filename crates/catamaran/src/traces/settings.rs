//! Which settings leave alone what texts mean.

use std::borrow::Cow;

use crate::token::{Form, Token};

/// Settings that change how statements run. Most others change what a name or a literal in a text means, such as
/// `search_path`, `role`, `DateStyle`.
const RUNNING: &[&str] = &[
    "application_name",
    "characteristics",
    "client_min_messages",
    "commit_delay",
    "commit_siblings",
    "constraints",
    "cursor_tuple_fraction",
    "deadlock_timeout",
    "default_statistics_target",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "effective_cache_size",
    "effective_io_concurrency",
    "from_collapse_limit",
    "geqo",
    "hash_mem_multiplier",
    "jit",
    "join_collapse_limit",
    "maintenance_work_mem",
    "max_parallel_maintenance_workers",
    "max_parallel_workers",
    "max_parallel_workers_per_gather",
    "parallel_setup_cost",
    "parallel_tuple_cost",
    "plan_cache_mode",
    "random_page_cost",
    "seed",
    "seq_page_cost",
    "session_replication_role",
    "statement_timeout",
    "synchronous_commit",
    "temp_buffers",
    "transaction",
    "transaction_deferrable",
    "transaction_isolation",
    "transaction_read_only",
    "vacuum_cost_delay",
    "work_mem",
];

/// Whether a `SET`, a `RESET` or a call of `set_config` is of a setting that leaves alone what texts mean. The tokens
/// begin with that word.
pub(crate) fn keeps_meaning(tokens: &[Token<'_>]) -> bool {
    let Some((first, rest)) = tokens.split_first() else { return false };
    if first.is("set_config") {
        let [open, name, comma, ..] = rest else { return false };
        return open.is("(") && name.is_literal() && comma.is(",") && runs(&name.content());
    }
    let scoped = rest.first().is_some_and(|scope| scope.is_one_of(&["local", "session"]));
    let mut rest = rest.iter().skip(usize::from(scoped));
    let (name, next) = (rest.next(), rest.next());
    let Some(name) = name.filter(|name| name.form == Form::Word) else { return false };
    // A setting of an extension, or of the caller's own.
    next.is_some_and(|next| next.is(".")) || runs(name.text)
}

fn runs(name: &str) -> bool {
    let lower: Cow<'_, str> =
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) { name.to_ascii_lowercase().into() } else { name.into() };
    lower.contains('.')
        || lower.ends_with("_timeout")
        || lower.starts_with("enable_")
        || lower.starts_with("log_")
        || RUNNING.contains(&&*lower)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexer::Tokens;

    #[test]
    fn settings_of_how_statements_run_are_told_from_others() {
        let keeps = |sql: &str| keeps_meaning(&Tokens::new(sql, false).collect::<Vec<_>>());
        for sql in [
            "SET lock_timeout = 1",
            "SET LOCAL app.tenant TO 'x'",
            "set session WORK_MEM = '1MB'",
            "RESET enable_seqscan",
            "SET TRANSACTION READ ONLY",
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            "set_config('app.tenant', $1, true)",
            "set_config('Lock_Timeout', $1, true)",
        ] {
            assert!(keeps(sql), "{sql}");
        }
        for sql in [
            "SET search_path = x",
            "SET LOCAL ROLE x",
            "SET SESSION AUTHORIZATION x",
            "SET SCHEMA 'x'",
            "SET TIME ZONE 'UTC'",
            "SET datestyle = dmy",
            "SET \"search_path\" = x",
            "RESET ALL",
            "SET",
            "set_config($1, $2, true)",
            "set_config('search_path', $1, true)",
            "set_config('app.' || 'x', $1, true)",
            "set_config",
        ] {
            assert!(!keeps(sql), "{sql}");
        }
    }
}
