"""Functions of the session on lists and JSON. Items are compared under the collation of the call."""

from __future__ import annotations

from headrace.infrastructure.engines.postgres.server_definitions import expression, procedure

LISTS = (
    expression("item_at(items anyarray, place bigint)", "anyelement", """CASE WHEN place BETWEEN - cardinality(items) AND cardinality(items)
        THEN items[(CASE WHEN place < 0 THEN cardinality(items) + 1 + place ELSE place END)::integer] END"""),
    expression("has_item(items anycompatiblearray, item anycompatible)", "boolean", """
        CASE WHEN items IS NOT NULL AND item IS NOT NULL THEN coalesce(item = ANY (items), false) END"""),
    expression("place_of(items anycompatiblearray, item anycompatible)", "bigint", """
        CASE WHEN items IS NOT NULL AND item IS NOT NULL THEN array_position(items, item)::bigint END"""),
    procedure("part_of_list(items anyarray, start bigint, stop bigint)", "anyarray", """
        first := CASE WHEN start < 0 THEN greatest(cardinality(items) + 1 + start, 1) ELSE greatest(start, 1) END;
        last := CASE WHEN stop < 0 THEN greatest(cardinality(items) + 1 + stop, 0) ELSE stop END;
        RETURN items[least(first, cardinality(items) + 1)::integer : least(last, cardinality(items))::integer];""", "first bigint; last bigint;"),
    expression("different_items(items anyarray)", "anyarray", """CASE WHEN items IS NOT NULL
        THEN ARRAY(SELECT DISTINCT item FROM unnest(items) AS list(item) WHERE item IS NOT NULL ORDER BY item) END"""),
    expression("in_order(items anyarray)", "anyarray", """CASE WHEN items IS NOT NULL
        THEN ARRAY(SELECT item FROM unnest(items) AS list(item) ORDER BY item NULLS LAST) END"""),
    expression("in_reverse(items anyarray)", "anyarray", """CASE WHEN items IS NOT NULL
        THEN ARRAY(SELECT item FROM unnest(items) WITH ORDINALITY AS list(item, place) ORDER BY place DESC) END"""),
    expression("least_item(items anyarray)", "anyelement", "(SELECT item FROM unnest(items) AS list(item) WHERE item IS NOT NULL ORDER BY item LIMIT 1)"),
    expression("greatest_item(items anyarray)", "anyelement",
               "(SELECT item FROM unnest(items) AS list(item) WHERE item IS NOT NULL ORDER BY item DESC LIMIT 1)"),
    expression("last_item(items anyarray)", "anyelement", "items[cardinality(items)]"),
    expression("json_array(x json)", "json", "CASE WHEN json_typeof(x) = 'array' THEN x END"),
    procedure("json_number(x text)", "text", """
        IF x !~ '[.eE]' THEN RETURN CASE WHEN x = '-0' THEN '0' ELSE x END; END IF;
        number := pg_temp.read_float(x);
        IF number IS NULL THEN RETURN x; ELSIF number = 0 THEN RETURN CASE WHEN x LIKE '-%' THEN '-0.0' ELSE '0.0' END; END IF;
        IF abs(number) BETWEEN 1e-6 AND 1e21 AND abs(number) <> 1e21 THEN shown := number::text::numeric::text;
        ELSE RETURN regexp_replace(regexp_replace(number::text, 'e([+-])0*', 'e\\1'), 'e\\+', 'e'); END IF;
        RETURN CASE WHEN shown ~ '[.]' THEN shown ELSE shown || '.0' END;""", "number float8; shown text;"),
    procedure("json_written(x json)", "text", """
        RETURN CASE json_typeof(x)
            WHEN 'string' THEN to_json(x #>> '{}')::text
            WHEN 'number' THEN pg_temp.json_number(x #>> '{}')
            WHEN 'array' THEN (SELECT '[' || coalesce(string_agg(pg_temp.json_written(item), ',' ORDER BY place), '') || ']'
                               FROM json_array_elements(x) WITH ORDINALITY AS items(item, place))
            WHEN 'object' THEN (SELECT '{' || coalesce(string_agg(to_json(name)::text || ':' || pg_temp.json_written(item), ',' ORDER BY place), '') || '}'
                                FROM json_each(x) WITH ORDINALITY AS fields(name, item, place))
            ELSE x #>> '{}' END;""").replace("ELSE x #>> '{}' END", "WHEN 'boolean' THEN x #>> '{}' ELSE 'null' END"),
    expression("json_compact(x json)", "json", "pg_temp.json_written(x)::json"),
    expression("json_as_text(x json)", "text", """CASE json_typeof(x) WHEN 'string' THEN x #>> '{}' WHEN 'null' THEN NULL ELSE pg_temp.json_written(x) END"""),
    expression("json_field(x json, name text)", "json", """CASE WHEN json_typeof(x) = 'object'
        THEN (SELECT item FROM json_each(x) WITH ORDINALITY AS fields(key, item, place) WHERE key = name ORDER BY place LIMIT 1) END"""),
)  # fmt: skip
