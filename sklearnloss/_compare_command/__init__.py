"""``sklearnloss compare``: which loss is best for the images in a folder."""
