"""Third-party networks, adapted to images and classes.

``wanted`` is what an estimator requires of a network, ``arguments`` calls a class or a function
with it under the names of its parameters, ``outputs`` reads what a network returns, ``sizes``
finds out by trial which images it accepts, and ``adapted`` wraps it so that it accepts images of
any size. ``layers`` replaces first and last layers, ``encoder`` finds the parts of networks by
name, and ``interface`` is what estimators need to know about a network.
"""
