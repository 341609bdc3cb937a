"""What holds for every decoder and every input: a value or one of its own errors, soon, and in a sentence that is no copy of the input."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CPU_SECONDS_MAX: Final = 1.0
"""Processor time for one input of at most `mutate.INPUT_BYTES_MAX`; real ones take microseconds."""
WORDS_MAX: Final = 1000
"""Characters of an error: it goes to logs and screens, and no input decides how much stands there."""


class Broken(Exception):
    """A decoder that did not keep its word; names it."""


@dataclass(frozen=True, slots=True)
class Decoder:
    """One way in for bytes from elsewhere. `decode` takes any bytes, and raises one of `errors` and nothing else.

    `seeds` are inputs as the real writers make them. `encoding` is what stands in them, for changes of values:
    "cbor", "json" or "". `again` gives back the bytes of what was decoded where the decoder promises that there is one spelling.
    """

    name: str
    decode: Callable[[bytes], object]
    errors: type[Exception] | tuple[type[Exception], ...]
    seeds: Callable[[], Sequence[bytes]]
    encoding: str = ""
    again: Callable[[Any], bytes] | None = None
    slow: bool = False
    """Milliseconds an input: tried less often in the default suite."""
    taken: bool = True
    """Whether all seeds are taken; not where one side draws new random numbers each time."""


def tried(decoder: Decoder, data: bytes) -> bool:
    """Whether a decoder takes an input; raises Broken."""
    began = time.thread_time()
    try:
        value = decoder.decode(data)
    except decoder.errors as error:
        words = str(error)
        if not words or len(words) > WORDS_MAX:
            raise Broken(f"{decoder.name}: an error of {len(words)} characters") from error
        taken = False
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of a library in Rust is no Exception
        raise Broken(f"{decoder.name}: {type(error).__name__}: {str(error)[:200]}") from error
    else:
        taken = True
    took = time.thread_time() - began
    if took > CPU_SECONDS_MAX:
        raise Broken(f"{decoder.name}: {took:.1f} seconds of processor time for {len(data)} bytes")
    if taken and decoder.again is not None and decoder.again(value) != data:
        raise Broken(f"{decoder.name}: it takes another spelling than the one that is written")
    return taken
