"""The race: which candidate of a search to train next, and for how long.

``scores`` holds what is known of each candidate: the scores of its finished folds, and those of the
epochs in between. ``noise`` estimates from them how much a difference of two candidates varies from
fold to fold, and how much it still changes after an epoch. ``gain`` combines both: how much better
than the leader a candidate may yet be, on average over all folds. ``race`` decides by it.
"""
