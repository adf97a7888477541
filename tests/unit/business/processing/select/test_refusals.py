"""What is refused, with the place in the text: `^` stands before the first character of it, and what the message or hint says."""

from __future__ import annotations

import pytest

from headrace.business.processing.expressions.bind import ExpressionError
from headrace.business.processing.select import bind_select

STATEMENTS = """
^drop table flights | one SELECT
^insert into flights values (1) | one SELECT
^update flights set delay = 1 | one SELECT
^delete from flights | one SELECT
^create table x as select 1 as one | one SELECT
^copy flights to 'x.csv' | one SELECT
^attach 'x.db' | one SELECT
^install httpfs | one SELECT
^load httpfs | one SELECT
^set threads = 1 | one SELECT
^pragma database_list | one SELECT
^call pragma_version() | one SELECT
^explain select 1 | one SELECT
^export database 'x' | one SELECT
^use memory | one SELECT
^pivot flights on day using sum(delay) | one SELECT
 -- a comment /* and */
   /* another */ (^drop table flights) | one SELECT
^selct flight from flights | did you mean `select`?
^ | nothing here
select flight from flights; ^drop table flights | another statement
select flight from flights;; ^select 1 | another statement
with x as (^delete from flights returning *) select * from x | not a query
select * from (^insert into flights values (1)) x | was not expected
"""

FROM = """
select * from ^read_csv('/etc/passwd') | only named datasets
select * from ^read_parquet('x.parquet') | only named datasets
select * from flights, ^glob('*') | only named datasets
select * from ^range(10) | only named datasets
select * from ^duckdb_tables() | only named datasets
select * from ^'x.csv' | files are declared as sources
select * from ^"data/x.parquet" | files are declared as sources
select * from ^information_schema.tables | plain names
select * from ^pg_catalog.pg_class | plain names
select * from ^main.flights | plain names
select * from ^duckdb_settings | allowed: flights, airlines
select * from ^flihgts | did you mean `flights`?
select * from flights f, airlines ^f | two tables of this query are called `f`
select * from flights, ^lateral (select 1 as one) l | `LATERAL`
select flight from flights, (select ^flights.delay as d) l | sees no neighbours
select * from ^unnest([1, 2]) | the step `unnest`
select * from flights ^pivot (sum(delay) for day in (1)) | steps `pivot` and `unpivot`
select flight from flights ^tablesample 10% | the step `sample`
select flight from flights using ^sample 10 rows | the step `sample`
select * from flights as f(a, ^a) | two columns are called `a`
select * from airlines as f(a, b, ^c) | 2 columns, and is given 3 names
with ^recursive r as (select 1 as one) select * from r | `RECURSIVE`
with r as ^materialized (select 1 as one) select * from r | the engine decides
with r as (select 1 as one), ^r as (select 2 as two) select * from r | two queries
"""

JOINS = """
select * from flights ^join airlines | `ON` or `USING`
select * from flights ^join /* a, b */ airlines | `ON` or `USING`
select flight from flights where carrier = 'into, join' ^for update | `FOR UPDATE`
select * from flights left ^join airlines | `ON` or `USING`
select * from flights f, airlines a ^join flights g | `CROSS JOIN`
select * from flights ^asof join airlines on true | `ASOF JOIN`
select * from flights ^positional join airlines | `POSITIONAL JOIN`
select * from flights cross join airlines ^on true | `ON` here
select * from airlines ^natural join (select 1 as one) x | share no column
select * from flights join airlines using (^nme) | the left side of the join has no column `nme`
select * from flights join airlines using (^flight) | the right side of the join has no column `flight`
select flight from flights f join airlines a on f.carrier = ^b.carrier | there is no table `b`
select flight from flights join airlines on flight = ^name | cannot be compared
select name from flights semi join airlines using (carrier) where ^airlines.name = 'x' | there is no table `airlines`
select flight from flights f join airlines a on ^carrier = name | `f.Carrier` or `a.carrier`
"""

COLUMNS = """
select ^fligth from flights | did you mean `flight`?
select ^flights.dely from flights | did you mean `delay`?
select ^f.flight from flights | there is no table `f`
select flight from flights where ^delya > 1 | did you mean `delay`?
select ^carrier from flights, airlines | a column of several tables
select ^flights from flights | `flights` is a table
select flight, ^flight from flights | two columns of the result are called `flight`
select ^* from flights, airlines | two columns of the result are called `carrier`
select ^delay + 1 from flights | has no name
select ^* | needs a `FROM`
select ^x.* from flights | there is no table `x`
select * exclude (^fligth) from flights | did you mean `flight`?
select * replace (1 as ^one) from flights | no column `one`
select * rename (^one as two) from flights | no column `one`
select ^sume(delay) as s from flights | did you mean `sum`?
select flight ^into x from flights | `INTO`
select flight from flights where ^flight = ? | `${params.name}`
select flight from flights ^for update | `FOR UPDATE`
"""

