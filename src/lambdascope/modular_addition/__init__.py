"""Networks that learn addition mod p: their data, weights, training, and the older code's files.

The modules are imported one by one (`from lambdascope.modular_addition.training import train`), so
that reading the settings does not import torch.
"""
