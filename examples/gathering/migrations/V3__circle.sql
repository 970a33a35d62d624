CREATE SCHEMA circle;

CREATE TYPE circle.circle_status AS ENUM ('created', 'stopped', 'running', 'active', 'paused', 'archived');
CREATE TYPE circle.member_role AS ENUM ('lead', 'member', 'specialist', 'reviewer', 'observer');
CREATE TYPE circle.task_status AS ENUM
    ('pending', 'in_progress', 'in_review', 'blocked', 'completed', 'cancelled');
CREATE TYPE circle.task_priority AS ENUM ('low', 'medium', 'high', 'critical');

CREATE TABLE circle.circles (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    display_name text NOT NULL,
    description text NOT NULL DEFAULT '',
    status circle.circle_status NOT NULL DEFAULT 'created',
    settings jsonb NOT NULL DEFAULT '{}',
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE circle.members (
    circle_id bigint NOT NULL REFERENCES circle.circles ON DELETE CASCADE,
    agent_id bigint NOT NULL REFERENCES agent.agents ON DELETE CASCADE,
    role circle.member_role NOT NULL DEFAULT 'member',
    competencies text[] NOT NULL DEFAULT '{}',
    is_active boolean NOT NULL DEFAULT true,
    joined_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (circle_id, agent_id)
);

CREATE TABLE circle.tasks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    circle_id bigint NOT NULL REFERENCES circle.circles ON DELETE CASCADE,
    title varchar(500) NOT NULL,
    description text NOT NULL DEFAULT '',
    requirements text[] NOT NULL DEFAULT '{}',
    assigned_agent_id bigint REFERENCES agent.agents ON DELETE SET NULL,
    status circle.task_status NOT NULL DEFAULT 'pending',
    priority circle.task_priority NOT NULL DEFAULT 'medium',
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX tasks_circle_id_idx ON circle.tasks (circle_id);
