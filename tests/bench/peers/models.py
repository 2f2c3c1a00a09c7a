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
    `samples_in_memory` the samples of the memory measurement (None leaves it out),
    `gflop` the floating-point operations of a step, in 1e9, where a share of the peak
    is promised for it.
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
    gflop: Optional[float] = None


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


def words(length: int, vocabulary: int) -> Callable:
    """Samples of codes of words, and one of two classes for each."""

    def data(rng: np.random.Generator, samples: int) -> Tuple[np.ndarray, np.ndarray]:
        x = rng.integers(1, vocabulary, (samples, length), dtype=np.int32)
        return x, rng.integers(0, 2, (samples, 1)).astype(np.float32)

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


def channels_first(torch):
    """Return the module that shows PyTorch a channels-last array as it wants it."""

    class ChannelsFirst(torch.nn.Module):
        def forward(self, x):
            return x.movedim(-1, 1)

    return ChannelsFirst()


def cnn_layers(L):
    return [
        L.Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1)),
        L.Conv2D(64, (3, 3), activation="relu"),
        L.MaxPooling2D((2, 2)),
        L.Dropout(0.25),
        L.Flatten(),
        L.Dense(128, activation="relu"),
        L.Dropout(0.5),
        L.Dense(10, activation="softmax"),
    ]


