"""Queries of every kind give the rows that DuckDB gives for the same text."""

from __future__ import annotations

import pytest

FROM = """
select a, b from t
select * from t
select a + 1 as n, n * 2 as m, m - b as o from t
select a + 1 as n, n * 2 as m from t where n > 2 and m < 9
select t.*, c from t join u using (a)
select * from t as v(p, q)
select p, s from t as v(p)
select * from t, e where t.a = e.id
select * exclude (a, d) from t
select * replace (b + 1 as b), a as a2 from t
select * rename (a as first, s as word) from t
select T.A, B as bb from T
from t select a where b > 5
select 1 as one, 'x' as word, null as nothing
select x.a from (select a + 1 as a from t) x where x.a > 2
select m.name, n.name as boss from e m join e n on m.boss = n.id
select m.name, n.name as boss from e m left join e n on m.boss = n.id
select t.a, u.a as ua, c from t right join u on t.a = u.a
select t.a, u.a as ua, b, c from t full join u on t.a = u.a and b > 5
select * from t full join u using (a)
select a, t.a as ta, u.a as ua from t full join u using (a)
select a, t.a as ta, u.a as ua from t right join u using (a)
select a, b, c, n from t left join u using (a) left join (select a, count(*) as n from u group by a) v using (a)
select * from t natural join u
select * from u natural full join (select a, 1 as one from t) v
select * from t semi join u on t.a = u.a
select * from t anti join u using (a)
select t.*, c from t left join u on t.a = u.a and u.c > 6
select t.b, u.c from t cross join u
select t.s, e.name, u.k from t, u join e on u.c = e.id + 5
select t.s, u.k, e.name from t, u right join e on u.a = e.id
select t.a, v.name from t join (u join e on u.a = e.id) on t.a = u.a join e v on v.id = e.boss
select * from (t semi join u using (a))
select * from (values (1, 'a'), (2, null)) v(n, w)
values (1, 'a'), (2, 'b')
select t.a from t join (values (2), (3)) v(n) on t.a = v.n
select m.name from e m, e n, e o where m.boss = n.id and n.boss = o.id
"""

SHAPES = """
with v as (select a, b from t where b > 5), w(q) as (select sum(b) from v) select v.a, q from v, w
with v as (select a from t) select x.a, y.a as other from v x, v y
with t as (select a from t where a > 1) select * from t
select * from (with v as (select 1 as one) select one from v) w
select a from t union select a from u
select a, s from t union all select c, k from u
select a as n from t except select a from u
select a from t intersect select a from u
select a from t intersect all select a from u
select a from t except all select a from u
select a from t union all select c from u intersect select 7
(select a from t union all select c from u) intersect select 7
select a from t union all select x from t
select a, b from t union all by name select k, a from u
select a, b from t union by name select b, a from t
select a from t union all select c from u order by a desc nulls first, 1
select a + 1 as n from t union select c from u order by n % 3, n limit 4
(select a from t order by b limit 2) union all select c from u
select a from t union all (select c from u order by c limit 2)
select distinct s from t
select distinct a % 2 as odd, s is null as lost from t order by odd, s is null
select distinct s, b from t order by b + 1, s
select distinct on (s) s, b from t order by s, b desc, a
select distinct on (s, a) a, f from t order by b desc, f, a, s
select distinct on (k) k, c from u order by c, a
select a, b from t order by b, a
select a, b from t order by 2 desc, 1
select a, b from t order by s desc, b, a
select -b as b, a from t order by b, a
select -b as n, a from t order by n + 0, a
select a from t order by b + coalesce(a, 0) desc nulls first, a
select a, s from t order by all
select a, b from t order by b desc, a limit 2
select a, b from t order by b, a limit 2 offset 1
select a, b from t order by b, a offset 4
select b from t order by b desc, a fetch first 2 rows only
select * from (select a, b from t order by b, a limit 3) v order by a desc, b
select a from t limit 0
(select a, b from t order by b, a limit 4) order by a, b limit 2
"""

