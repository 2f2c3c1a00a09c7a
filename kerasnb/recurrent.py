"""
Recurrent layers: a cell goes through a sequence, step by step, and remembers.

RNN turns a batch of sequences into a sequence of batches, time first, lets its cell run
over it, and keeps states where that is asked for; SimpleRNN, GRU and LSTM are RNNs
around the cells of those names. Read next: `cells.py` for the loop over the steps and
for cells of one's own, `gated_cells.py` for the equations.
"""

from __future__ import annotations

import warnings

import numpy as np

from . import device, regularizers
from .cells import StackedRNNCells, check_dtypes, checked_cell
from .device import ops
from .gated_cells import GRUCell, LSTMCell, SimpleRNNCell
from .layer import show_shape, unique_name
from .stack import Composite, entries_of, layers_of

OPTIONS = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll")
NOT_GIVEN = ("self", "kwargs", "__class__")


class RNN(Composite):
    """
    Recurrent layer: one cell at every step of a sequence.

    forward     y[s], states[s + 1] = cell(x[s], states[s]),  states[0] = 0
    backward    the same steps, from the last to the first

    At a step that is masked the states stay, and the output is that of the step before
    (before the first step: the first state). The mask is handed on with sequences only.

    Parameters
    ----------
    cell : Cell or list of Cell
        A list is stacked: the output of a cell is the input of the next.
    return_sequences : bool
        Whether to return the outputs of all steps (N, T, O), not only the last (N, O).
    return_state : bool
        Must stay False: in a Sequential nothing takes the states.
    go_backwards : bool
        Whether to start with the last step. Sequences are returned in the order in
        which they were made.
    stateful : bool
        Whether a batch starts where the one before ended, sample by sample, in
        training, evaluation and prediction alike, until `reset_states`. A batch of
        another size starts from zeros, with a warning.
    unroll : bool
        Accepted for old programs; the numbers are the same. The number of steps must
        be known.

    Raises
    ------
    ValueError
        If something is not a cell, or states are asked for.

    Examples
    --------
    >>> from kerasnb.layers import LSTMCell
    >>> layer = RNN([LSTMCell(4), LSTMCell(2)], return_sequences=True)
    >>> layer(np.ones((3, 5, 6))).shape
    (3, 5, 2)
    """

    stateful = False
    masking = "consume"
    turns_sequences = False  # return them last step first: what Bidirectional wants

    @property
    def only_launches(self):
        """Return whether a step does nothing but launch kernels."""
        return not self.stateful

    def __init__(
        self,
        cell,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        activity_regularizer=None,
        dtype=None,
        **kwargs,
    ):
        if isinstance(cell, (list, tuple)):
            cell = StackedRNNCells(cell)
        self.cell = checked_cell(cell, type(self).__name__)
        super().__init__(dtype=dtype or cell.dtype, **kwargs)
        check_dtypes(self, [cell])
        if return_state:
            raise ValueError(
                f"{self.name}: return_state=True is of no use in a Sequential, whose "
                "next layer takes one array. With stateful=True the layer keeps its "
                "states from batch to batch, in its attribute states."
            )
        self.return_sequences = bool(return_sequences)
        self.return_state = False
        self.go_backwards = bool(go_backwards)
        self.stateful = bool(stateful)
        self.unroll = bool(unroll)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.masking = "pass" if self.return_sequences else "consume"
        self.states = None
        self.state_names = ("states",) if self.stateful else ()
        self.may_be_none = self.state_names  # before the first batch, and when reset

    @property
    def sublayers(self):
        """Return the cell."""
        return [self.cell]

    # ---- building -----------------------------------------------------------------

    def build(self, input_shape):
        """Build the cell for single steps."""
        self.cell.connect((None, *input_shape[2:]))

    def compute_output_shape(self, input_shape):
        """Return (N, O), or (N, T, O) with sequences."""
        self.expect_rank(input_shape, 1 + self.cell.axes)
        N, T, *step = input_shape
        if self.unroll and T is None:
            raise ValueError(
                f"{self.name}: with unroll=True the number of steps must be known, got "
                f"an input of shape {show_shape(input_shape)}. Leave unroll out: it "
                "changes nothing here."
            )
        _, *output = self.cell.compute_output_shape((N, *step))
        return (N, T, *output) if self.return_sequences else (N, *output)

    def multiply_adds(self, input_shape):
        """Return those of the cell, for each step."""
        return self._over_steps(self.cell.multiply_adds, input_shape)

    def simple_operations(self, input_shape):
        """Return those of the cell, for each step."""
        return self._over_steps(self.cell.simple_operations, input_shape)

    def backward_flops(self, input_shape):
        """Return the same for `backward`, which always needs the gradient of states."""
        products = self.multiply_adds(input_shape)
        of_states = self._over_steps(self.cell.recurrent_multiply_adds, input_shape)
        learns = bool(self.trainable_weights) and not self.frozen
        of_inputs = (products - of_states) * bool(self.needs_dx)
        back = products * learns + of_states + of_inputs
        return 2 * back + self.simple_operations(input_shape)

    def _over_steps(self, count, input_shape):
        N, T, *step = input_shape
        return (T or 1) * count((N, *step))

    # ---- forward and backward -----------------------------------------------------

    def forward(self, x, training):
        """Return the last output of each sample, or all of them."""
        N, T, *step = x.shape
        if not T:
            raise ValueError(f"{self.name}: expected at least one step, got none.")
        xt = self.buffer("x by time", (T, N, *step))
        ops.steps_to_time_major(_rows(xt), _rows(x), self.go_backwards)
        first, mask = self._first((N, *step)), self._mask_by_time()
        ys, states = self.cell.run(xt, first, mask, training)
        if self.stateful:
            for kept, new in zip(self.states, states):
                kept[...] = new
        if not self.return_sequences:
            return ys[-1]
        y = self.buffer("y", (N, T, *ys.shape[2:]))
        ops.time_major_to_steps(_rows(y), _rows(ys), self.turns_sequences)
        return y

    def backward(self, dy):
        """Fill the gradients of the weights, return dx."""
        dys = dy[None]
        if self.return_sequences:
            N, T, *output = dy.shape
            dys = self.buffer("dy by time", (T, N, *output))
            ops.steps_to_time_major(_rows(dys), _rows(dy), self.turns_sequences)
        dxt = self.cell.run_back(dys, self.needs_dx)
        if dxt is None:
            return None
        T, N, *step = dxt.shape
        dx = self.buffer("dx", (N, T, *step))
        ops.time_major_to_steps(_rows(dx), _rows(dxt), self.go_backwards)
        return dx

    def compute_mask(self, x, mask):
        """Return the mask if all steps are returned."""
        return mask if self.return_sequences else None

    def _mask_by_time(self):
        """Return the mask (T, N) in the order of the steps, or None."""
        if self.mask is None:
            return None
        by_time = self.mask.T
        mask = self.buffer("mask", by_time.shape, np.bool_)
        mask[...] = by_time[::-1] if self.go_backwards else by_time
        return mask

    # ---- states -------------------------------------------------------------------

    def _first(self, step_shape):
        """Return the states with which a batch starts, given the shape of its steps."""
        N = step_shape[0]
        first = [
            self.buffer(f"first {number}", (N, *shape))
            for number, shape in enumerate(self.cell.state_shapes(step_shape))
        ]
        if not self.stateful:
            return first  # zeros, which nobody writes to
        if self.states is not None and self.states[0].shape != first[0].shape:
            warnings.warn(
                f"{self.name}: the states of {len(self.states[0])} samples are lost, "
                f"because a batch of shape {show_shape(step_shape)} came, which starts "
                "from zeros. Keep the size, or call reset_states() before it changes.",
                stacklevel=2,
            )
            self.states = None
        if self.states is None:
            self.states = [device.zeros(one.shape, one.dtype) for one in first]
        self.states = [device.here(state) for state in self.states]
        for state, kept in zip(first, self.states):
            state[...] = kept
        return first

    def reset_states(self, states=None):
        """
        Let the next batch start from zeros, or from the given states.

        Parameters
        ----------
        states : array or list of arrays, optional
            One (N, size) for each state of the cell; those of images have their shape.

        Raises
        ------
        AttributeError
            If the layer is not stateful.
        ValueError
            If number or shapes of the states do not fit; nothing has changed then.
        """
        if not self.stateful:
            raise AttributeError(
                f"{self.name}: only a stateful layer has states to reset. Construct it "
                "with stateful=True."
            )
        self.states = None if states is None else self._checked_states(states)

    def _checked_states(self, states):
        if not isinstance(states, (list, tuple)):
            states = [states]
        states = [np.array(state, self.dtype) for state in states]
        shape = self.input_shape or self.batch_input_shape
        N, _, *step = shape or (None,) * (1 + self.cell.axes)
        if N is None and states and states[0].ndim:
            N = len(states[0])
        wanted = [(N, *shape) for shape in self.cell.state_shapes((N, *step))]
        found = [state.shape for state in states]
        if not _fit(found, wanted):
            raise ValueError(
                f"{self.name}: expected states of shapes {wanted}, got {found}."
            )
        return states

    # ---- configuration ------------------------------------------------------------

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        config = super().get_config()
        config["cell"] = entries_of([self.cell])[0]
        for name in OPTIONS:
            config[name] = getattr(self, name)
        penalty = regularizers.serialize(self.activity_regularizer)
        config["activity_regularizer"] = penalty
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Make the layer, and the cell inside, from what `get_config` returned."""
        (cell,) = layers_of([config["cell"]], custom_objects)
        return cls(**{**config, "cell": cell})


def _rows(a: np.ndarray) -> np.ndarray:
    """Return (T, N, ...) as (T, N, D)."""
    return a.reshape(*a.shape[:2], -1)


def _fit(shapes, wanted):
    """Return whether the shapes are the wanted ones, in which None stands for any."""
    return [len(shape) for shape in shapes] == [len(shape) for shape in wanted] and all(
        size is None or size == found
        for one, other in zip(shapes, wanted)
        for found, size in zip(one, other)
    )


class Recurrent(RNN):
    """
    Base class of the layers around one cell of Keras, whose arguments they take too.

    What the layer itself lacks, such as `units` or `W`, is looked up in the cell.
    """

    kind: type = SimpleRNNCell

    def __init__(self, given, /, dtype=None, name=None, **kwargs):
        given = {key: value for key, value in given.items() if key not in NOT_GIVEN}
        own = {key: given.pop(key) for key in (*OPTIONS, "activity_regularizer")}
        for key in own.keys() & kwargs.keys():  # a layer without that argument
            raise TypeError(f"{type(self).__name__}: unknown argument {key!r}.")
        name = name or unique_name(type(self).__name__)
        cell = self.kind(**given, dtype=dtype, name=name)
        super().__init__(cell, **own, name=name, **kwargs)

    def __getattr__(self, name):
        cell = vars(self).get("cell")
        if name.startswith("_") or not hasattr(cell, name):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}.")
        return getattr(cell, name)

    def build(self, input_shape):
        """Build the cell, whose weights have the layer's name."""
        self.cell.name = self.name
        super().build(input_shape)

    def get_config(self):
        """Return the constructor's arguments as plain values."""
        config = super().get_config()
        del config["cell"]
        return {**self.cell.get_config(), **config}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Make the layer from what `get_config` returned."""
        return cls(**config)


class SimpleRNN(Recurrent):
    """
    Fully connected recurrent layer: what it puts out, it sees at the next step.

    forward     h[s + 1] = activation(x[s] W + b + h[s] U)
    backward    dz[s] = activation'(z[s]) (dy[s] + dz[s + 1] UT),
                dW = sum over s of x[s]T dz[s],  dU likewise of h[s],  dx[s] = dz[s] WT

    Parameters
    ----------
    units : int
        Size of the state and of the output, u.
    activation : str or ActivationFunction
    use_bias : bool
    kernel_initializer, recurrent_initializer, bias_initializer
        First values of W (D, u), U (u, u) and b (u,).
    kernel_regularizer, recurrent_regularizer, bias_regularizer : optional
    activity_regularizer : optional
        Penalty on the output.
    kernel_constraint, recurrent_constraint, bias_constraint : optional
    dropout, recurrent_dropout : float
        Part of the inputs and of the states that is dropped in training, the same at
        all steps of a sample; clipped to [0, 1], where 1 drops nothing, like 0.
    implementation : int
        Of no effect here.
    return_sequences, return_state, go_backwards, stateful, unroll
        As for RNN.

    Examples
    --------
    >>> SimpleRNN(4, return_sequences=True)(np.ones((2, 5, 3))).shape
    (2, 5, 4)
    """

    only_launches = RNN.only_launches
    kind = SimpleRNNCell

    def __init__(
        self,
        units,
        activation="tanh",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        implementation=1,
        **kwargs,
    ):
        super().__init__(locals(), **kwargs)


class GRU(Recurrent):
    """
    Gated recurrent unit (Cho et al. 2014): it decides how much of its state to renew.

    forward     p, q = sigma(x[s] W + b + h[s] U)  with the columns of each,
                g = phi(x[s] Wg + bg + (q h[s]) Ug),  h[s + 1] = p h[s] + (1 - p) g
    backward    the same, from the last step to the first; see GRUCell

    The columns are those of p (Keras: z), q (Keras: r) and g, in turn. With reset_after
    g = phi(x[s] Wg + bg + q (h[s] Ug + b'g)), as on NVIDIA's cards.

    Parameters
    ----------
    units : int
        Size of the state and of the output, u.
    activation, recurrent_activation : str or ActivationFunction
        phi ('tanh') and sigma ('hard_sigmoid').
    use_bias : bool
    kernel_initializer, recurrent_initializer, bias_initializer
        First values of W (D, 3 u), U (u, 3 u) and b (3 u,); b is (2, 3 u) if
        reset_after, with a row for the inputs and one for the states.
    kernel_regularizer, recurrent_regularizer, bias_regularizer : optional
    activity_regularizer : optional
        Penalty on the output.
    kernel_constraint, recurrent_constraint, bias_constraint : optional
    dropout, recurrent_dropout : float
        As for SimpleRNN.
    implementation : {1, 2}
        Whether dropout draws a mask for each gate, or one for all.
    return_sequences, return_state, go_backwards, stateful, unroll
        As for RNN.
    reset_after : bool
        Whether q comes after the product with Ug.

    Examples
    --------
    >>> GRU(4)(np.ones((2, 5, 3))).shape
    (2, 4)
    """

    only_launches = RNN.only_launches
    kind = GRUCell

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="hard_sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        implementation=1,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        reset_after=False,
        **kwargs,
    ):
        super().__init__(locals(), **kwargs)


class LSTM(Recurrent):
    """
    Long short-term memory (Hochreiter, Schmidhuber 1997): a state that gates guard.

    forward     i, f, o = sigma(x[s] W + b + h[s] U),  g = phi(x[s] W + b + h[s] U),
                each with its columns,
                c[s + 1] = f c[s] + i g,  h[s + 1] = o phi(c[s + 1])
    backward    the same, from the last step to the first; see LSTMCell

    The columns are those of i, f, g (Keras: c) and o, in turn; the states are h and c.

    Parameters
    ----------
    units : int
        Size of the states and of the output, u.
    activation, recurrent_activation : str or ActivationFunction
        phi ('tanh') and sigma ('hard_sigmoid').
    use_bias : bool
    kernel_initializer, recurrent_initializer, bias_initializer
        First values of W (D, 4 u), U (u, 4 u) and b (4 u,).
    unit_forget_bias : bool
        Whether the part of b for f starts with ones: to remember, at first.
    kernel_regularizer, recurrent_regularizer, bias_regularizer : optional
    activity_regularizer : optional
        Penalty on the output.
    kernel_constraint, recurrent_constraint, bias_constraint : optional
    dropout, recurrent_dropout, implementation
        As for GRU.
    return_sequences, return_state, go_backwards, stateful, unroll
        As for RNN.

    Examples
    --------
    >>> LSTM(4)(np.ones((2, 5, 3))).shape
    (2, 4)
    """

    only_launches = RNN.only_launches
    kind = LSTMCell

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="hard_sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        unit_forget_bias=True,
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        implementation=1,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        **kwargs,
    ):
        super().__init__(locals(), **kwargs)
