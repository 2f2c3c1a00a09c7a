"""The layers of CuDNN: what they compute, and what they do not take."""

import numpy as np
import pytest

from kerasnb import check_layer
from kerasnb.layers import GRU, LSTM, CuDNNGRU, CuDNNLSTM


@pytest.mark.parametrize(
    "kind, plain",
    [
        (CuDNNLSTM, lambda: LSTM(3, recurrent_activation="sigmoid")),
        (CuDNNGRU, lambda: GRU(3, recurrent_activation="sigmoid", reset_after=True)),
    ],
)
def test_the_layers_of_cudnn_are_names_for_the_same_computation(kind, plain):
    """With sigmoid gates; masks are no obstacle."""
    layer, plain = kind(3, return_sequences=False), plain()
    x = np.random.default_rng(0).normal(size=(2, 4, 2))
    layer.connect(x.shape)
    plain.connect(x.shape)
    plain.set_weights(layer.get_weights())
    np.testing.assert_array_equal(layer(x), plain(x))
    config = layer.get_config()
    assert "recurrent_activation" not in config and "dropout" not in config
    assert kind.from_config(config).get_config() == config
    check_layer(kind(2), (3, 2))


def test_what_cannot_be_chosen_is_refused():
    """As any word that a layer does not know."""
    for kind in (CuDNNGRU, CuDNNLSTM):
        with pytest.raises(TypeError, match=f"{kind.__name__}: unknown argument 'drop"):
            kind(3, dropout=0.5)
