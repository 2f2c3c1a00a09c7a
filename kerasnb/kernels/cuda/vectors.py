"""
One, two or four neighbours in one access to memory: up to 16 bytes of float32.

A multiprocessor fetches four neighbours in the time of one. The compiler does not see
by itself that they are neighbours, at a multiple of their size, nor that an index is
never negative and so not counted from the end: these functions say so. As Python, and
in the simulator, they are just what they read.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, overload

BYTES = 16  # of the longest access


def one(x, i):
    """Return x[i] of a flat array."""
    return x[i]


def two(x, i):
    """Return x[i], x[i + 1] of a flat array, where i is even."""
    return x[i], x[i + 1]


def four(x, i):
    """Return x[i], ..., x[i + 3] of a flat array, where i is a multiple of four."""
    return x[i], x[i + 1], x[i + 2], x[i + 3]


def put_one(x, i, number):
    """Set x[i] of a flat array."""
    x[i] = number


def put_four(x, i, numbers):
    """Set x[i], ..., x[i + 3] of a flat array, where i is a multiple of four."""
    x[i], x[i + 1], x[i + 2], x[i + 3] = numbers


def are_fours(array, length):
    """Return whether an array, in lines of that length, can be read by fours."""
    start = getattr(array, "start", 0)
    return length % 4 == 0 and start * array.dtype.itemsize % BYTES == 0


# ---- as the compiler understands them ---------------------------------------------


def _place(context, builder, x, array, index, count):
    """Return where array[index] lies, for one access to `count` numbers."""
    vector = ir.VectorType(context.get_data_type(x.dtype), count)
    data = cgutils.create_struct_proxy(x)(context, builder, array).data
    place = builder.gep(data, [index])
    return builder.bitcast(place, ir.PointerType(vector, place.type.addrspace))


def _bytes(x, count):
    return min(BYTES, count * x.dtype.bitwidth // 8)


def _lane(k):
    return ir.Constant(ir.IntType(32), k)


def _load(count):
    """Return the intrinsic that loads so many numbers."""

    @intrinsic
    def load(typing, x, i):
        def generate(context, builder, signature, arguments):
            place = _place(context, builder, x, *arguments, count)
            vector = builder.load(place, align=_bytes(x, count))
            numbers = [builder.extract_element(vector, _lane(k)) for k in range(count)]
            return context.make_tuple(builder, signature.return_type, numbers)

        return types.UniTuple(x.dtype, count)(x, i), generate

    return load


def _store(count):
    """Return the intrinsic that stores so many numbers."""

    @intrinsic
    def store(typing, x, i, numbers):
        def generate(context, builder, signature, arguments):
            array, index, numbers = arguments
            place = _place(context, builder, x, array, index, count)
            vector = ir.Constant(place.type.pointee, ir.Undefined)
            for k in range(count):
                number = builder.extract_value(numbers, k)
                vector = builder.insert_element(vector, number, _lane(k))
            builder.store(vector, place, align=_bytes(x, count))
            return context.get_dummy_value()

        return types.void(x, i, numbers), generate

    return store


_load_one, _load_two, _load_four = map(_load, (1, 2, 4))
_store_one, _store_four = map(_store, (1, 4))


@overload(one)
def _one(x, i):
    return lambda x, i: _load_one(x, i)[0]


@overload(two)
def _two(x, i):
    return lambda x, i: _load_two(x, i)


@overload(four)
def _four(x, i):
    return lambda x, i: _load_four(x, i)


@overload(put_one)
def _put_one(x, i, number):
    return lambda x, i, number: _store_one(x, i, (number,))


@overload(put_four)
def _put_four(x, i, numbers):
    return lambda x, i, numbers: _store_four(x, i, numbers)
