"""What may be written: DuckDB's syntax without anyone's functions and types. It opens SQLGlot, so it is opened to parse only.

SQLGlot knows hundreds of functions and rewrites many of them while it reads. Ours are those of the catalogue and nothing else,
so its tables of functions are emptied here: a call comes out as it was written, name and arguments in order.

SQLGlot's own DuckDB brings the writing of SQL along, which takes longer to load than all the rest of its class and is of no use
to us. So what it says about reading is repeated here; a test holds it against the original.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlglot import exp, tokens
from sqlglot.dialects.dialect import Dialect, NormalizationStrategy, UsingColumnOrder
from sqlglot.parsers.duckdb import DuckDBParser
from sqlglot.tokenizer_core import TokenType

#: Types that have other names, or none, here: DuckDB's `int8` has 8 bytes, ours has 8 bits. Their words are read as plain names.
_THEIR_TYPES = frozenset((
    "INT", "BIGINT", "SMALLINT", "TINYINT", "INT128", "UINT", "UBIGINT", "USMALLINT", "UTINYINT", "UINT128", "FLOAT", "DOUBLE", "BOOLEAN",
    "TEXT", "CHAR", "VARCHAR", "NCHAR", "NVARCHAR", "BPCHAR", "VARBINARY",
))  # fmt: skip

_EVERYONES_WORDS = {
    word: kind
    for word, kind in tokens.Tokenizer.KEYWORDS.items()
    if word not in ("/*+", "BINARY") and kind.name not in _THEIR_TYPES
}
_DATE_PARTS = {
    **{word: part for word, part in Dialect.DATE_PART_MAPPING.items() if word != "WEEKDAY"},
    "DAYOFWEEKISO": "ISODOW",
}
_UNESCAPED = {"\\a": "a", "\\v": "v"}


class HeadraceTokenizer(tokens.Tokenizer):
    NUMERIC_ESCAPES: ClassVar[dict[str, Any]] = {"x": (16, 1, 2, 0xFF), "0": (8, 1, 3, 0o777)}
    NUMERIC_ESCAPES_ARE_BYTES = True
    DROP_UNKNOWN_ESCAPES = True
    BYTE_STRINGS: ClassVar[list[Any]] = [("e'", "'"), ("E'", "'")]
    BYTE_STRING_ESCAPES: ClassVar[list[str]] = ["'", "\\"]
    HEREDOC_STRINGS: ClassVar[list[Any]] = ["$"]
    HEREDOC_TAG_IS_IDENTIFIER = True
    HEREDOC_STRING_ALTERNATIVE = TokenType.PARAMETER
    KEYWORDS: ClassVar[dict[str, TokenType]] = {
        **_EVERYONES_WORDS,
        "//": TokenType.DIV,
        "**": TokenType.DSTAR,
        "^@": TokenType.CARET_AT,
        "@>": TokenType.AT_GT,
        "<@": TokenType.LT_AT,
        "ATTACH": TokenType.ATTACH,
        "BITSTRING": TokenType.BIT,
        "DATETIME": TokenType.TIMESTAMPNTZ,
        "DETACH": TokenType.DETACH,
        "FORCE": TokenType.FORCE,
        "INSTALL": TokenType.INSTALL,
        "MACRO": TokenType.FUNCTION,
        "ONLY": TokenType.ONLY,
        "PIVOT_WIDER": TokenType.PIVOT,
        "POSITIONAL": TokenType.POSITIONAL,
        "RESET": TokenType.COMMAND,
        "ROW": TokenType.STRUCT,
        "SUMMARIZE": TokenType.SUMMARIZE,
        "TIMESTAMP": TokenType.TIMESTAMPNTZ,
        "TIMESTAMP_S": TokenType.TIMESTAMP_S,
        "TIMESTAMP_MS": TokenType.TIMESTAMP_MS,
        "TIMESTAMP_NS": TokenType.TIMESTAMP_NS,
        "TIMESTAMP_US": TokenType.TIMESTAMP,
    }
    SINGLE_TOKENS: ClassVar[dict[str, TokenType]] = {**tokens.Tokenizer.SINGLE_TOKENS, "$": TokenType.PARAMETER}
    VAR_SINGLE_TOKENS: ClassVar[set[str]] = {"$"}
    COMMANDS: ClassVar[set[TokenType]] = tokens.Tokenizer.COMMANDS - {TokenType.SHOW}


class HeadraceParser(DuckDBParser):
    FUNCTIONS: ClassVar[dict[str, Any]] = {}
    FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
        name: DuckDBParser.FUNCTION_PARSERS[name] for name in ("CAST", "TRY_CAST", "EXTRACT", "SUBSTRING")
    }
    NO_PAREN_FUNCTIONS: ClassVar[dict[Any, Any]] = {}
    NO_PAREN_FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {"CASE": DuckDBParser.NO_PAREN_FUNCTION_PARSERS["CASE"]}
    COLUMN_OPERATORS: ClassVar[dict[Any, Any]] = {
        **DuckDBParser.COLUMN_OPERATORS,
        TokenType.ARROW: lambda _, this, path: exp.JSONExtract(this=this, expression=path),
        TokenType.DARROW: lambda _, this, path: exp.JSONExtractScalar(this=this, expression=path),
    }

    def _warn_unsupported(self) -> None:  # statements of other databases: an error here, not a line on the screen
        self.raise_error("Unsupported")


class Headrace(Dialect):
    Tokenizer = HeadraceTokenizer
    Parser = HeadraceParser

    NULL_ORDERING = "nulls_are_last"
    CONCAT_COALESCE = True
    CONCAT_WS_COALESCE = True
    SUPPORTS_ORDER_BY_ALL = True
    SUPPORTS_LIMIT_ALL = True
    SUPPORTS_FIXED_SIZE_ARRAYS = True
    TABLES_REFERENCEABLE_AS_COLUMNS = True
    STRICT_JSON_PATH_SYNTAX = False
    NUMBERS_CAN_BE_UNDERSCORE_SEPARATED = True
    USING_COLUMN_ORDER = UsingColumnOrder.IN_PLACE
    NORMALIZATION_STRATEGY = NormalizationStrategy.CASE_INSENSITIVE
    ASCII_ONLY_NORMALIZATION = True
    UNESCAPED_SEQUENCES = _UNESCAPED
    DATE_PART_MAPPING = _DATE_PARTS
