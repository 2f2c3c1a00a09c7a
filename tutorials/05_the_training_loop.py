# %% [markdown]
# # 05 Write the training loop, then meet Sequential.fit
#
# Goal: train a network with twenty lines of your own, and see that `fit` is no magic.

# %%
import numpy as np

import kerasnb
from kerasnb import Sequential, datasets, optimizers, utils
from kerasnb.layers import Dense
from kerasnb.lessons import axes, check, figure, quick, show

EPOCHS = quick(16, 8)

(x, classes), (x_test, classes_test) = datasets.digits.load_data()
x, x_test = (a.reshape(-1, 64).astype("float32") / 16 for a in (x, x_test))
t = utils.to_categorical(classes, 10)  # 3 becomes 0 0 0 1 0 0 0 0 0 0

# %% [markdown]
# ## The step
# A batch is a few samples: here 32 digits. Their mean gradient is a good guess of the
# gradient of all 1,497, for a fiftieth of the work. So, for each batch:
#
#     y = layers(x)             forward, from the first layer to the last
#     L = mean of (y - t)^2     how wrong
#     dy = 2 (y - t) / size     the slope of L, then backward from the last layer
#     W = W - rate dW           a step downhill, for every weight
#
# One walk through all batches is an epoch.


# %%
def train(model, x, t, shuffle, rate=0.5, epochs=EPOCHS):
    """Return the mean loss of each epoch, and the accuracy after it."""
    random = np.random.default_rng(0)
    losses, tested = [], []
    for _ in range(epochs):
        rows = random.permutation(len(x)) if shuffle else np.arange(len(x))
        total = 0.0
        for start in range(0, len(x), 32):
            batch = rows[start : start + 32]
            y = x[batch]
            for layer in model.layers:
                y = layer.forward(y, training=True)
            error = y - t[batch]
            total += np.mean(error**2) * len(batch)
            dy = 2 * error / error.size
            for layer in reversed(model.layers):
                dy = layer.backward(dy)
            for weight in model.trainable_weights:
                weight.value -= rate * weight.grad
        losses.append(total / len(x))
        tested.append(accuracy(model))
    return losses, tested


def new_model():
    """Return a network whose first weights are the same at every call."""
    kerasnb.set_seed(0)
    model = Sequential([Dense(32, "relu", input_shape=(64,)), Dense(10)])
    for weight in model.weights:
        weight.grad = np.zeros_like(weight.value)  # room for dW and db
    return model


def accuracy(model):
    """Return which part of the test digits gets the largest output at its class."""
    return np.mean(model.predict(x_test).argmax(axis=1) == classes_test)


# %% [markdown]
# ## The order
# Question: somebody has sorted the digits, first all zeros and at last all nines, and
# does not shuffle. The network still sees every digit once an epoch. Does it matter?

# %%
by_class = np.argsort(classes, kind="stable")
shuffled = train(new_model(), x, t, shuffle=True)
in_order = train(new_model(), x[by_class], t[by_class], shuffle=False)
drawn, panels = axes(2)
for panel, curves in zip(panels, zip(shuffled, in_order)):
    panel.plot(range(1, EPOCHS + 1), curves[0], label="shuffled")
    panel.plot(range(1, EPOCHS + 1), curves[1], "--", label="sorted")
    panel.set(xlabel="epoch", ylim=(0, None))
panels[0].set_title("loss while training")
panels[1].set_title("test digits read rightly")
panels[1].legend()
figure(drawn, "05_order")
print(f"test digits: shuffled {shuffled[1][-1]:.1%}, sorted {in_order[1][-1]:.1%}")
assert shuffled[1][-1] > 0.9 > in_order[1][-1] + 0.2

# %% [markdown]
# While the network sees only fours, "always four" is right. It learns that, forgets the
# others, and its loss does not tell: it is measured on digits like those before. So
# `fit` shuffles, and so one judges by digits that were kept apart.
#
# ## The library's way
# Here are the heart of `fit`, one epoch and one step. Find in them: the loop over
# batches, forward, the loss, backward, and the step downhill.

# %%
show(Sequential._run_epoch)
show(Sequential._train_step)
show(Sequential._learn)

# %% [markdown]
# Without shuffling both loops see the same batches. Are the losses the same?

# %%
model = new_model()
model.compile(optimizers.SGD(lr=0.5), "mse")
history = model.fit(x, t, epochs=EPOCHS, shuffle=False, verbose=0)
own = new_model()
losses, _ = train(own, x, t, shuffle=False)
assert np.allclose(losses, history.history["loss"], rtol=1e-3)
assert np.allclose(own.predict(x_test), model.predict(x_test), atol=1e-2)

# %% [markdown]
# ## Exercises


# %%
def batches(n, size):
    """1. Return [(start, stop), ...] that cut n rows; the last may be short."""
    ...


check(1, batches, [(0, 4), (4, 8), (8, 10)], lambda r: (10, 4))


# %%
def part_right(p, classes):
    """2. Return which part of the outputs p (N, C) is largest at its class."""
    ...


p, c = np.random.default_rng(0).normal(size=(9, 3)), np.arange(9) % 3
judged = kerasnb.metrics.sparse_categorical_accuracy(c, p)
check(2, part_right, np.mean(judged), lambda r: (p, c))


# %%
def epoch_loss(losses, sizes):
    """3. From the mean losses of batches, and their sizes: the loss of a sample."""
    ...


check(3, epoch_loss, 2.4, lambda r: ([1.0, 2.0, 6.0], [4, 4, 2]))
