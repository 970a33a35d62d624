-- What all contestants read and write.
CREATE TABLE accounts (
    id bigint PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL,
    created timestamptz NOT NULL,
    score float8 NOT NULL,
    active boolean NOT NULL,
    visits int NOT NULL,
    note text
);
INSERT INTO accounts
SELECT n, 'account ' || n, 'account' || n || '@example.com', timestamptz '2025-01-01' + n * interval '1 minute',
    n * 0.5, n % 3 > 0, n % 1000, CASE n % 2 WHEN 0 THEN 'a note of account ' || n END
FROM generate_series(1, 10000) AS n;

CREATE TYPE message_role AS ENUM ('user', 'assistant', 'system', 'tool');
CREATE TABLE agents (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE chat_history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent_id bigint NOT NULL REFERENCES agents,
    role message_role NOT NULL,
    content text NOT NULL,
    model_used text,
    tokens_input int,
    metadata jsonb NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX chat_history_agent_id_created_at_idx ON chat_history (agent_id, created_at DESC);
INSERT INTO agents SELECT n, 'Agent ' || n FROM generate_series(1, 20) AS n;
INSERT INTO chat_history (agent_id, role, content, model_used, tokens_input, metadata, created_at)
SELECT agent, CASE n % 2 WHEN 1 THEN 'user' ELSE 'assistant' END::message_role,
    'Message ' || n || ' of agent ' || agent || ', with about as much text as people type into a chat in one go.',
    CASE n % 2 WHEN 0 THEN 'model-4-5' END, CASE n % 2 WHEN 0 THEN 10 + n % 7 END,
    jsonb_build_object('lang', 'en', 'turn', n, 'tags', jsonb_build_array('chat', 'seed')),
    timestamptz '2025-01-01' + n * interval '1 hour'
FROM generate_series(1, 20) AS agent, generate_series(1, 500) AS n;

-- 10,000 of them are decoded into structs, all are streamed.
CREATE TABLE items (
    id bigint PRIMARY KEY,
    name text NOT NULL,
    label text NOT NULL,
    value float8 NOT NULL,
    created timestamptz NOT NULL
);
INSERT INTO items
SELECT n, 'item number ' || n, 'label ' || n % 100, n * 0.25, timestamptz '2025-01-01' + n * interval '1 second'
FROM generate_series(1, 10000) AS n;

CREATE TABLE events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL,
    kind text NOT NULL,
    amount float8 NOT NULL,
    at timestamptz NOT NULL
);

-- Without an index, so that the way in is what is compared.
CREATE TABLE imports (
    id bigint NOT NULL,
    name text NOT NULL,
    label text NOT NULL,
    value float8 NOT NULL,
    created timestamptz NOT NULL
);

VACUUM (FREEZE, ANALYZE);
CHECKPOINT;
