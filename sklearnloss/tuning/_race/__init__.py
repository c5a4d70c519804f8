"""The race: which candidate of a search to train next, and for how long, and what it shows.

``scores`` holds what is known of each candidate: the scores of its finished folds, and those of the
epochs in between. ``noise`` estimates from them how much a difference of two candidates varies from
fold to fold, and how much it still changes after an epoch. ``gain`` combines both: how much better
than the leader a candidate may yet be, on average over all folds. ``race`` decides by it.

At the end, ``leads`` measures how far the leader is ahead of others, ``verdict`` judges the losses
by it, and ``verdict_text`` says so in words. ``decision`` judges those that were left undecided
again, on fresh folds.
"""
