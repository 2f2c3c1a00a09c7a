"""
Vector registers as a Numba type: the words that the fastest kernels are written in.

`load`, `store`, `broadcast`, `zero`, `fma` and `at_least` each become one machine
instruction, on one vector register of the host: 4, 8 or 16 float32, or half as many
float64; `load_one` and `store_one` move a single number, `turn_square` as many
registers as each has numbers. With NUMBA_DISABLE_JIT=1
a register is a short NumPy array, so that a kernel can still be stepped through in a
debugger. Read next: `tile.py`, which multiplies matrices with these words.
"""

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model


def _register_bytes():
    """Return the size of the host's vector registers: AVX-512, AVX2, or anything."""
    features = llvm.get_host_cpu_features()
    return 64 if features.get("avx512f") else 32 if features.get("avx2") else 16


REGISTER_BYTES = _register_bytes()


def lanes(flat):
    """Return how many numbers of the array's type fill one register."""
    return REGISTER_BYTES // flat.dtype.itemsize


@overload(lanes, inline="always")
def _lanes(flat):
    count = REGISTER_BYTES * 8 // flat.dtype.bitwidth
    return lambda flat: count


class Register(types.Type):
    """The Numba type of one vector register, full of numbers of one scalar type."""

    def __init__(self, scalar):
        self.scalar = scalar
        super().__init__(f"register({scalar})")


