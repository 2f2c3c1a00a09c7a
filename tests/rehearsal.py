"""A training without a model: what `fit` announces, on numbers that are given."""

import copy

from kerasnb.callbacks import Callback, CallbackList


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def tick(self):
        self.now += 1


class Model:
    """Something that can be told to stop, and that cannot be pickled."""

    def __init__(self):
        self.stop_training = False
        self.secret = lambda: None


class Recorder(Callback):
    """Writes down every hook with a copy of its logs."""

    def __init__(self, calls, name=None):
        self.calls = calls
        self.name = name

    def note(self, hook, *arguments):
        who = () if self.name is None else (self.name,)
        self.calls.append((*who, hook, *copy.deepcopy(arguments)))

    def on_train_begin(self, logs=None):
        self.note("on_train_begin", logs)

    def on_train_end(self, logs=None):
        self.note("on_train_end", logs)

    def on_epoch_begin(self, epoch, logs=None):
        self.note("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch, logs=None):
        self.note("on_epoch_end", epoch, logs)

    def on_batch_begin(self, batch, logs=None):
        self.note("on_batch_begin", batch, logs)

    def on_batch_end(self, batch, logs=None):
        self.note("on_batch_end", batch, logs)


class StopAt(Callback):
    def __init__(self, batch):
        self.last = batch

    def on_batch_end(self, batch, logs=None):
        self.model.stop_training = batch == self.last


def train(callbacks, batches, epochs=1, validation=None, pace=None, **params):
    """Announce what `fit` announces; `batches` holds (size, loss, acc)."""
    names = ["loss", "acc"]
    model = Model()
    params = {
        "epochs": epochs,
        "samples": sum(size for size, *_ in batches),
        "steps": len(batches),
        "verbose": 1,
        "metrics": names + ["val_" + name for name in names if validation],
        **params,
    }
    told = CallbackList(callbacks, model, params)
    told.on_train_begin()
    for epoch in range(epochs):
        told.on_epoch_begin(epoch)
        for batch, (size, *values) in enumerate(batches):
            logs = {"batch": batch, "size": size}
            told.on_batch_begin(batch, logs)
            if pace is not None:
                pace()
            logs.update(zip(names, values))
            told.on_batch_end(batch, logs)
            if model.stop_training:
                break
        logs = {}
        if validation and not model.stop_training:
            logs.update(zip(["val_loss", "val_acc"], validation))
        told.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    told.on_train_end()
    return model


TRACE = [(2, 2.0, 0.5), (2, 2.0, 0.5), (1, 1.0, 0.5)]
