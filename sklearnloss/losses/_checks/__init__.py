"""The laws that training relies on, tried on any loss: ``check_loss`` and its ``laws``."""
