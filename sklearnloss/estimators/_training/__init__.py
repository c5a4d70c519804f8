"""The training of a network: a skorch net, its batches, optimizer, callbacks and augmentation.

``net`` trains on ``batches`` of the data; ``forward`` computes scores and loss, ``criterion``
holds the loss, ``output_weights`` sums it over the outputs of a network with several outputs,
``fine_tuning`` freezes parts of the network and groups parameters by learning rate, and
``training_state`` exists during training only. ``parameters`` declares the shared parameters of
the estimators, and ``net_settings`` selects those that a net needs; ``optimizers``, ``schedule``,
``memory_format`` and ``class_weight`` turn names and numbers into torch objects.
``gradient_check`` rejects losses without a gradient, ``finite_loss`` stops at infinite losses, and
``portable_net`` pickles the net.

``augmentations`` change images: built-in ones, and those from ``augment_libraries`` and from
users, which receive masks as in ``augment_masks`` and are tried before training
(``augment_check``, ``augment_compare``). ``callbacks`` run in each epoch, after
``callback_checks`` has rejected those that cannot work; ``callback_predictions`` provides
predictions for them, ``sklearn_callbacks`` runs scikit-learn's own, and ``interrupts``
distinguishes Ctrl-C from a callback that stops the training.

``checkpoints`` resumes an interrupted fit, ``warm_start`` continues one with other parameters,
and ``rollback`` undoes a failed one. ``torch_settings`` and ``random_state`` keep a fit
independent of torch's global settings and generators.
"""
