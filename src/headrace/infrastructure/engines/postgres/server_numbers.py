"""Functions of the session on numbers: floats as IEEE 754 has them, and numbers as text.

PostgreSQL ends the statement where a float overflows or underflows. The usual case is told apart by a comparison or two; near the
limits the result is calculated on values that were scaled by a power of two, which changes no digit of it.
"""

from __future__ import annotations

from headrace.infrastructure.engines.postgres.server_definitions import expression, procedure


def _float(value: float) -> str:
    return f"float8 '{value!r}'"


_UP, _DOWN = _float(2.0**512), _float(2.0**-512)
_INFINITE = "float8 'Infinity'"
_PLAIN = f"abs(a) BETWEEN {_float(1e-140)} AND {_float(1e140)} AND abs(b) BETWEEN {_float(1e-140)} AND {_float(1e140)}"
_SMALL = f"abs(a) < {_float(8e307)} AND abs(b) < {_float(8e307)}"
_ODD = f"a = 0 OR b = 0 OR NOT abs(a) < {_INFINITE} OR NOT abs(b) < {_INFINITE}"

NUMBERS = (
    procedure("far_sum(a float8, b float8)", "float8", f"""
        IF NOT abs(a) < {_INFINITE} OR NOT abs(b) < {_INFINITE} OR abs(a) < {_float(1e290)} OR abs(b) < {_float(1e290)} THEN RETURN a + b; END IF;
        IF abs(a / 2 + b / 2) >= {_float(2.0**1023)} THEN RETURN sign(a) * {_INFINITE}; END IF;
        RETURN a + b;"""),
    expression("float_sum(a float8, b float8)", "float8", f"CASE WHEN {_SMALL} THEN a + b ELSE pg_temp.far_sum(a, b) END"),
    expression("float_difference(a float8, b float8)", "float8", f"CASE WHEN {_SMALL} THEN a - b ELSE pg_temp.far_sum(a, - b) END"),
    procedure("far_product(a float8, b float8)", "float8", f"""
        IF {_ODD} THEN RETURN a * b; END IF;
        size := ln(abs(a)) + ln(abs(b));
        IF size > 711 OR (size > 700 AND abs(a) * {_DOWN} * (abs(b) * {_DOWN}) >= 1) THEN RETURN sign(a) * sign(b) * {_INFINITE}; END IF;
        IF size < -746 OR (size < -700 AND abs(a) * {_UP} * (abs(b) * {_UP}) <= {_float(2.0**-51)}) THEN
            RETURN CASE WHEN (a < 0) = (b < 0) THEN float8 '0' ELSE float8 '-0' END;
        END IF;
        RETURN a * b;""", "size float8;"),
    expression("float_product(a float8, b float8)", "float8", f"CASE WHEN {_PLAIN} THEN a * b ELSE pg_temp.far_product(a, b) END"),
    procedure("far_quotient(a float8, b float8)", "float8", f"""
        IF {_ODD} THEN RETURN a / b; END IF;
        size := ln(abs(a)) - ln(abs(b));
        IF size > 710 OR (size > 700 AND abs(a) * {_float(2.0**-300)} / abs(b) >= {_float(2.0**724)}) THEN
            RETURN sign(a) * sign(b) * {_INFINITE};
        END IF;
        IF size < -746 OR (size < -700 AND abs(a) * {_float(2.0**300)} / abs(b) <= {_float(2.0**-775)}) THEN
            RETURN CASE WHEN (a < 0) = (b < 0) THEN float8 '0' ELSE float8 '-0' END;
        END IF;
        RETURN a / b;""", "size float8;"),
    expression("float_quotient(a float8, b float8)", "float8", f"CASE WHEN {_PLAIN} THEN a / b ELSE pg_temp.far_quotient(a, b) END"),
    procedure("float_remainder(a float8, b float8)", "float8", f"""
        IF NOT abs(a) < {_INFINITE} OR b = 'NaN' THEN RETURN float8 'NaN'; END IF;
        WHILE rest >= abs(b) LOOP
            part := abs(b);
            WHILE part <= rest - part LOOP part := part * 2; END LOOP;
            rest := rest - part;
        END LOOP;
        RETURN CASE WHEN a::text LIKE '-%' THEN - rest ELSE rest END;""", "rest float8 := abs(a); part float8;"),
    procedure("float_power(a float8, b float8)", "float8", f"""
        IF {_ODD} OR abs(a) = 1 THEN RETURN power(a, b); END IF;
        size := pg_temp.float_product(b, ln(abs(a)));
        negative := a < 0 AND abs(b) < {_float(2.0**53)} AND b / 2 <> trunc(b / 2);
        IF size > 709.8 THEN RETURN CASE WHEN negative THEN - {_INFINITE} ELSE {_INFINITE} END; END IF;
        IF size < -745.2 THEN RETURN CASE WHEN negative THEN float8 '-0' ELSE float8 '0' END; END IF;
        IF abs(size) < 708 THEN RETURN power(a, b); END IF;
        size := power(abs(a), b / 2);
        RETURN CASE WHEN negative THEN - pg_temp.float_product(size, size) ELSE pg_temp.float_product(size, size) END;""",
        "size float8; negative boolean;"),
    expression("exponential(x float8)", "float8", f"""CASE WHEN abs(x) < 708 THEN exp(x) WHEN x = 'NaN' THEN x WHEN x > 709.782712893384 THEN {_INFINITE}
        WHEN x < -745.2 THEN 0 ELSE pg_temp.far_product(exp(x / 2), exp(x / 2)) END"""),
    procedure("log2(x float8)", "float8", """
        IF NOT x < 'Infinity' THEN RETURN x; END IF;
        whole := round(ln(x) / ln(float8 '2'));
        RETURN CASE WHEN abs(whole) < 1022 AND power(float8 '2', whole) = x THEN whole ELSE ln(x) / ln(float8 '2') END;""", "whole float8;"),
    expression("rounded(x float8)", "float8", "CASE WHEN abs(x - trunc(x)) >= 0.5 AND abs(x) < 'Infinity' THEN trunc(x) + sign(x) ELSE trunc(x) END"),
    procedure("rounded(x float8, digits integer)", "float8", f"""
        IF NOT abs(x) < {_INFINITE} THEN RETURN x; END IF;
        IF digits < 0 THEN RETURN pg_temp.float_product(pg_temp.rounded(pg_temp.float_quotient(x, unit)), unit); END IF;
        scaled := pg_temp.float_product(x, unit);
        RETURN CASE WHEN abs(scaled) < {_INFINITE} THEN pg_temp.float_quotient(pg_temp.rounded(scaled), unit) ELSE x END;""",
        "unit float8 := ('1e' || abs(digits))::float8; scaled float8;"),
    procedure("in_range(x numeric, low numeric, high numeric)", "numeric", """
        IF x NOT BETWEEN low AND high THEN
            RAISE numeric_value_out_of_range USING MESSAGE = 'a whole number does not fit its type';
        END IF;
        RETURN x;"""),
    procedure("hex_digits(x numeric)", "text", """
        LOOP
            digits := to_hex((rest % 65536)::integer) || digits;
            rest := div(rest, 65536);
            EXIT WHEN rest = 0;
            digits := lpad(digits, 4 * ((length(digits) + 3) / 4), '0');
        END LOOP;
        RETURN digits;""", "rest numeric := x; digits text := '';"),
    procedure("whole_number(x float8)", "numeric", f"""
        IF NOT abs(x) < {_float(2.0**129)} OR x <> trunc(x) THEN RETURN NULL; END IF;
        IF abs(x) < {_float(2.0**62)} THEN RETURN x::bigint; END IF;
        high := trunc(x / {_float(2.0**67)});
        middle := trunc((x - high * {_float(2.0**67)}) / {_float(2.0**32)});
        low := x - high * {_float(2.0**67)} - middle * {_float(2.0**32)};
        RETURN high::bigint::numeric * {2**67} + middle::bigint::numeric * {2**32} + low::bigint;""", "high float8; middle float8; low float8;"),
    procedure("nearest_decimal(x float8, scale integer)", "numeric", """
        found := pg_temp.whole_number(round(pg_temp.float_product(x, ('1e' || scale)::float8))) * ('1e-' || scale)::numeric;
        RETURN CASE WHEN found::float8 = x THEN found END;""", "found numeric;"),
    expression("fitting_decimal(x numeric, bound numeric, scale integer)", "numeric", "CASE WHEN x = round(x, scale) AND abs(x) < bound THEN x END"),
    expression("fitting_real(x float8)", "real", f"""CASE WHEN x = 0 OR NOT abs(x) < {_INFINITE} THEN x::real
        WHEN abs(x) <= {_float(2.0**-150)} THEN CASE WHEN x < 0 THEN real '-0' ELSE real '0' END
        WHEN abs(x) < {_float(float(2**128 - 2**103))} THEN x::real END"""),
    procedure("float_text(x float8)", "text", """
        shown := lower(x::text);
        IF shown = 'infinity' THEN RETURN 'inf'; ELSIF shown = '-infinity' THEN RETURN '-inf'; ELSIF shown = 'nan' THEN RETURN shown; END IF;
        IF abs(x) < 1e16 AND abs(x) >= 1e-4 THEN shown := shown::numeric::text; END IF;
        RETURN CASE WHEN shown ~ '[.e]' THEN shown ELSE shown || '.0' END;""", "shown text;"),
    procedure("float_text(x real)", "text", """
        shown := lower(x::text);
        IF shown = 'infinity' THEN RETURN 'inf'; ELSIF shown = '-infinity' THEN RETURN '-inf'; ELSIF shown = 'nan' THEN RETURN shown; END IF;
        IF abs(x) < 1e16 AND abs(x) >= 1e-4 THEN shown := shown::numeric::text; END IF;
        RETURN CASE WHEN shown ~ '[.e]' THEN shown ELSE shown || '.0' END;""", "shown text;"),
)  # fmt: skip
