CREATE SCHEMA agent;

CREATE TABLE agent.providers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name varchar(50) NOT NULL UNIQUE,
    display_name text NOT NULL,
    api_base_url text,
    is_local boolean NOT NULL DEFAULT false,
    config jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Names are compared without case.
CREATE UNIQUE INDEX providers_lower_name_key ON agent.providers (lower(name));

CREATE TABLE agent.models (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider_id bigint NOT NULL REFERENCES agent.providers ON DELETE CASCADE,
    name text NOT NULL,
    display_name text NOT NULL,
    model_id varchar(100) NOT NULL,
    -- US dollars per million tokens.
    pricing_input numeric(10,4) NOT NULL CHECK (pricing_input >= 0),
    pricing_output numeric(10,4) NOT NULL CHECK (pricing_output >= 0),
    pricing_cache_read numeric(10,4) CHECK (pricing_cache_read >= 0),
    pricing_cache_write numeric(10,4) CHECK (pricing_cache_write >= 0),
    context_window int NOT NULL CHECK (context_window > 0),
    max_output int CHECK (max_output > 0),
    supports_vision boolean NOT NULL DEFAULT false,
    supports_tools boolean NOT NULL DEFAULT false,
    supports_streaming boolean NOT NULL DEFAULT true,
    supports_extended_thinking boolean NOT NULL DEFAULT false,
    is_active boolean NOT NULL DEFAULT true,
    is_default boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (provider_id, model_id)
);

-- At most one default.
CREATE UNIQUE INDEX models_default_key ON agent.models (is_default) WHERE is_default;

CREATE TABLE agent.agents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    role text NOT NULL,
    persona text NOT NULL DEFAULT '',
    model_id bigint REFERENCES agent.models,
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX agents_model_id_idx ON agent.agents (model_id);
