"""A callback of one's own draws the loss while the network learns."""

import matplotlib

matplotlib.use("Agg")

import keras
import matplotlib.pyplot as plt
import numpy as np


class PlotLosses(keras.callbacks.Callback):
    def on_train_begin(self, logs={}):
        self.i = 0
        self.x = []
        self.losses = []
        self.val_losses = []
        self.batches = 0

    def on_batch_end(self, batch, logs={}):
        self.batches += 1

    def on_epoch_end(self, epoch, logs={}):
        self.x.append(self.i)
        self.losses.append(logs.get("loss"))
        self.val_losses.append(logs.get("val_loss"))
        self.i += 1
        plt.figure()
        plt.plot(self.x, self.losses, label="loss")
        plt.plot(self.x, self.val_losses, label="val_loss")
        plt.legend()
        plt.savefig("losses.png")
        plt.close()


x = np.random.rand(100, 3)
y = x.dot([1.0, -2.0, 0.5])
model = keras.models.Sequential()
model.add(keras.layers.Dense(1, input_shape=(3,)))
model.compile(
    optimizer=keras.optimizers.SGD(lr=0.1), loss=keras.losses.mean_squared_error
)
plot_losses = PlotLosses()
model.fit(x, y, epochs=4, validation_split=0.2, callbacks=[plot_losses], verbose=0)
print("losses", plot_losses.losses)
assert plot_losses.batches == 4 * 3 and len(plot_losses.val_losses) == 4
