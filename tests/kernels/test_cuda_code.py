"""A sample of `make ptx`: what the CUDA compiler makes of a few kernels."""

import sys
from pathlib import Path

import numba
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cuda"))


@pytest.fixture(scope="module")
def inspection():
    """Return the tool, where it can compile."""
    if numba.config.DISABLE_JIT:
        pytest.skip("the compiler is off")
    inspection = pytest.importorskip("inspection")
    reason = inspection.why_not()
    if reason:
        pytest.skip(reason)
    return inspection


def test_elementwise_kernels_compile_without_faults(inspection):
    """One thread a number: no float64 arithmetic, no spilled registers."""
    ((entry, kinds),) = inspection.signatures("relu_forward")
    code = inspection.code_of(entry, kinds, (7, 5))
    assert not list(inspection.faults(inspection.name_of(entry), [code]))


def test_the_tile_of_registers_stays_in_registers(inspection):
    """64 sums a thread, four steps of the depth in a row, and 128 registers at most."""
    found = {
        inspection.name_of(entry): (entry, kinds)
        for entry, kinds in inspection.signatures("dense_relu_forward")
    }
    code = inspection.code_of(*found["product 128x128"], (9, 0))
    assert code.multiply_adds == 4 * 64 and code.doubles == 0
    assert code.spilled <= 0 and code.registers <= 128 and code.shared <= 48 << 10
    ptx = inspection.ptx_of(*found["product 128x128"], (9, 0))
    assert ".local" not in ptx and "ld.shared.v4.f32" in ptx


def test_float64_arithmetic_is_found(inspection):
    """A kernel whose definition sums in float64 is seen to do so."""
    entry, kinds = next(
        (entry, kinds)
        for entry, kinds in inspection.signatures("squares_by_block")
        if inspection.name_of(entry) == "_squares_by_block"
    )
    code = inspection.code_of(entry, kinds, (7, 5))
    assert code.doubles > 0
    assert list(inspection.faults("any other", [code])) == ["computes in float64"]
