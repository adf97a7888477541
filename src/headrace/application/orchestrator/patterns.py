"""ETL and ELT put together from parts of one's own. Not the pipelines of definitions, which account for every row (see `run`)."""

from __future__ import annotations

from functools import partial
from typing import Generic, Protocol, TypeVar

from headrace.resilience.backoff import RetryPolicy
from headrace.resilience.retry import execute_under

Raw = TypeVar("Raw")
Done = TypeVar("Done")
Given = TypeVar("Given", contravariant=True)
Made = TypeVar("Made", covariant=True)

#: Four attempts with waits of up to 1, 2 and 4 seconds.
_USUAL = RetryPolicy()


class Extractor(Protocol[Made]):
    """Reads data. It may be asked again for the same source when it raised `RetryableError`."""

    async def extract(self, source: str, /) -> Made: ...


class Transformer(Protocol[Given, Made]):
    """Makes data of data. It must leave what it is given as it is, for it may be given it again."""

    async def transform(self, data: Given, /) -> Made: ...


class Loader(Protocol[Given]):
    """Writes data. It may be asked again after it failed half-way, so to load the same twice must come to the same as once."""

    async def load(self, data: Given, destination: str, /) -> None: ...


class InPlaceTransformer(Protocol):
    """Lets the system that holds the data transform them there. As with a `Loader`, twice must come to the same as once."""

    async def transform_in_place(self, staging: str, destination: str, /) -> None: ...


class ETLPipeline(Generic[Raw, Done]):
    """Extract, transform, load. Each phase is tried again by itself, as `retry` says, when it raises `RetryableError`.

    `RetryPolicy(attempts=1)` tries nothing again. What a phase raises in the end goes on unchanged, and no later phase begins.
    """

    def __init__(
        self,
        extractor: Extractor[Raw],
        transformer: Transformer[Raw, Done],
        loader: Loader[Done],
        *,
        retry: RetryPolicy = _USUAL,
    ) -> None:
        self.extractor, self.transformer, self.loader, self.retry = extractor, transformer, loader, retry

    async def execute(self, source: str, destination: str) -> None:
        """Bring what is in `source` to `destination`."""
        raw = await execute_under(self.retry, partial(self.extractor.extract, source))
        done = await execute_under(self.retry, partial(self.transformer.transform, raw))
        await execute_under(self.retry, partial(self.loader.load, done, destination))


class ELTPipeline(Generic[Raw]):
    """Extract, load, and transform where the data then are. Phases are tried again as those of `ETLPipeline` are."""

    def __init__(
        self,
        extractor: Extractor[Raw],
        loader: Loader[Raw],
        transformer: InPlaceTransformer,
        *,
        retry: RetryPolicy = _USUAL,
    ) -> None:
        self.extractor, self.loader, self.transformer, self.retry = extractor, loader, transformer, retry

    async def execute(self, source: str, staging: str, destination: str) -> None:
        """Bring what is in `source` to `staging` as it is, and from there, transformed, to `destination`."""
        raw = await execute_under(self.retry, partial(self.extractor.extract, source))
        await execute_under(self.retry, partial(self.loader.load, raw, staging))
        await execute_under(self.retry, partial(self.transformer.transform_in_place, staging, destination))
