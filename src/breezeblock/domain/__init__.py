"""Pure rules: resource types, state machines, capacity and quota arithmetic, errors. No I/O."""
