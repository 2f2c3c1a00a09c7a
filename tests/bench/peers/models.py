"""
The networks that the benchmark times, each in Keras's words and in PyTorch's.

A `Model` is a row of a table: how to make its data, its layers, its loss and its
optimizer. The Keras form serves kerasnb and every backend of Keras 3 alike. To time
another network, write its `..._layers` and `..._torch` functions and add a row to
`MODELS`; nothing else changes.
"""

from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np


@dataclass(frozen=True)
class Model:
    """
    One network to time.

    `data(rng, samples)` gives x and y as Keras wants them, `layers(L)` the layers from
    the module `L`, `torch(torch)` the network, the loss and the optimizer of the
    hand-written loop, and `targets(y)` what that loss wants for y. One timed `fit` runs
    `epochs` epochs of `batches` batches. `faster` is the wanted ratio to the best peer,
    `samples_in_memory` the samples of the memory measurement (None leaves it out).
    """

    title: str
    batch: int
    batches: int
    epochs: int
    data: Callable
    layers: Callable
    compile: Dict[str, Any]
    torch: Callable
    targets: Callable
    faster: float
    samples_in_memory: Optional[int] = None


def vectors(inputs: int) -> Callable:
    """Samples of `inputs` numbers, and one number to predict from each."""

    def data(rng: np.random.Generator, samples: int) -> Tuple[np.ndarray, np.ndarray]:
        x = rng.random((samples, inputs), dtype=np.float32)
        return x, x[:, :1] * x[:, 1:2]

    return data


def labelled(shape: Tuple[int, ...], classes: int) -> Callable:
    """Samples of the given shape, and a one-hot class for each."""

    def data(rng: np.random.Generator, samples: int) -> Tuple[np.ndarray, np.ndarray]:
        x = rng.random((samples, *shape), dtype=np.float32)
        labels = rng.integers(0, classes, samples)
        return x, np.eye(classes, dtype=np.float32)[labels]

    return data


def tiny_layers(L):
    return [
        L.Dense(16, activation="relu", input_shape=(8,)),
        L.Dense(16, activation="relu"),
        L.Dense(1),
    ]


def tiny_torch(torch):
    nn = torch.nn
    net = nn.Sequential(
        nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1)
    )
    return net, nn.MSELoss(), torch.optim.SGD(net.parameters(), lr=0.01)


def mlp_layers(L):
    return [
        L.Dense(512, activation="relu", input_shape=(784,)),
        L.Dropout(0.2),
        L.Dense(512, activation="relu"),
        L.Dropout(0.2),
        L.Dense(10, activation="softmax"),
    ]


def mlp_torch(torch):
    nn = torch.nn
    net = nn.Sequential(
        nn.Linear(784, 512),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(512, 512),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(512, 10),
    )
    optimizer = torch.optim.RMSprop(net.parameters(), lr=0.001, alpha=0.9, foreach=True)
    return net, nn.CrossEntropyLoss(), optimizer


def same(y: np.ndarray) -> np.ndarray:
    return y


def labels(y: np.ndarray) -> np.ndarray:
    return y.argmax(axis=1)


MODELS = {
    "tiny": Model(
        title="8-16-16-1, relu, sgd, mse",
        batch=32,
        batches=200,
        epochs=5,
        data=vectors(8),
        layers=tiny_layers,
        compile={"loss": "mse", "optimizer": "sgd"},
        torch=tiny_torch,
        targets=same,
        faster=10.0,
    ),
    "mlp": Model(
        title="784-512-512-10, relu, dropout 0.2, softmax, rmsprop, accuracy",
        batch=128,
        batches=60,
        epochs=2,
        data=labelled((784,), 10),
        layers=mlp_layers,
        compile={
            "loss": "categorical_crossentropy",
            "optimizer": "rmsprop",
            "metrics": ["accuracy"],
        },
        torch=mlp_torch,
        targets=labels,
        faster=1.4,
        samples_in_memory=60_000,
    ),
}
