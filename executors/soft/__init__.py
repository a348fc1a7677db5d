"""Differentiable execution: the ops on tensors of degrees."""
