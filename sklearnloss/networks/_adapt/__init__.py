"""Networks of others, made to fit images and classes.

``wanted`` is what an estimator asks of a network, ``arguments`` calls a class or a function with
it under the names that it knows, ``outputs`` reads what a network returns, ``sizes`` finds out by
trial which images it takes, and ``adapted`` wraps it, so that images of any size pass.
``layers`` exchanges first and last layers, ``encoder`` knows the parts of networks by name, and
``interface`` is what estimators want to know of a network.
"""
