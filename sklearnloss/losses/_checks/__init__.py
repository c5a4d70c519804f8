"""Checks of the laws that training relies on, for any loss: ``check_loss`` and its ``laws``."""
