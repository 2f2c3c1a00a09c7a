"""What Keras 3 itself says, whichever of its backends computes"""

import inspect


def slopes(keras, layer, x, dy, **arguments):
    """
    Return y, dx and the gradients of the weights, as the backend finds them.

    The arguments are for the call of the layer; it need not know of `training`.
    """
    if "training" not in inspect.signature(layer.call).parameters:
        arguments.pop("training", None)
    backend, variables = keras.backend.backend(), layer.trainable_variables
    values = [variable.value for variable in variables]
    if backend == "jax":
        import jax

        fixed = [variable.value for variable in layer.non_trainable_variables]

        def run(values, x):
            return layer.stateless_call(values, fixed, x, **arguments)[0]

        y, back = jax.vjp(run, values, x)
        dW, dx = back(dy)
    elif backend == "torch":
        x = keras.ops.convert_to_tensor(x).requires_grad_()
        y = layer(x, **arguments)
        y.backward(keras.ops.convert_to_tensor(dy))
        dW, dx = [value.grad for value in values], x.grad
    else:
        import tensorflow

        x = tensorflow.convert_to_tensor(x)
        with tensorflow.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, **arguments)
        dW, dx = tape.gradient(y, [values, x], output_gradients=dy)
    return [keras.ops.convert_to_numpy(a) for a in (y, dx, *dW)]