GROUPS = """
select s, count(*) as n, sum(b) as total from t group by s
select count(*) as n, count(a) as k, sum(b) as total, avg(f) as mean from t
select count(*) as n, sum(b) as total from t where false
select s, sum(b) as total from t where false group by s
select a % 2 as odd, count(*) as n from t group by a % 2
select a % 2 as odd, count(*) as n from t group by odd
select a % 2 as odd, count(*) as n from t group by 1
select s, b, count(*) as n from t group by all
select s || 'a' || 'b' as w, count(*) as n from t group by s || 'a'
select s, t.s as again, min(b) + max(b) as span from t group by t.s
select s, sum(b) as total from t group by s having count(*) > 1
select s, sum(b) as total from t group by s having total > 15
select 'all' as which from t having count(*) > 3
select s from t group by s order by count(*) desc, s
select s, count(*) as n from t group by s order by n desc, max(b), s limit 2
select t.s, sum(b) as total, sum(total) over () as whole from t group by s
select count(distinct s) as n, count(*) filter (where b > 5) as k from t
select s, string_agg(cast(b as varchar), '-' order by b desc) as w from t where b is not null group by s
select s, sum(case when b > 5 then 1 else 0 end) as k from t group by s
select s, a, sum(b) as total from t group by rollup (s, a)
select s, a, sum(b) as total from t group by cube (s, a)
select s, a, sum(b) as total from t group by grouping sets ((s), (a, s), ())
select s, grouping(s) as g, grouping(s, a) as h, sum(b) as total from t group by s, rollup (a)
select s, sum(b) as total from t group by rollup (s) having sum(b) > 15 order by grouping(s), s
select s, grouping(s) as g, count(*) as n from t group by s
select k, count(*) as n from t left join u using (a) group by k
select count(*) as n from (select s, b from t group by s, b) v
select k.s, k.n from (select s, count(*) as n from t group by s) k where k.n > 1
select s, (select max(c) from u) as top, count(*) as n from t group by s
select sum((select count(*) from u where u.a = t.a)) as n from t
select s, count(*) as n from t group by s having count(*) >= (select count(*) from u where u.k = t.s)
select upper(s) as s, count(*) as n from t group by s order by s
"""

WINDOWS = """
select a, row_number() over (order by b, a) as n from t
select a, b, sum(b) over (partition by s order by b, a) as running from t
select name, pay, rank() over (order by pay desc) as r, dense_rank() over (order by pay desc) as d from e
select name, lag(name) over (order by id) as before, lead(name, 2, 'none') over (order by id) as after from e
select name, pay - avg(pay) over () as above from e
select name, sum(pay) over w as s, count(*) over (w rows between 1 preceding and current row) as n from e window w as (partition by boss order by id)
select name, sum(pay) over v as s from e window w as (partition by boss), v as (w order by id)
select name, sum(pay) over (order by id rows between 2 preceding and 1 preceding) as s from e
select name, sum(pay) over (order by pay range between 10 preceding and current row) as s from e
select name, first_value(name) over (partition by boss order by pay, id) as least from e
select boss, sum(pay) as s, rank() over (order by sum(pay) desc, boss) as r from e group by boss
select boss, sum(pay) as s, sum(sum(pay)) over () as total from e group by boss
select * from e qualify row_number() over (partition by boss order by pay desc, id) = 1
select name, row_number() over (partition by boss order by id) as n from e qualify n = 2
select boss, count(*) as n from e group by boss having count(*) > 1 qualify rank() over (order by count(*) desc, boss) = 1
select name from e order by row_number() over (order by pay desc, id)
select name, count(*) over () as n from e order by id limit 2
select distinct count(*) over (partition by boss) as n from e
select name, ntile(2) over (order by id) as half from e
select name, count(*) filter (where pay > 60) over (order by id) as n from e
"""

SUBQUERIES = """
select a, (select max(c) from u where u.a = t.a) as m from t
select a from t where a in (select a from u)
select a from t where a not in (select a from u where a is not null)
select a from t where a not in (select a from u)
select a, a in (select a from u) as there from t
select a from t where exists (select 1 from u where u.a = t.a)
select a from t where not exists (select * from u where u.a = t.a and u.c > t.b)
select s, b from t where b = (select max(b) from t x where x.s = t.s)
select name from e where pay > (select avg(pay) from e o where o.boss = e.boss)
select name from e where exists (select 1 from e m where m.boss = e.id and exists (select 1 from e n where n.boss = m.id and n.pay < e.pay))
select s, (select q from (select u.c + t.b as q from u where u.a = t.a) d order by q limit 1) as m from t
select s, (select count(*) from (select a from u where u.a = t.a union all select c from u where u.c = t.b) d) as n from t
select b, (select count(*) from (select distinct k from u where u.a = t.a) d) as n from t
select a, (select sum(n) from (select a, count(*) as n from u where u.a >= t.a group by a) d where d.a > t.a) as m from t
select b from t where exists (select c + 100 as b from u where b > 25)
select name, (select count(*) from e where boss = o.id) as n from e o
select a, exists (select 1 from u where u.k = t.s) as known from t order by a, b
select name, (select o.name from e o where o.id = e.boss) as boss from e order by (select o.pay from e o where o.id = e.boss), id
select t.a, u.c from t left join u on t.a = u.a and exists (select 1 from e where e.id = u.a)
select a from t where a + 1 in (select a from u where u.k = 'x' or u.c = t.b)
select sum(b) as total from t where a = (select min(a) from u)
with v as (select a, max(c) as m from u group by a) select b from t where exists (select 1 from v where v.a = t.a and m > (select min(m) from v))
select a from t where (select count(*) from u where u.a = t.a) = 2
select case when exists (select 1 from u where u.a = t.a) then 'yes' else s end as w from t
"""


def queries(*texts: str) -> list[str]:
    return [line for text in texts for line in text.strip().splitlines()]


@pytest.mark.parametrize("text", queries(FROM, SHAPES, GROUPS, WINDOWS, SUBQUERIES))
def test_gives_the_same_rows(text: str, small) -> None:
    small.check(text)
