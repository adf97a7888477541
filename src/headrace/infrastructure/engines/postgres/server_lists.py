"""Functions of the session on lists and JSON. Items are compared under the collation of the call."""

from __future__ import annotations

from headrace.infrastructure.engines.postgres.server_definitions import expression, procedure

_COMPACT = r"""regexp_replace(x::text, '("(?:[^"\\]|\\.)*")|[ \t\n\r]+', '\1', 'g')"""

LISTS = (
    expression("item_at(items anyarray, place bigint)", "anyelement", """CASE WHEN abs(place) <= cardinality(items)
        THEN items[(CASE WHEN place < 0 THEN cardinality(items) + 1 + place ELSE place END)::integer] END"""),
    expression("has_item(items anycompatiblearray, item anycompatible)", "boolean", """
        CASE WHEN items IS NOT NULL AND item IS NOT NULL THEN coalesce(item = ANY (items), false) END"""),
    expression("place_of(items anycompatiblearray, item anycompatible)", "bigint", """
        CASE WHEN items IS NOT NULL AND item IS NOT NULL THEN array_position(items, item)::bigint END"""),
    procedure("part_of_list(items anyarray, start bigint, stop bigint)", "anyarray", """
        first := CASE WHEN start < 0 THEN greatest(cardinality(items) + 1 + start, 1) ELSE greatest(start, 1) END;
        last := CASE WHEN stop < 0 THEN cardinality(items) + 1 + stop ELSE stop END;
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
    expression("greatest_size(items float8[])", "float8", "(SELECT max(abs(item)) FROM unnest(items) AS list(item))"),
    expression("json_array(x json)", "json", "CASE WHEN json_typeof(x) = 'array' THEN x END"),
    expression("json_compact(x json)", "json", f"{_COMPACT}::json"),
    expression("json_as_text(x json)", "text", f"""CASE WHEN json_typeof(x) IN ('object', 'array') THEN {_COMPACT}
        ELSE x #>> '{{}}' END"""),
)  # fmt: skip
