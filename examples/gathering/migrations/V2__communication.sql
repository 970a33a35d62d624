CREATE SCHEMA communication;

CREATE TYPE communication.message_role AS ENUM ('user', 'assistant', 'system', 'tool');

CREATE TABLE communication.chat_history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent_id bigint NOT NULL REFERENCES agent.agents ON DELETE CASCADE,
    role communication.message_role NOT NULL,
    content text NOT NULL,
    model_used text,
    tokens_input int,
    tokens_output int,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX chat_history_agent_id_created_at_idx
    ON communication.chat_history (agent_id, created_at DESC);