@register_model(Register)
class RegisterModel(models.PrimitiveModel):
    """A register is an LLVM vector, which travels by value."""

    def __init__(self, dmm, fe_type):
        width = fe_type.scalar.bitwidth
        number = ir.FloatType() if width == 32 else ir.DoubleType()
        vector = ir.VectorType(number, REGISTER_BYTES * 8 // width)
        super().__init__(dmm, fe_type, vector)


def _address(context, builder, flat_type, flat, i):
    """Return the address of flat[i], for i >= 0."""
    field = context.data_model_manager[flat_type].get_field_position("data")
    return builder.gep(builder.extract_value(flat, field), [i])


if config.DISABLE_JIT:

    def load(flat, i):
        """Return the register flat[i], flat[i + 1], ..."""
        return flat[i : i + lanes(flat)].copy()

    def store(flat, i, v):
        """Write the register to flat[i], flat[i + 1], ..."""
        flat[i : i + lanes(flat)] = v

    def broadcast(flat, i):
        """Return a register with flat[i] in every lane."""
        return np.full(lanes(flat), flat[i])

    def zero(flat):
        """Return a register of zeros of the array's type."""
        return np.zeros(lanes(flat), flat.dtype)

    def load_one(flat, i):
        """Return flat[i], without the check for negative i that flat[i] brings."""
        return flat[i]

    def store_one(flat, i, number):
        """Write flat[i], without the check for negative i that flat[i] brings."""
        flat[i] = number

    def fma(a, b, c):
        """Return a b + c, lane by lane."""
        with np.errstate(all="ignore"):  # padding may hold anything
            return a * b + c

    def at_least(v, bound):
        """Return the larger of v and bound, lane by lane; v where that is NaN."""
        return np.where(v < bound, bound, v)

    def turn_square(c, cp, c_step, a, ap, a_step):
        """c[cp + i c_step + j] = a[ap + j a_step + i]    i, j < a register's numbers"""
        for j in range(lanes(a)):
            c[cp + j : cp + j + (lanes(a) - 1) * c_step + 1 : c_step] = load(
                a, ap + j * a_step
            )

else:

    @intrinsic
    def load(typingctx, flat, i):
        """Return the register flat[i], flat[i + 1], ..."""
        register = Register(flat.dtype)

        def codegen(context, builder, signature, args):
            address = _address(context, builder, flat, *args)
            vector = context.get_value_type(register)
            value = builder.load(builder.bitcast(address, vector.as_pointer()))
            value.align = flat.dtype.bitwidth // 8
            return value

        return register(flat, types.intp), codegen

    @intrinsic
    def store(typingctx, flat, i, v):
        """Write the register to flat[i], flat[i + 1], ..."""

        def codegen(context, builder, signature, args):
            address = _address(context, builder, flat, *args[:2])
            pointer = builder.bitcast(address, args[2].type.as_pointer())
            builder.store(args[2], pointer).align = flat.dtype.bitwidth // 8
            return context.get_dummy_value()

        return types.void(flat, types.intp, v), codegen

    @intrinsic
    def broadcast(typingctx, flat, i):
        """Return a register with flat[i] in every lane."""
        register = Register(flat.dtype)

        def codegen(context, builder, signature, args):
            number = builder.load(_address(context, builder, flat, *args))
            vector = context.get_value_type(register)
            empty = ir.Constant(vector, ir.Undefined)
            index = ir.IntType(32)
            first = builder.insert_element(empty, number, index(0))
            every = ir.Constant(ir.VectorType(index, vector.count), [0] * vector.count)
            return builder.shuffle_vector(first, empty, every)

        return register(flat, types.intp), codegen

    @intrinsic
    def zero(typingctx, flat):
        """Return a register of zeros of the array's type."""
        register = Register(flat.dtype)

        def codegen(context, builder, signature, args):
            return ir.Constant(context.get_value_type(register), None)

        return register(flat), codegen

    @intrinsic
    def load_one(typingctx, flat, i):
        """Return flat[i], without the check for negative i that flat[i] brings."""

        def codegen(context, builder, signature, args):
            return builder.load(_address(context, builder, flat, *args))

        return flat.dtype(flat, types.intp), codegen

    @intrinsic
    def store_one(typingctx, flat, i, number):
        """Write flat[i], without the check for negative i that flat[i] brings."""

        def codegen(context, builder, signature, args):
            builder.store(args[2], _address(context, builder, flat, *args[:2]))
            return context.get_dummy_value()

        return types.void(flat, types.intp, flat.dtype), codegen

    @intrinsic
    def fma(typingctx, a, b, c):
        """Return a b + c, lane by lane; rounded once where the host can."""

        def codegen(context, builder, signature, args):
            vector = args[0].type
            name = f"llvm.fmuladd.v{vector.count}f{a.scalar.bitwidth}"
            kind = ir.FunctionType(vector, [vector] * 3)
            function = cgutils.get_or_insert_function(builder.module, kind, name)
            return builder.call(function, args)

        return a(a, b, c), codegen

    @intrinsic
    def at_least(typingctx, v, bound):
        """Return the larger of v and bound, lane by lane; v where that is NaN."""

        def codegen(context, builder, signature, args):
            return builder.select(builder.fcmp_ordered("<", *args), *args[::-1])

        return v(v, bound), codegen

    @intrinsic
    def turn_square(typingctx, c, cp, c_step, a, ap, a_step):
        """c[cp + i c_step + j] = a[ap + j a_step + i]    i, j < a register's numbers"""

        def codegen(context, builder, signature, args):
            c_at, c_by, a_at, a_by = args[1], args[2], args[4], args[5]
            vector = context.get_value_type(Register(a.dtype))
            align, L = a.dtype.bitwidth // 8, vector.count
            rows = []
            for _ in range(L):
                address = _address(context, builder, a, args[3], a_at)
                row = builder.load(builder.bitcast(address, vector.as_pointer()))
                row.align = align
                rows.append(row)
                a_at = builder.add(a_at, a_by)
            _turn(builder, rows)
            for row in rows:
                address = _address(context, builder, c, args[0], c_at)
                pointer = builder.bitcast(address, vector.as_pointer())
                builder.store(row, pointer).align = align
                c_at = builder.add(c_at, c_by)
            return context.get_dummy_value()

        return types.void(c, types.intp, types.intp, a, types.intp, types.intp), codegen

    def _turn(builder, rows):
        """Transpose a square of registers: swap halves, then quarters, and so on."""
        L = len(rows)
        half = L // 2
        while half:
            upper = [j + L - half if j & half else j for j in range(L)]
            lower = [j + L if j & half else j + half for j in range(L)]
            for i in (i for i in range(L) if not i & half):
                pair = rows[i], rows[i + half]
                for at, lanes_of in ((i, upper), (i + half, lower)):
                    which = ir.Constant(ir.VectorType(ir.IntType(32), L), lanes_of)
                    rows[at] = builder.shuffle_vector(*pair, which)
            half //= 2
