"""What becomes of a function: its graph, the kernels it is fused into, and machine code. Run: python inspect_program.py"""

import argparse

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import nn


def loss(w, x, labels):
    """Cross-entropy of a linear classifier."""
    return -jnp.mean(jnp.sum(labels * nn.log_softmax(x @ w), axis=-1))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less machine code")
    lines = 10 if parser.parse_args().quick else 40

    step = jitgrad.value_and_grad(loss)
    w, x, labels = jnp.zeros((20, 10)), jnp.ones((64, 20)), nn.one_hot(jnp.arange(64) % 10, 10)

    graph = jitgrad.make_graph(step)(w, x, labels)
    print(f"the graph has {len(graph.eqns)} equations:")
    print(graph)

    compiled = jitgrad.jit(step).lower(w, x, labels).compile()
    print(f"\nthe program has {len(compiled.kernels)} kernels:")
    for kernel in compiled.kernels:
        print(kernel)

    assembly = compiled.assembly().splitlines()
    print(f"\nthe first {lines} of {len(assembly)} lines of machine code:")
    print("\n".join(assembly[:lines]))

    value, gradient = compiled(w, x, labels)
    print(f"\nloss {float(value):.4f}, gradient of shape {gradient.shape}")
    assert len(compiled.kernels) < len(graph.eqns)
    print(f"fused: {len(graph.eqns)} equations into {len(compiled.kernels)} kernels")


if __name__ == "__main__":
    main()
