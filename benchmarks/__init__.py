"""Measurements: speed beside peers, and tables of results. Each writes a table into docs/results/.

    python -m benchmarks                 the speed of training, of estimation and of starting
    python -m benchmarks all             the same and the results on MNIST, which take hours
    python -m benchmarks train_speed -h  one of them, and its options

Speed is measured with all contestants in one run on one machine: each is a process of its own that
computes only when it is told to, turn by turn (`benchmarks.contest`). Contestants from other
libraries live in an environment of their own, named by ``--peers`` or ``LOWERBOUND_PEERS``:

    python3 -m venv .venv/peers
    .venv/peers/bin/pip install torch pythae==0.1.2 jax optax

Where it is missing they are left out, with a line that says so.
"""
