-- The seats at streams that their leading workers offer to others, until the run ends or is led by another.
create table seats (
    run_id text not null,
    number bigint not null,
    address text not null,
    secret text not null,
    fingerprint text not null,
    host text,
    token bigint not null,
    worker text not null default '',
    primary key (run_id, number)
);
