"""The summary on request: operations and bytes, layer by layer and in all."""

import numpy as np
import pytest

from kerasnb import Merge, Sequential, keras1
from kerasnb.layers import (
    LSTM,
    BatchNormalization,
    Bidirectional,
    Dense,
    Dropout,
    Flatten,
    TimeDistributed,
)
from kerasnb.optimizers import SGD
from kerasnb.summary import Costs, output_bytes, show_bytes


def small():
    """784 -> 10 -> 2."""
    first = Dense(10, activation="relu", input_shape=(784,))
    return Sequential([first, Dropout(0.5), Dense(2)])


def printed(model, **options):
    """The lines of the summary."""
    lines = []
    model.summary(print_fn=lines.append, **options)
    return lines


def test_operations_stand_beside_the_parameters():
    """Forward, of one sample or of a batch, and those of a training step in all."""
    lines = printed(small(), flops=True)
    forward = [2 * 7840 + 10, 10, 2 * 20]
    step = sum(forward) + 2 * 7840 + 10 + 10 + 4 * 20
    assert len(lines[0]) == 65 + 16
    assert lines[1].split()[-1] == "FLOPs"
    assert [line.split()[-1] for line in lines[3:8:2]] == [f"{n:,}" for n in forward]
    total = f"FLOPs of one sample: {sum(forward):,} forward, {step:,} with backward"
    assert lines[-2] == total
    lines = printed(small(), flops=True, batch_size=32)
    assert lines[3].split()[-1] == f"{32 * forward[0]:,}"
    assert lines[-2].startswith(f"FLOPs of a batch of 32: {32 * sum(forward):,}")


def test_memory_is_told_by_what_it_is_for():
    """Parameters, gradients, optimizer, activations, and their gradients."""
    model = small()
    model.compile("adam", "mse")
    lines = printed(model, memory=True, batch_size=8)
    assert [line.split()[-1] for line in lines[3:8:2]] == ["320", "320", "64"]
    parameters, activations = 4 * (7850 + 22), 320 + 320 + 64
    assert lines[-7:-1] == [
        "Memory of a batch of 8 in training: "
        + show_bytes(4 * parameters + 2 * activations),
        f"    parameters: {show_bytes(parameters)}",
        f"    gradients of parameters: {show_bytes(parameters)}",
        f"    optimizer: {show_bytes(2 * parameters)}",
        f"    activations: {activations} B",
        f"    gradients of activations: {activations} B",
    ]


def test_both_columns_and_own_positions():
    """Five columns; where they end may be said."""
    lines = printed(small(), flops=True, memory=True)
    assert len(lines[0]) == 65 + 32
    assert lines[1].split()[-3:] == ["FLOPs", "Output", "Bytes"]
    ends = [0.3, 0.5, 0.6, 0.8, 1.0]
    lines = printed(small(), flops=True, memory=True, line_length=100, positions=ends)
    assert lines[3][60:80].strip() == "15,690"
    with pytest.raises(ValueError, match="expected 5 positions, one a column, got 3"):
        printed(small(), flops=True, memory=True, positions=[0.5, 0.8, 1.0])


@pytest.mark.parametrize(
    "optimizer, slots",
    [(SGD(), 0), (SGD(momentum=0.9), 1), ("adam", 2), ("adadelta", 2), ("rmsprop", 1)],
)
def test_the_optimizer_holds_what_its_slots_do(optimizer, slots):
    """As many copies of the parameters as it has slots; frozen ones have none."""
    model = Sequential([Dense(3, input_shape=(5,), trainable=False), Dense(2)])
    model.compile(optimizer, "mse")
    memory = Costs(model, 1).memory()
    assert memory["parameters"] == 4 * (18 + 8)
    assert memory["gradients of parameters"] == 4 * 8
    assert memory["optimizer"] == slots * 4 * 8
    held = [getattr(model.optimizer, name) for name in model.optimizer.slots]
    padded = sum(slot.nbytes for slot in held if slot is not None)
    assert memory["optimizer"] <= padded < memory["optimizer"] + 64 * 4


def test_float64_takes_twice_as_much(float64):
    """Bytes, not numbers, are counted."""
    assert Costs(small(), 8).memory()["activations"] == 2 * 704


def test_a_look_at_the_costs_leaves_the_model_as_it_was():
    """Whether anybody reads dx is as before; weights are the same."""
    model = small()
    before = model.get_weights()
    printed(model, flops=True, memory=True)
    assert model.needs_dx and model.layers[0].needs_dx
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_layers_that_hand_on_take_no_memory():
    """A flattened image is the image; what is inside a layer counts once."""
    image = Sequential([BatchNormalization(input_shape=(4, 3)), Flatten(), Dense(2)])
    assert Costs(image, 1).bytes == [48, 0, 8]
    inner = Sequential([Dense(3, input_shape=(2,)), Dense(4)])
    assert Costs(Sequential([inner, Dense(1)]), 1).bytes == [4 * 7, 4]
    steps = TimeDistributed(Dense(3))
    steps.connect((None, 5, 2))
    assert output_bytes(steps, (2, 5, 2)) == 2 * 5 * 3 * 4
    both = Bidirectional(LSTM(3))
    both.connect((None, 5, 2))
    assert output_bytes(both, (1, 5, 2)) == 4 * (3 + 3 + 6)
    branches = [Dense(3, input_shape=(2,)), Dense(3, input_shape=(2,))]
    joined = Sequential([Merge(branches, mode="sum")])
    assert Costs(joined, 1).bytes == [4 * 9]


def test_keras_1_tells_the_costs_too():
    """Behind the total of its own table."""
    model = keras1.Sequential([keras1.Dense(3, input_dim=2)])
    lines = printed(model, flops=True, memory=True, batch_size=4)
    assert lines[-8].startswith("FLOPs of a batch of 4: 48 forward, 96 with")
    assert lines[-9].startswith("Total params: 9")
    assert printed(model)[-2] == lines[-9]


def test_bytes_are_written_in_units():
    """Of 1024."""
    sizes = [0, 1023, 1536, 3 * 2**20, 5000 * 2**30]
    expected = ["0 B", "1023 B", "1.50 KiB", "3.00 MiB", "5000.00 GiB"]
    assert [show_bytes(size) for size in sizes] == expected


def test_a_batch_has_at_least_one_sample():
    """Anything else is refused."""
    with pytest.raises((ValueError, TypeError), match="summary: batch_size"):
        printed(small(), flops=True, batch_size=0)
