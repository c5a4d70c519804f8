"""The training of a network: a skorch net, its batches, optimizer, callbacks and augmentation.

``net`` trains on ``batches`` of the data; ``forward`` computes scores and loss, ``criterion``
holds the loss, ``output_weights`` sums it over the outputs of a network that has several,
``fine_tuning`` freezes parts of the network and groups parameters by learning rate, and
``training_state`` is kept during training only. ``parameters`` declares what
both estimators are given, and ``net_settings`` is the part of it that a net needs; ``optimizers``,
``schedule``, ``memory_format`` and ``class_weight`` turn names and numbers into what torch takes.
``gradient_check`` refuses losses without a gradient, and ``portable_net`` is the net as a pickle.

``augmentations`` change images: built-in ones, and those of ``augment_libraries`` and of users,
which see masks as in ``augment_masks`` and are tried before training (``augment_check``,
``augment_compare``). ``callbacks`` are told of each epoch, once ``callback_checks`` has refused
those that cannot work; ``callback_predictions`` is what they may ask, ``sklearn_callbacks`` tells
scikit-learn's own, and ``interrupts`` distinguishes Ctrl-C from a callback's wish to stop.

``checkpoints`` resumes a fit that was interrupted, ``warm_start`` continues one with other
parameters, ``rollback`` undoes one that failed. ``torch_settings`` and ``random_state`` keep a fit
independent of torch's global settings and generators.
"""
