-- The event log: one stream per run, one global order, chained by hash.
create table if not exists events (
    position integer primary key, -- sqlite
    position bigint primary key, -- postgres
    stream text not null,
    number bigint not null,
    type text not null,
    at text not null,
    data text not null,
    hash text not null,
    unique (stream, number)
);
create index if not exists events_by_type on events (type, position);
