"""A simulator of scaling: a load trace, a model of instances, and the very `decide` that runs in production.

    shapes / azure --> Trace (arrivals) --> model.simulate(policy, trace, world) --> Run --> outcome.Outcome --> chart

Nothing here reads a clock or draws from a global random source: equal input gives equal output, to the last digit.
"""