GROUPS = """
select ^flight, sum(delay) as s from flights | many values in a group
select flight + ^delay as s from flights group by flight | many values in a group
select ^* from flights group by flight | many values in a group
select max(flight) as delay from flights group by day having ^delay > 1 | also a name that the select list gives
select flight from flights where ^sum(delay) > 1 | `sum`
select flight from flights group by ^2 | use 1 to 1
select flight from flights group by ^sum(delay) | `sum`
select sum(delay) as s from flights group by ^1 | cannot be an aggregate
select flight from flights group by all, ^day | nothing more
select flight from flights group by ^distinct flight | `GROUP BY DISTINCT`
select flight from flights group by flight with ^rollup | `ROLLUP`
select flight from flights group by cube(^carrier, flight, delay, day, flight + 1, flight + 2, flight + 3) | 128 grouping sets
select grouping(^delay) as g, flight from flights group by flight | keys of the `GROUP BY`
select grouping(^delay) as g from flights | needs a `GROUP BY`
select sum(delay) as s, ^max(s) as m from flights | cannot be nested
select flight, (select max(name) from airlines a where a.carrier = ^flights.carrier) as n from flights group by flight | many values
select flight, (select ^sum(flights.delay)) as s from flights group by flight | the query around
select flight from flights having ^flight | needs a condition
"""

REST = """
select flight from flights where ^flight | a condition
select flight from flights qualify ^flight | a condition
select flight, rank() over ^w as r from flights | there is no window `w`
select flight, rank() over ^w2 as r from flights window w as (order by day) | did you mean `w`?
select rank() over (^w order by day) as r from flights window w as (order by day) | has its ORDER BY already
select flight from flights window w as (order by day), ^w as (order by flight) | two windows
select flight from flights where ^rank() over (order by day) = 1 | window functions
select flight from flights order by ^2 | use 1 to 1
select flight from flights order by -^1 | position in the select list
select flight from flights order by ^'flight' | says nothing
select distinct flight from flights order by ^day | only columns of the result
select distinct on (^carrier) flight from flights | without `ORDER BY`
select flight from flights limit ^flight | a whole number
select flight from flights limit -^1 | a whole number
select flight from flights limit ^1.5 | a whole number
select flight from flights ^limit 10% | a number of rows
select flight from flights offset ^flight | a whole number
select flight from flights limit 3, ^4 | `LIMIT count OFFSET skipped`
select flight from flights union select ^flight, delay from flights | here are 1 and 2
select flight from flights union select ^carrier from flights | cast one of them
select flight from flights intersect by name select ^flight from flights | `INTERSECT BY NAME`
select flight from flights ^order by flight union select delay from flights | brackets
select flight from flights ^limit 1 union all select delay from flights | brackets
select flight from flights union select delay from flights order by ^day | there is no column `day`
values (1, 2), (^3) | this row has 1 values
values (1), (^'a') | cannot be in one column
select flight from flights where ^flight in (select * from airlines) | 2 columns where one value
select (select ^carrier, name from airlines) as x from flights | 2 columns where one value
select flight from flights where (^flight, delay) in (select 1, 2) | several values
(select flight from flights) ^x | was not expected
"""


def cases(*tables: str) -> list[tuple[str, str]]:
    lines = "\n".join(tables).replace("*/\n   /*", "*/\x00   /*").strip("\n").split("\n")
    return [tuple(line.replace("\x00", "\n").rsplit(" | ", 1)) for line in lines if line.strip()]  # type: ignore[misc]


@pytest.mark.parametrize(("marked", "said"), cases(STATEMENTS, FROM, JOINS, COLUMNS, GROUPS, REST))
def test_is_refused_at_its_place(marked: str, said: str, datasets) -> None:
    text = marked.replace("^", "", 1)
    with pytest.raises(ExpressionError) as refused:
        bind_select(text, datasets)
    assert said in str(refused.value)
    assert text[: refused.value.offset] + "^" + text[refused.value.offset :] == marked


def test_is_refused_when_nested_too_deeply(datasets) -> None:
    text = "select flight from " + "(select * from " * 2000 + "flights" + ")" * 2000
    with pytest.raises(ExpressionError, match="too deeply"):
        bind_select(text, datasets)


def test_a_chain_of_many_unions_is_no_deep_nesting(datasets) -> None:
    relation = bind_select(" union all ".join(["select flight from flights"] * 300), datasets)
    assert len(relation.inputs) == 300


def test_a_character_that_no_text_has_is_refused(datasets) -> None:
    with pytest.raises(ExpressionError, match="NUL") as refused:
        bind_select('select "\0grouping 0" from flights', datasets)
    assert refused.value.offset == 8
