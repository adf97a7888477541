-- Who made an event come about, and what it belongs to.
alter table events add column actor text not null default '';
alter table events add column correlation text not null default '';
alter table events add column causation text not null default '';
-- Counters and marks by name: the newest event, the newest fencing token, what the database issues tokens as, where the log begins.
create table marks (
    name text primary key,
    number bigint not null default 0,
    text text not null default ''
);
insert into marks (name, number, text) select 'head', position, hash from events order by position desc limit 1;
insert into marks (name, number, text) select 'head', 0, '' where not exists (select 1 from events);
insert into marks (name, number) values ('token', 0);
insert into marks (name, text) values ('issuer', lower(hex(randomblob(8)))); -- sqlite
insert into marks (name, text) values ('issuer', replace(gen_random_uuid()::text, '-', '')); -- postgres
insert into marks (name, number, text) values ('anchor', 0, '');
-- The texts that runs go by; a run in flight keeps the one that it began with.
create table definitions (
    fingerprint text primary key,
    pipeline text not null,
    project text not null,
    file text,
    text text not null,
    at text not null
);
-- The runs that have not ended. Changed only together with the events that tell of it.
create table queue (
    run_id text primary key,
    pipeline text not null,
    state text not null,
    reason text not null default '',
    priority bigint not null default 0,
    not_before double precision not null default 0,
    queued_at text not null,
    definition text,
    project text not null,
    host text,
    params text not null,
    options text not null,
    trigger_ text not null,
    slots text not null,
    concurrency bigint not null default 1,
    timeout_seconds double precision,
    attempt bigint not null default 0,
    token bigint not null default 0,
    worker text not null default '',
    claim text not null default '',
    lease_clock text not null default '',
    lease_until double precision not null default 0
);
-- Runs of which the log of an older version does not say how they ended: nobody holds them, so they are closed by the next who looks.
insert into queue (run_id, pipeline, state, queued_at, project, params, options, trigger_, slots, attempt, worker) select s.stream, coalesce(json_extract(s.data, '$.pipeline'), ''), 'running', s.at, '', '{}', '{}', 'command', '{}', 1, '-' from events s where s.type = 'pipeline.started/1' and not exists (select 1 from events e where e.stream = s.stream and e.type in ('pipeline.completed/1', 'pipeline.failed/1', 'pipeline.cancelled/1')); -- sqlite
create index queue_in_order on queue (state, not_before, priority);
create index queue_by_pipeline on queue (pipeline, priority, queued_at);
-- Requests that may be made once only, however often they are made.
create table run_keys (
    key text primary key,
    run_id text not null,
    at text not null
);
-- When each pipeline was last served, so that none is served twice while another waits.
create table turns (
    pipeline text primary key,
    token bigint not null
);
create table paused (
    pipeline text primary key,
    by_ text not null,
    at text not null
);
create table workers (
    worker text primary key,
    host text not null,
    role text not null,
    started_at text not null,
    heard_at text not null,
    lease_clock text not null,
    lease_until double precision not null,
    slots text not null
);
-- One holder at a time for what may be done by one process only, such as the ticks of the schedules.
create table leaders (
    name text primary key,
    worker text not null,
    token bigint not null,
    lease_clock text not null,
    lease_until double precision not null
);
-- How far each durable subscription has come, and who delivers for it now. Changed in the transaction that writes what came of the events.
create table subscriptions (
    name text primary key,
    position bigint not null,
    failures bigint not null default 0,
    next_at double precision not null default 0,
    error text not null default '',
    owner text not null default '',
    lease_clock text not null default '',
    lease_until double precision not null default 0
);
-- Events that a subscription could not deliver, and those of the same run behind them, which wait for their turn.
create table dead_letters (
    subscription text not null,
    position bigint not null,
    stream text not null,
    error text not null,
    at text not null,
    due bigint not null default 0,
    primary key (subscription, position)
);
create index dead_letters_by_stream on dead_letters (subscription, stream);
-- The read side: what questions are answered from. All of it can be dropped and built anew from the events.
create table view_runs (
    run_id text primary key,
    began bigint not null,
    pipeline text not null,
    state text not null,
    reason text not null default '',
    trigger_ text not null default '',
    priority bigint not null default 0,
    queued_at text,
    started_at text,
    ended_at text,
    seconds double precision,
    attempt bigint not null default 0,
    worker text not null default '',
    rows_read bigint not null default 0,
    rows_written bigint not null default 0,
    rows_quarantined bigint not null default 0,
    error text,
    number bigint not null,
    view text not null
);
create index view_runs_in_order on view_runs (began);
create index view_runs_by_pipeline on view_runs (pipeline, began);
create table view_steps (
    run_id text not null,
    part text not null,
    name text not null,
    kind text not null,
    rows_in bigint,
    rows_out bigint,
    filtered bigint not null default 0,
    quarantined bigint not null default 0,
    dropped bigint not null default 0,
    added bigint not null default 0,
    seconds double precision,
    primary key (run_id, part, name)
);
create table view_quality (
    position bigint primary key,
    run_id text not null,
    pipeline text not null,
    check_ text not null,
    version text not null,
    outcome text not null,
    observed text not null,
    at text not null,
    data text not null
);
create index view_quality_by_check on view_quality (pipeline, check_, position);
-- Rows that were about to leave quarantine, and rows that left it.
create table view_replays (
    position bigint primary key,
    run_id text not null,
    kind text not null,
    from_run text not null,
    dataset text not null,
    data text not null
);
-- The definitions in service, by file: the version that runs go by, and what keeps a newer one out.
create table in_service (
    file text primary key,
    pipeline text not null,
    definition text not null,
    digest text not null,
    problem text not null default '',
    at text not null
);
-- How far each schedule has come, and which files a trigger has seen.
create table schedules (
    pipeline text primary key,
    last_tick text,
    seen text not null default '{}'
);
-- How far in the log each pipeline's notifications have come, and which tick has its results. Changed with all that follows from it.
create table watches (
    pipeline text primary key,
    position bigint not null,
    schedule text not null default '',
    covered text
);
-- What became of the last runs, as far as troubles go.
create table outcomes (
    pipeline text not null,
    position bigint not null,
    run_id text not null,
    ended_at text not null,
    state text not null,
    quarantined bigint not null,
    checks text not null,
    primary key (pipeline, position)
);
-- The troubles that are open.
create table alerts (
    pipeline text not null,
    notification text not null,
    kind text not null,
    subject text not null,
    opened_at text not null,
    run_id text not null,
    primary key (pipeline, notification, kind, subject)
);
-- What is still to be told to people: recorded with the change that it tells of, gone with the event that says what became of it.
create table deliveries (
    number bigint primary key,
    pipeline text not null,
    notification text not null,
    channel text not null,
    alert text not null,
    change text not null,
    run_id text not null,
    facts text not null,
    attempt bigint not null default 0,
    tried_at text,
    worker text not null default '',
    lease_clock text not null default '',
    not_before double precision not null default 0
);
insert into marks (name, number) values ('delivery', 0);
create table breakers (
    system text primary key,
    state text not null,
    failures bigint not null,
    since double precision not null
);
create table backfills (
    backfill text primary key,
    pipeline text not null,
    spec text not null,
    state text not null,
    at text not null
);
