//! How an agent answers.

use async_trait::async_trait;
use catamaran_axum::Result;

use crate::lookups::Agent;

/// What an agent says, and what that cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The words.
    pub content: String,
    /// Tokens read.
    pub tokens_input: i32,
    /// Tokens written.
    pub tokens_output: i32,
}

/// Answers for agents.
#[async_trait]
pub trait Responder: Send + Sync {
    /// Answers a message as an agent would.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from answering, as the client is to see it.
    async fn answer(&self, agent: &Agent, message: &str) -> Result<Answer>;
}

/// Answers without a model: always the same to the same.
#[derive(Debug, Clone, Copy, Default)]
pub struct Offline;

#[async_trait]
impl Responder for Offline {
    async fn answer(&self, agent: &Agent, message: &str) -> Result<Answer> {
        let content = format!("{}, {}: I read \"{message}\" and am offline.", agent.name, agent.role);
        Ok(Answer { tokens_input: tokens(message), tokens_output: tokens(&content), content })
    }
}

/// About four characters each.
fn tokens(text: &str) -> i32 {
    i32::try_from(text.chars().count().div_ceil(4)).unwrap_or(i32::MAX)
}
