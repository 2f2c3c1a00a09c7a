# %% [markdown]
# # 21 To Keras and back: exchange weights
#
# Goal: carry a trained network to another library, and know what can go wrong silently.

# %%
import importlib.util
import json
import pathlib
import tempfile

import numpy as np

import kerasnb
from kerasnb.gate_order import from_keras1, to_keras1
from kerasnb.keras1_weights import convert_kernel
from kerasnb.layers import LSTM, Dense
from kerasnb.lessons import axes, check, figure, quick, show
from kerasnb.optimizers import Adam

# %% [markdown]
# ## What a network consists of
# Words, which layers of what size, and arrays. This one foretells the next value of a
# wave from twenty. (Its gates are `sigmoid`. Our default, that of Keras 2, would be
# `hard_sigmoid`; Keras 3 means another curve by this name, so `save` would refuse.)

# %%
random = np.random.default_rng(0)
start, pace = random.uniform(0, 6, (1000, 1)), random.uniform(0.3, 0.6, (1000, 1))
waves = np.sin(start + pace * np.arange(60))[:, :, None]
x, y = waves[:, :20], waves[:, 20]
kerasnb.set_seed(0)
model = kerasnb.Sequential([LSTM(16, recurrent_activation="sigmoid"), Dense(1)])
model.compile(Adam(lr=0.01), "mse")
model.fit(x, y, epochs=quick(30, 10), verbose=0)
p = model.predict(x)
twin = kerasnb.models.model_from_json(model.to_json())  # words; its arrays are new
twin.set_weights(model.get_weights())
assert np.array_equal(twin.predict(x), p)

# %% [markdown]
# ## A file, read by hand
# Our own files begin with eight bytes, the length of the header. The header says in
# JSON where each array begins and ends; then come the arrays. No program is in it.


# %%
def read(path):
    """Return {name: array} from a file that `save` wrote."""
    data, arrays = pathlib.Path(path).read_bytes(), {}
    body = 8 + int.from_bytes(data[:8], "little")
    for name, entry in json.loads(data[8:body]).items():
        if name != "__metadata__":
            first, last = entry["data_offsets"]
            array = np.frombuffer(data[body + first : body + last], "<f4")
            arrays[name] = array.reshape(entry["shape"])
    return arrays


temporary = tempfile.TemporaryDirectory()
folder = pathlib.Path(temporary.name)
model.save(folder / "wave.knb")
for (name, array), weight in zip(read(folder / "wave.knb").items(), model.weights):
    print(f"{name:24} {array.shape}")
    assert np.array_equal(array, weight.value)

# %% [markdown]
# ## Keras of today
# A file that ends in .keras or .h5 is one of Keras, and needs the extra hdf5:
# pip install 'kerasnb[hdf5]'. If Keras is installed too, it must foretell the same.

# %%
if not importlib.util.find_spec("h5py"):
    print("h5py is not installed: no files of Keras.")
else:
    model.save(folder / "wave.keras")
    assert np.array_equal(kerasnb.load_model(folder / "wave.keras").predict(x), p)
    if not importlib.util.find_spec("keras"):
        print("Keras is not installed: nobody to compare with.")
    else:
        from keras.models import load_model

        theirs = load_model(folder / "wave.keras").predict(x, verbose=0)
        print(f"Keras foretells the same but for {np.abs(theirs - p).max():.0e}.")
        assert np.allclose(theirs, p, atol=1e-4)
temporary.cleanup()

# %% [markdown]
# ## Keras 1: other gates
# We keep the gates of an LSTM side by side, as Keras 2 did: i (input), f (forget), c
# (news), o (output). Keras 1 kept three arrays a gate, and the gates in another order:
#
#     W = [Wi | Wf | Wc | Wo]     from  Wi, Ui, bi, Wc, Uc, bc, Wf, Uf, bf, Wo, Uo, bo
#
# Question: if somebody joins them in the order in which they come, all shapes are
# right. Will there be an error, a bad forecast, or a forecast as good as before?

# %%
show(from_keras1)
old = to_keras1(model.layers[0].get_weights())  # twelve arrays, as in a file of Keras 1
in_order = [np.hstack([old[3 * gate + k] for gate in (0, 2, 1, 3)]) for k in range(3)]
as_they_came = [np.hstack(old[k::3]) for k in range(3)]
assert all(map(np.array_equal, in_order, from_keras1(old)))
drawn, ax = axes(size=(8, 4.8))
ax.plot(waves[0, :, 0], "-", color="0.8", lw=6, label="the wave")
for name, arrays in (("i, f, c, o", in_order), ("as they came", as_they_came)):
    twin.layers[0].set_weights(arrays)
    wave = x[:1]
    while wave.shape[1] < 60:  # each value from the twenty before it
        wave = np.concatenate([wave, twin.predict(wave[:, -20:])[:, None]], axis=1)
    ax.plot(wave[0, :, 0], label=name)
    print(f"{name:12} error {np.mean((twin.predict(x) - y) ** 2):.5f}")
ax.set(xlabel="step", title="20 values given, 40 foretold", ylim=(-1.2, 1.5))
ax.legend(ncols=3, loc="upper center")
figure(drawn, "21_gates")
assert np.mean((twin.predict(x) - y) ** 2) > 10 * np.mean((p - y) ** 2)

# %% [markdown]
# No error: only a comparison of predictions finds such mistakes.
#
# ## Exercises


# %%
def join_gru(arrays):
    """1. Keras 1: W, U, b of z, of r, of h. Ours: the same order. Return [W, U, b]."""
    ...


nine = [random.normal(size=size) for size in [(2, 3), (3, 3), (3,)] * 3]
check(1, join_gru, from_keras1(nine), lambda r: (nine,))


# %%
def turn_round(W):
    """2. Theano turned windows (rows, columns, K, F) by 180 degrees: turn one back."""
    ...


W = random.normal(size=(3, 3, 2, 4)).astype("float32")
check(2, turn_round, convert_kernel(W), lambda r: (W,))


# %%
def from_torch(W):
    """3. PyTorch keeps (F, K, rows, columns), we (rows, columns, K, F). Return ours."""
    ...


check(3, from_torch, W, lambda r: (np.einsum("rckf->fkrc", W),))