def cnn_torch(torch):
    nn = torch.nn
    net = nn.Sequential(
        channels_first(torch),
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(9216, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )
    optimizer = torch.optim.Adadelta(net.parameters(), rho=0.95, foreach=True)
    return net, nn.CrossEntropyLoss(), optimizer


def separable_layers(L):
    same = {"padding": "same", "activation": "relu"}
    return [
        L.Conv2D(32, (3, 3), input_shape=(32, 32, 3), **same),
        L.SeparableConv2D(64, (3, 3), **same),
        L.SeparableConv2D(128, (3, 3), strides=(2, 2), **same),
        L.SeparableConv2D(128, (3, 3), **same),
        L.GlobalAveragePooling2D(),
        L.Dense(10, activation="softmax"),
    ]


def separable_torch(torch):
    nn = torch.nn

    def separable(inputs, outputs, stride=1):
        depthwise = {"stride": stride, "padding": 1, "groups": inputs, "bias": False}
        yield nn.Conv2d(inputs, inputs, 3, **depthwise)
        yield nn.Conv2d(inputs, outputs, 1)
        yield nn.ReLU()

    net = nn.Sequential(
        channels_first(torch),
        nn.Conv2d(3, 32, 3, padding=1),
        nn.ReLU(),
        *separable(32, 64),
        *separable(64, 128, 2),
        *separable(128, 128),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(128, 10),
    ).to(memory_format=torch.channels_last)
    return net, nn.CrossEntropyLoss(), torch.optim.Adam(net.parameters(), foreach=True)


def strided_layers(L):
    same = {"padding": "same", "activation": "relu"}
    return [
        L.Conv2D(32, (3, 3), input_shape=(32, 32, 3), **same),
        L.Conv2D(64, (3, 3), strides=(2, 2), **same),
        L.Conv2D(128, (3, 3), strides=(2, 2), **same),
        L.GlobalAveragePooling2D(),
        L.Dense(10, activation="softmax"),
    ]


def strided_torch(torch):
    nn = torch.nn
    net = nn.Sequential(
        channels_first(torch),
        nn.Conv2d(3, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(64, 128, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(128, 10),
    ).to(memory_format=torch.channels_last)
    return net, nn.CrossEntropyLoss(), torch.optim.Adam(net.parameters(), foreach=True)


def text_layers(L):
    return [
        L.Embedding(20_000, 128, input_shape=(400,)),
        L.Conv1D(250, 3, activation="relu"),
        L.GlobalMaxPooling1D(),
        L.Dense(1, activation="sigmoid"),
    ]


def text_torch(torch):
    nn = torch.nn
    net = nn.Sequential(
        nn.Embedding(20_000, 128),
        channels_first(torch),
        nn.Conv1d(128, 250, 3),
        nn.ReLU(),
        nn.AdaptiveMaxPool1d(1),
        nn.Flatten(),
        nn.Linear(250, 1),
    )
    optimizer = torch.optim.Adam(net.parameters(), foreach=True)
    return net, nn.BCEWithLogitsLoss(), optimizer


def sums(rng: np.random.Generator, samples: int) -> Tuple[np.ndarray, np.ndarray]:
    """Seven one-hot symbols of twelve, and four."""
    symbols = np.eye(12, dtype=np.float32)
    x, y = (symbols[rng.integers(0, 12, (samples, steps))] for steps in (7, 4))
    return x, y


def recurrent_layers(kind: str, **words: Any) -> Callable:
    """Codes of words, one recurrent layer, yes or no."""

    def layers(L):
        return [
            L.Embedding(20_000, 128, input_shape=(80,)),
            getattr(L, kind)(128, recurrent_activation="sigmoid", **words),
            L.Dense(1, activation="sigmoid"),
        ]

    return layers


def last_step(torch):
    """Return the module that takes the last of the steps a recurrent module returns."""

    class LastStep(torch.nn.Module):
        def forward(self, result):
            return result[0][:, -1]

    return LastStep()


def recurrent_torch(kind: str) -> Callable:
    """The same for PyTorch."""

    def make(torch):
        nn = torch.nn
        net = nn.Sequential(
            nn.Embedding(20_000, 128),
            getattr(nn, kind)(128, 128, batch_first=True),
            last_step(torch),
            nn.Linear(128, 1),
        )
        optimizer = torch.optim.Adam(net.parameters(), foreach=True)
        return net, nn.BCEWithLogitsLoss(), optimizer

    return make


def addition_layers(L):
    return [
        L.LSTM(128, recurrent_activation="sigmoid", input_shape=(7, 12)),
        L.RepeatVector(4),
        L.LSTM(128, recurrent_activation="sigmoid", return_sequences=True),
        L.TimeDistributed(L.Dense(12, activation="softmax")),
    ]


def addition_torch(torch):
    nn = torch.nn

    class Addition(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.LSTM(12, 128, batch_first=True)
            self.decoder = nn.LSTM(128, 128, batch_first=True)
            self.top = nn.Linear(128, 12)

        def forward(self, x):
            seen = self.encoder(x)[0][:, -1:]
            return self.top(self.decoder(seen.expand(-1, 4, -1))[0]).movedim(-1, 1)

    net = Addition()
    optimizer = torch.optim.Adam(net.parameters(), foreach=True)
    return net, nn.CrossEntropyLoss(), optimizer


def same(y: np.ndarray) -> np.ndarray:
    return y


def labels(y: np.ndarray) -> np.ndarray:
    return y.argmax(axis=-1)


CLASSES = {"loss": "categorical_crossentropy", "metrics": ["accuracy"]}

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
        compile={**CLASSES, "optimizer": "rmsprop"},
        torch=mlp_torch,
        targets=labels,
        faster=1.4,
        samples_in_memory=60_000,
    ),
    "cnn": Model(
        title="28x28x1, conv 32 3x3, conv 64 3x3, max 2, dropout .25, dense 128, "
        "dropout .5, dense 10, adadelta, accuracy",
        batch=128,
        batches=10,
        epochs=1,
        data=labelled((28, 28, 1), 10),
        layers=cnn_layers,
        compile={**CLASSES, "optimizer": "adadelta"},
        torch=cnn_torch,
        targets=labels,
        faster=1.2,
        gflop=9.2,
    ),
    "separable": Model(
        title="32x32x3, conv 32 3x3, separable 64, 128 by strides of 2, 128, mean, "
        "dense 10, adam, accuracy",
        batch=64,
        batches=10,
        epochs=1,
        data=labelled((32, 32, 3), 10),
        layers=separable_layers,
        compile={**CLASSES, "optimizer": "adam"},
        torch=separable_torch,
        targets=labels,
        faster=1.0,
    ),
    "strided": Model(
        title="32x32x3, conv 32 3x3 same, 64 and 128 by strides of 2, mean, dense 10, "
        "adam, accuracy",
        batch=64,
        batches=10,
        epochs=1,
        data=labelled((32, 32, 3), 10),
        layers=strided_layers,
        compile={**CLASSES, "optimizer": "adam"},
        torch=strided_torch,
        targets=labels,
        faster=1.0,
    ),
    "text": Model(
        title="400 words of 20,000, embedding 128, conv 250 3, max, dense 1, adam",
        batch=32,
        batches=20,
        epochs=1,
        data=words(400, 20_000),
        layers=text_layers,
        compile={"loss": "binary_crossentropy", "optimizer": "adam"},
        torch=text_torch,
        targets=same,
        faster=1.0,
    ),
    "lstm": Model(
        title="80 words of 20,000, embedding 128, lstm 128, dense 1, adam",
        batch=32,
        batches=20,
        epochs=1,
        data=words(80, 20_000),
        layers=recurrent_layers("LSTM"),
        compile={"loss": "binary_crossentropy", "optimizer": "adam"},
        torch=recurrent_torch("LSTM"),
        targets=same,
        faster=1.4,
    ),
    "gru": Model(
        title="80 words of 20,000, embedding 128, gru 128, dense 1, adam",
        batch=32,
        batches=20,
        epochs=1,
        data=words(80, 20_000),
        layers=recurrent_layers("GRU", reset_after=True),
        compile={"loss": "binary_crossentropy", "optimizer": "adam"},
        torch=recurrent_torch("GRU"),
        targets=same,
        faster=2.0,
    ),
    "addition": Model(
        title="7 of 12 symbols, lstm 128, repeat 4, lstm 128, dense 12 a step, adam",
        batch=128,
        batches=40,
        epochs=1,
        data=sums,
        layers=addition_layers,
        compile={**CLASSES, "optimizer": "adam"},
        torch=addition_torch,
        targets=labels,
        faster=1.5,
    ),
}
