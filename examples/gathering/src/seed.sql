-- Run as one transaction; what is there already is left alone.
SELECT pg_advisory_xact_lock(7234017283807667301);

INSERT INTO agent.providers (name, display_name, api_base_url, is_local) VALUES
    ('anthropic', 'Anthropic', 'https://api.anthropic.com', false),
    ('openai', 'OpenAI', 'https://api.openai.com/v1', false),
    ('deepseek', 'DeepSeek', 'https://api.deepseek.com', false),
    ('mistral', 'Mistral', 'https://api.mistral.ai/v1', false),
    ('google', 'Google', 'https://generativelanguage.googleapis.com', false),
    ('groq', 'Groq', 'https://api.groq.com/openai/v1', false),
    ('together', 'Together', 'https://api.together.xyz/v1', false),
    ('ollama', 'Ollama', 'http://localhost:11434', true)
ON CONFLICT DO NOTHING;

INSERT INTO agent.models (provider_id, name, display_name, model_id, pricing_input, pricing_output, context_window,
    supports_vision, supports_tools, supports_extended_thinking, is_default)
SELECT p.id, m.model_id, m.display_name, m.model_id, m.pricing_input, m.pricing_output, m.context_window,
    m.vision, true, m.thinking,
    m.is_default AND NOT EXISTS (SELECT 1 FROM agent.models WHERE is_default)
FROM (VALUES
    (1, 'anthropic', 'claude-opus-4-5', 'Claude Opus 4.5', 15, 75, 200000, true, true, false),
    (2, 'anthropic', 'claude-sonnet-4', 'Claude Sonnet 4', 3, 15, 200000, true, true, true),
    (3, 'anthropic', 'claude-haiku-3-5', 'Claude Haiku 3.5', 0.80, 4, 200000, true, false, false),
    (4, 'openai', 'gpt-4o', 'GPT-4o', 2.50, 10, 128000, true, false, false),
    (5, 'openai', 'gpt-4o-mini', 'GPT-4o mini', 0.15, 0.60, 128000, true, false, false),
    (6, 'openai', 'o1', 'o1', 15, 60, 200000, true, true, false),
    (7, 'openai', 'o3-mini', 'o3-mini', 1.10, 4.40, 200000, false, true, false)
) AS m (position, provider, model_id, display_name, pricing_input, pricing_output, context_window, vision, thinking,
    is_default)
JOIN agent.providers p ON p.name = m.provider
ORDER BY m.position
ON CONFLICT DO NOTHING;

INSERT INTO agent.agents (name, role, persona, model_id)
SELECT a.name, a.role, a.persona, m.id
FROM (VALUES
    (1, 'Ada', 'architect', 'Thinks in systems and draws before building.', 'claude-opus-4-5'),
    (2, 'Grace', 'developer', 'Ships small steps and reads the compiler.', 'claude-sonnet-4'),
    (3, 'Alan', 'tester', 'Asks what happens when it does not.', 'gpt-4o'),
    (4, 'Edsger', 'reviewer', 'Prefers the shorter proof.', 'o1'),
    (5, 'Radia', 'operator', 'Expects every link to fail.', 'claude-haiku-3-5')
) AS a (position, name, role, persona, model)
LEFT JOIN agent.models m ON m.model_id = a.model
WHERE NOT EXISTS (SELECT 1 FROM agent.agents known WHERE known.name = a.name)
ORDER BY a.position;

-- A message every eight hours for more than a year, so that a page shows only the end of it.
INSERT INTO communication.chat_history (agent_id, role, content, model_used, tokens_input, tokens_output, created_at)
SELECT a.id,
    CASE n % 2 WHEN 1 THEN 'user' ELSE 'assistant' END::communication.message_role,
    CASE n % 2 WHEN 1 THEN 'Question ' || (n + 1) / 2 ELSE 'Answer ' || n / 2 END,
    CASE n % 2 WHEN 0 THEN 'claude-opus-4-5' END,
    CASE n % 2 WHEN 0 THEN 10 + n % 7 END,
    CASE n % 2 WHEN 0 THEN 20 + n % 11 END,
    timestamptz '2025-01-01 09:00:00+00' + n * interval '8 hours'
FROM agent.agents a, generate_series(1, 1200) AS n
WHERE a.name = 'Ada' AND NOT EXISTS (SELECT 1 FROM communication.chat_history known WHERE known.agent_id = a.id);

INSERT INTO communication.chat_history (agent_id, role, content, created_at)
SELECT a.id, 'system', 'Welcome.', timestamptz '2025-01-01 09:00:00+00'
FROM agent.agents a
WHERE a.name = 'Grace' AND NOT EXISTS (SELECT 1 FROM communication.chat_history known WHERE known.agent_id = a.id);

INSERT INTO circle.circles (name, display_name, description, status, settings) VALUES
    ('engineering', 'Engineering', 'Builds the product.', 'running', '{"max_agents": 8, "review": true}'),
    ('research', 'Research', 'Finds out what to build.', 'created', '{"max_agents": 4}'),
    ('archive', 'Archive', 'What was built before.', 'archived', '{}')
ON CONFLICT DO NOTHING;

INSERT INTO circle.members (circle_id, agent_id, role, competencies)
SELECT c.id, a.id, m.role::circle.member_role, m.competencies
FROM (VALUES
    ('engineering', 'Ada', 'lead', ARRAY['architecture', 'planning']),
    ('engineering', 'Grace', 'member', ARRAY['rust', 'sql']),
    ('engineering', 'Edsger', 'reviewer', ARRAY['proofs']),
    ('research', 'Alan', 'lead', ARRAY['questions']),
    ('research', 'Radia', 'observer', ARRAY[]::text[])
) AS m (circle, agent, role, competencies)
JOIN circle.circles c ON c.name = m.circle
JOIN agent.agents a ON a.name = m.agent
ON CONFLICT DO NOTHING;

INSERT INTO circle.tasks (circle_id, title, description, requirements, assigned_agent_id, status, priority)
SELECT c.id, t.title, t.description, t.requirements, a.id, t.status::circle.task_status,
    t.priority::circle.task_priority
FROM (VALUES
    (1, 'engineering', 'Move the handlers', 'One at a time.', ARRAY['tests', 'rollback'], 'Grace', 'in_progress', 'high'),
    (2, 'engineering', 'Draw the house', '', ARRAY[]::text[], 'Ada', 'completed', 'medium'),
    (3, 'engineering', 'Prove it', 'Requests must not queue up.', ARRAY['control'], NULL, 'pending', 'critical'),
    (4, 'research', 'Read the pains', '', ARRAY[]::text[], 'Alan', 'pending', 'low')
) AS t (position, circle, title, description, requirements, agent, status, priority)
JOIN circle.circles c ON c.name = t.circle
LEFT JOIN agent.agents a ON a.name = t.agent
WHERE NOT EXISTS (SELECT 1 FROM circle.tasks known WHERE known.circle_id = c.id AND known.title = t.title)
ORDER BY t.position;
