"""AES-128 by the processor's own instructions (AES-NI), for numba kernels: one block, and one key schedule.

FIPS 197 with the instructions AESENC, AESENCLAST and AESKEYGENASSIST (Intel, "Advanced Encryption Standard New Instructions Set", 2010, figure 24 for
the key schedule). They take the same time for every key and every block. `USABLE` says whether this machine has them.

All three work on arrays of bytes: round keys are 176 bytes (11 blocks), a block is 16 bytes from an offset on.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any, Final

import llvmlite.binding as llvm
from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

ROUND_KEY_BYTES: Final = 176
_ROUNDS: Final = 10
_ROUND_CONSTANTS: Final = (0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1B, 0x36)
_I8: Final = ir.IntType(8)
_I32: Final = ir.IntType(32)
_BLOCK: Final = ir.VectorType(ir.IntType(64), 2)
_WORDS: Final = ir.VectorType(_I32, 4)


def _usable() -> bool:
    """True where numba compiles for this processor, and this processor has the instructions."""
    chosen = [getattr(config, name) for name in ("DISABLE_JIT", "CPU_NAME", "CPU_FEATURES")]
    is_x86 = platform.machine() in {"x86_64", "AMD64"}
    return not any(chosen) and is_x86 and bool(llvm.get_host_cpu_features().get("aes"))


USABLE: Final = _usable()


def _instruction(builder: Any, name: str, kinds: list[Any]) -> Any:
    module, called = builder.module, f"llvm.x86.aesni.{name}"
    return module.globals.get(called) or ir.Function(module, ir.FunctionType(_BLOCK, kinds), called)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, offset: Any = None) -> Any:
    """Where an array's bytes stand, as a pointer to blocks that need no alignment."""
    data = context.make_array(kind)(context, builder, array).data
    raw = builder.bitcast(data, _I8.as_pointer())
    return builder.bitcast(raw if offset is None else builder.gep(raw, [offset]), _BLOCK.as_pointer())


def _load(builder: Any, pointer: Any, index: int = 0) -> Any:
    value = builder.load(builder.gep(pointer, [_I32(index)]))
    value.align = 1
    return value


def _store(builder: Any, value: Any, pointer: Any, index: int = 0) -> None:
    builder.store(value, builder.gep(pointer, [_I32(index)])).align = 1


def _encrypted(builder: Any, state: Any, keys: Any) -> Any:
    step = _instruction(builder, "aesenc", [_BLOCK, _BLOCK])
    last = _instruction(builder, "aesenclast", [_BLOCK, _BLOCK])
    state = builder.xor(state, _load(builder, keys))
    for number in range(1, _ROUNDS):
        state = builder.call(step, [state, _load(builder, keys, number)])
    return builder.call(last, [state, _load(builder, keys, _ROUNDS)])


def _absorb(_context: Any, round_keys: Any, state: Any, data: Any, _offset: Any) -> Any:
    """State = AES(state XOR the block of `data` at `offset`): a step of CBC-MAC."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        keys = _pointer(context, builder, kinds[0], arguments[0])
        chained = _pointer(context, builder, kinds[1], arguments[1])
        block = _load(builder, _pointer(context, builder, kinds[2], arguments[2], arguments[3]))
        mixed = builder.xor(_load(builder, chained), block)
        _store(builder, _encrypted(builder, mixed, keys), chained)
        return context.get_dummy_value()

    return types.void(round_keys, state, data, types.int64), generate


absorb: Callable[..., Any] = intrinsic(_absorb)


def _expand(_context: Any, key: Any, round_keys: Any) -> Any:
    """The key schedule (FIPS 197 section 5.2): 16 bytes of `key` to 176 bytes of `round_keys`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        value = _load(builder, _pointer(context, builder, kinds[0], arguments[0]))
        target = _pointer(context, builder, kinds[1], arguments[1])
        _store(builder, value, target)
        for number, constant in enumerate(_ROUND_CONSTANTS, 1):
            value = _next_round_key(builder, value, constant)
            _store(builder, value, target, number)
        return context.get_dummy_value()

    return types.void(key, round_keys), generate


expand: Callable[..., Any] = intrinsic(_expand)


def _next_round_key(builder: Any, key: Any, constant: int) -> Any:
    assist = _instruction(builder, "aeskeygenassist", [_BLOCK, _I8])
    helped = builder.bitcast(builder.call(assist, [key, _I8(constant)]), _WORDS)
    words, nothing = builder.bitcast(key, _WORDS), ir.Constant(_WORDS, [0] * 4)
    for _ in range(3):
        shifted = builder.shuffle_vector(nothing, words, _mask(0, 4, 5, 6))
        words = builder.xor(builder.bitcast(key, _WORDS), shifted)
    return builder.bitcast(
        builder.xor(words, builder.shuffle_vector(helped, nothing, _mask(3, 3, 3, 3))), _BLOCK
    )


def _mask(*lanes: int) -> Any:
    return ir.Constant(_WORDS, list(lanes))
